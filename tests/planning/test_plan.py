"""Work and rates become seconds, hours on workers, and a number of workers for a day."""

from __future__ import annotations

import pytest

from morula.planning.plan import plan_cluster, plan_stages
from morula.planning.rates import Rate
from morula.planning.reading import Reading
from morula.planning.work import Work

HOUR = 3600.0
RATES = {"train": Rate(1.0, once_s=HOUR - 100, source="timed here"), "detect": Rate(10.0), "solve": Rate(1.0)}
TRAIN = Work("train", "train", 100, "steps", 1e9)
DETECT = Work("detect", "detect", 360 * 24, "megavoxels seen", 2e9, Reading(1e12, 4e12), blocks=8640)


def test_work_is_amount_times_rate_and_what_comes_once() -> None:
    train, detect = plan_stages([TRAIN, DETECT], RATES, workers=1)
    assert (train.work_s, train.wall_s, train.source) == (HOUR, HOUR, "timed here")
    assert (detect.work_s, detect.wall_s) == (24 * HOUR, 24 * HOUR)


def test_workers_share_blocks_and_nothing_else() -> None:
    train, detect = plan_stages([TRAIN, DETECT], RATES, workers=8)
    assert (train.wall_s, detect.wall_s) == (HOUR, 3 * HOUR)


def test_no_stage_is_quicker_than_its_blocks_can_be_shared() -> None:
    few = Work("detect", "detect", 360, "megavoxels seen", 2e9, blocks=3)
    assert plan_stages([few], RATES, workers=2)[0].wall_s == pytest.approx(2 * 1200)
    assert plan_stages([few], RATES, workers=100)[0].wall_s == pytest.approx(1200)


def test_no_work_takes_no_time() -> None:
    assert Rate(2.0, once_s=5.0).seconds(0) == 0.0


def test_the_least_number_of_workers_that_is_enough_is_found() -> None:
    cluster = plan_cluster([TRAIN, DETECT], RATES, within_s=4 * HOUR)
    assert cluster.workers == 8
    assert (cluster.wall_s, cluster.alone_s, cluster.memory_bytes) == (4 * HOUR, HOUR, 2e9)
    assert cluster.read_bytes_per_s == pytest.approx(4e12 / (3 * HOUR))
    assert plan_stages([DETECT], RATES, workers=7)[0].wall_s > 3 * HOUR


def test_what_one_process_does_alone_is_a_floor() -> None:
    cluster = plan_cluster([TRAIN, DETECT], RATES, within_s=0.9 * HOUR)
    assert cluster.workers is None
    assert cluster.wall_s > HOUR


def test_one_worker_is_enough_for_little() -> None:
    assert plan_cluster([TRAIN], RATES, within_s=24 * HOUR).workers == 1
