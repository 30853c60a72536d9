from __future__ import annotations

import pytest

from morula.core.blocks import Block
from morula.core.progress import Progress
from morula.engine.engine import BlockJob, Engine
from morula.engine.serial import SerialEngine
from morula.errors import ChunkError, ConfigError, DiskError


class Notebook:
    """Writes down what an engine hands over."""

    def __init__(self) -> None:
        self.done: dict[int, int] = {}
        self.failed: dict[int, tuple[str, int]] = {}
        self.events: list[Progress] = []

    def on_done(self, block: Block, result: int, seconds: float) -> None:
        assert seconds >= 0
        self.done[block.index] = result

    def on_failed(self, block: Block, error: Exception, attempts: int) -> None:
        self.failed[block.index] = (str(error), attempts)


def square(block: Block) -> int:
    return block.index**2


def break_odd(block: Block) -> int:
    if block.index % 2:
        raise ChunkError(f"chunk {block.index} is broken.")
    return block.index


@pytest.fixture
def engine() -> Engine:
    return SerialEngine()


def test_every_result_is_handed_over_with_its_block(engine: Engine, blocks: list[Block]) -> None:
    notes = Notebook()
    summary = engine.run_blocks(BlockJob("detect", blocks, square), on_done=notes.on_done, on_failed=notes.on_failed)
    assert notes.done == {0: 0, 1: 1, 2: 4, 3: 9, 4: 16}
    assert (summary.n_done, summary.failures, summary.weight) == (5, (), 180.0)


def test_a_failing_block_does_not_keep_the_others_from_running(engine: Engine, blocks: list[Block]) -> None:
    notes = Notebook()
    summary = engine.run_blocks(BlockJob("detect", blocks, break_odd), on_done=notes.on_done, on_failed=notes.on_failed)
    assert notes.done == {0: 0, 2: 2, 4: 4}
    assert notes.failed == {1: ("chunk 1 is broken.", 2), 3: ("chunk 3 is broken.", 2)}
    assert [(failure.block.index, failure.attempts) for failure in summary.failures] == [(1, 2), (3, 2)]
    assert summary.weight == 100.0


def test_progress_counts_from_what_earlier_runs_did(engine: Engine, blocks: list[Block]) -> None:
    notes = Notebook()
    job = BlockJob("detect", blocks[3:], break_odd, n_done_before=3)
    engine.run_blocks(job, on_done=notes.on_done, on_failed=notes.on_failed, progress=notes.events.append)
    assert [(event.done, event.total, event.unit) for event in notes.events] == [(i, 5, "blocks") for i in (3, 4, 5)]
    assert notes.events[-1].detail.endswith(" voxels/s, 1 failed")


def test_nothing_to_do_is_done_at_once(engine: Engine) -> None:
    notes = Notebook()
    job = BlockJob("detect", [], square, n_done_before=5)
    summary = engine.run_blocks(job, on_done=notes.on_done, on_failed=notes.on_failed, progress=notes.events.append)
    assert (summary.n_done, summary.weight) == (0, 0.0)
    assert [(event.done, event.total) for event in notes.events] == [(5, 5)]


def test_an_error_while_storing_ends_the_job_and_fails_no_block(engine: Engine, blocks: list[Block]) -> None:
    notes = Notebook()

    def store(block: Block, result: int, seconds: float) -> None:
        if block.index == 2:
            raise DiskError("the disk is full.")
        notes.on_done(block, result, seconds)

    with pytest.raises(DiskError, match="the disk is full"):
        engine.run_blocks(BlockJob("detect", blocks, square), on_done=store, on_failed=notes.on_failed)
    assert (notes.done, notes.failed) == ({0: 0, 1: 1}, {})


def test_ctrl_c_keeps_what_was_handed_over(engine: Engine, blocks: list[Block]) -> None:
    notes = Notebook()

    def stop_at_three(block: Block) -> int:
        if block.index == 3:
            raise KeyboardInterrupt
        return block.index

    with pytest.raises(KeyboardInterrupt):
        engine.run_blocks(BlockJob("d", blocks, stop_at_three), on_done=notes.on_done, on_failed=notes.on_failed)
    assert (notes.done, notes.failed) == ({0: 0, 1: 1, 2: 2}, {})


def test_a_negative_number_of_retries_is_refused() -> None:
    with pytest.raises(ConfigError, match="retries must not be negative, not -1"):
        SerialEngine(retries=-1)
