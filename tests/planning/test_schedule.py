"""Simulated workers take as long as they must, and the solver's order keeps a hundred of them busy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from morula.core.blocks import Block
from morula.core.movie import Movie
from morula.planning.schedule import simulate_schedule
from morula.planning.solver_blocks import lay_out_blocks
from morula.planning.stand_in import make_blank_movie
from morula.solve.params import SolveParams


def some_blocks(count: int) -> list[Block]:
    return [Block(i, (slice(i, i + 1),), (slice(i, i + 1),)) for i in range(count)]


def test_one_worker_takes_the_sum_and_many_the_longest() -> None:
    seconds = np.array([3.0, 1.0, 2.0])
    assert simulate_schedule(some_blocks(3), {}, seconds, 1, hand_s=0.0) == 6.0
    assert simulate_schedule(some_blocks(3), {}, seconds, 9, hand_s=0.0) == 3.0


def test_a_block_begins_when_those_it_waits_for_are_done() -> None:
    waits_for = {1: [0], 2: [1]}
    assert simulate_schedule(some_blocks(3), waits_for, np.array([3.0, 1.0, 2.0]), 9, hand_s=0.0) == 6.0


def test_handing_out_one_by_one_is_a_limit_of_its_own() -> None:
    assert simulate_schedule(some_blocks(100), {}, np.full(100, 0.01), 50, hand_s=1.0) == pytest.approx(100, rel=0.05)


@pytest.fixture
def embryo() -> Movie:
    """Frames and extent of an embryo, without a pixel of it."""
    return make_blank_movie((60, 100, 400, 400), (5.0, 1.0, 1.0), "uint16")


@pytest.fixture
def params() -> SolveParams:
    return SolveParams(block_frames=10, block_um=(100.0, 80.0, 80.0))


def test_the_order_of_the_solver_keeps_many_workers_busy(embryo: Movie, params: SolveParams) -> None:
    blocks = lay_out_blocks(embryo, params, max_distance_um=10.0)
    n, workers = len(blocks.plan.blocks), 20
    assert n == 6 * 5 * 5 * 5
    seconds = 20.0 * np.exp(0.5 * np.random.default_rng(0).normal(size=n))
    total = simulate_schedule(blocks.plan.blocks, dict(enumerate(blocks.plan.dependencies)), seconds, workers)
    assert 0.8 < seconds.sum() / (workers * total) <= 1


def test_shares_of_detections_are_those_of_the_volume_each_block_sees(embryo: Movie, params: SolveParams) -> None:
    alone = lay_out_blocks(embryo, SolveParams(block_frames=60), max_distance_um=10.0)
    assert alone.share.tolist() == pytest.approx([1.0])
    in_time = lay_out_blocks(embryo, SolveParams(block_frames=30, context_frames=3), max_distance_um=10.0)
    assert in_time.share.tolist() == pytest.approx([33 / 60] * 2)
    assert lay_out_blocks(embryo, params, max_distance_um=10.0).seen_share > in_time.seen_share


def test_larger_contexts_see_more(embryo: Movie, params: SolveParams) -> None:
    seen: Callable[[float], float] = lambda reach: lay_out_blocks(embryo, params, reach).seen_share  # noqa: E731
    assert seen(5.0) < seen(10.0) < seen(20.0)
