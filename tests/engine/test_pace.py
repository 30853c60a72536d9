from __future__ import annotations

from morula.core.blocks import Block
from morula.engine.engine import BlockJob
from morula.engine.pace import Pace, describe_amount, describe_seconds


def _million(block: Block) -> float:
    return 1e6


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def _no_work(block: Block) -> None:
    """Compute nothing."""


def test_throughput_and_time_left_follow_the_work_done(blocks: list[Block]) -> None:
    clock = Clock()
    pace = Pace(BlockJob("detect", blocks, _no_work, weigh=_million), clock=clock)
    assert pace.event().detail == ""
    clock.now += 8.0
    pace.count(blocks[0], done=True)
    pace.count(blocks[1], done=True)
    assert pace.event().detail == "250 k voxels/s, 12 s left"


def test_failed_blocks_are_progress_but_no_throughput(blocks: list[Block]) -> None:
    clock = Clock()
    pace = Pace(BlockJob("detect", blocks, _no_work), clock=clock)
    clock.now += 2.0
    pace.count(blocks[0], done=False)
    assert (pace.event().done, pace.event().detail) == (1, "1 failed")
    pace.count(blocks[1], done=True)
    assert (pace.event().done, pace.event().detail) == (2, "20 voxels/s, 5 s left, 1 failed")


def test_no_time_is_left_when_all_blocks_are_through(blocks: list[Block]) -> None:
    clock = Clock()
    pace = Pace(BlockJob("detect", blocks, _no_work), clock=clock)
    for block in blocks:
        clock.now += 1.0
        pace.count(block, done=True)
    assert pace.event().detail == "36 voxels/s"


def test_amounts_and_durations_read_well() -> None:
    assert [describe_amount(amount) for amount in (0, 999, 1000, 2.5e9)] == ["0", "999", "1 k", "2.5 G"]
    assert [describe_seconds(s) for s in (0.4, 89, 90, 3570, 7320)] == [
        "0 s",
        "89 s",
        "2 min",
        "1 h 0 min",
        "2 h 2 min",
    ]
