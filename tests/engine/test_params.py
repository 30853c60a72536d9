from __future__ import annotations

import pytest

from morula.config import build_config, list_result_settings
from morula.engine.params import ClusterParams
from morula.errors import ConfigError


def test_no_queue_is_asked_unless_one_is_named() -> None:
    assert ClusterParams().system == "none"


def test_a_queue_nobody_knows_is_refused() -> None:
    values = {"movie": {"path": "x"}, "annotations": {}, "cluster": {"system": "condor"}}
    with pytest.raises(ConfigError, match=r"cluster\.system has a value that is not possible"):
        build_config(values)


def test_cores_that_sge_would_not_hear_of_are_refused() -> None:
    values = {"movie": {"path": "x"}, "annotations": {}, "cluster": {"system": "sge", "threads": 4}}
    with pytest.raises(ConfigError, match=r"cluster\.threads = 4 needs a parallel environment"):
        build_config(values)
    assert ClusterParams(system="sge", threads=4, directives=("-pe smp 4",)).threads == 4


def test_no_result_depends_on_the_queue() -> None:
    values = {"movie": {"path": "x"}, "annotations": {}}
    here = build_config(values)
    there = build_config(values | {"cluster": {"system": "slurm", "workers": 100}})
    assert list_result_settings(here) == list_result_settings(there)
