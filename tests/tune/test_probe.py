"""Steps from learned weights to fewer errors."""

from __future__ import annotations

import pytest

from morula.solve.params import SolveParams
from morula.tune.probe import MOST_PROBES, probe_weights

BEGIN = SolveParams(node_constant=4.0, division_cost=9.0)


def test_probes_go_on_from_what_makes_fewer_errors() -> None:
    """Errors fall as the start cost comes near 20: 12 → 16.8 → 20.16."""
    steps = list(probe_weights(BEGIN, 8, lambda params: round(abs(params.start_cost - 20))))
    fewest = min(steps, key=lambda step: step[1])
    assert fewest[1] == 0
    assert fewest[0].start_cost == pytest.approx(20.16)
    assert steps[-1] == fewest, "without an error left there is nothing to look for"


def test_equal_counts_move_nothing_and_every_weight_is_tried_both_ways() -> None:
    steps = [params for params, _ in probe_weights(BEGIN, 3, lambda _: 3)]
    assert len(steps) == MOST_PROBES == 12
    assert {step.start_cost for step in steps} == {12.0, 16.8, 8.571, 14.4, 10.0}
    assert {step.division_cost for step in steps} == {9.0, 12.6, 6.429, 10.8, 7.5}


def test_the_score_at_which_a_detection_pays_is_left_alone() -> None:
    scores = [params for params, _ in probe_weights(BEGIN, 3, lambda _: 3) if params.node_constant != 4.0]
    assert len(scores) == 4
    for params in scores:
        assert -params.node_constant / params.node_score_weight == pytest.approx(0.2, rel=1e-3)


def test_where_no_error_is_left_nothing_is_counted() -> None:
    assert list(probe_weights(BEGIN, 0, lambda _: pytest.fail("counted"))) == []
