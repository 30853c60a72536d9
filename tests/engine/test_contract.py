"""What every engine keeps to, shown with each of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from block_work import add_handed, break_odd, break_third_by_a_fault, find_third_locked, refuse_second, square

from morula.core.blocks import Block
from morula.core.progress import Progress
from morula.engine.choose import open_engine
from morula.engine.engine import BlockJob, Engine
from morula.errors import ConfigError, DiskError


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


@pytest.fixture(scope="module", params=[1, 2], ids=["serial", "dask"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    with open_engine(workers=request.param) as opened:
        yield opened


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
    assert sorted((failure.block.index, failure.attempts) for failure in summary.failures) == [(1, 2), (3, 2)]
    assert summary.weight == 100.0


def test_an_error_that_cannot_travel_fails_its_block_only(engine: Engine, blocks: list[Block]) -> None:
    notes = Notebook()
    job = BlockJob("detect", blocks, find_third_locked)
    engine.run_blocks(job, on_done=notes.on_done, on_failed=notes.on_failed)
    assert sorted(notes.done) == [0, 1, 3, 4]
    text, attempts = notes.failed[2]
    assert text.removeprefix("LockedError: ") == "movie.h5 is locked"
    assert attempts == 1


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
        if len(notes.done) == 2:
            raise DiskError("the disk is full.")
        notes.on_done(block, result, seconds)

    with pytest.raises(DiskError, match="the disk is full"):
        engine.run_blocks(BlockJob("detect", blocks, square), on_done=store, on_failed=notes.on_failed)
    assert (len(notes.done), notes.failed) == (2, {})


def test_a_fault_of_the_program_ends_the_job(engine: Engine, blocks: list[Block]) -> None:
    notes = Notebook()
    with pytest.raises(TypeError, match="a fault in the program"):
        engine.run_blocks(
            BlockJob("d", blocks, break_third_by_a_fault), on_done=notes.on_done, on_failed=notes.on_failed
        )
    assert notes.failed == {}
    assert 2 not in notes.done


def test_a_block_is_handed_what_those_it_waits_for_came_to(engine: Engine, blocks: list[Block]) -> None:
    """Each block adds the results of the two before it to its own number."""
    notes = Notebook()
    waits_for = {i: [j for j in (i - 2, i - 1) if j >= 0] for i in range(5)}
    job = BlockJob(
        "solve",
        blocks,
        add_handed,
        waits_for=waits_for,
        hand=lambda block: {j: notes.done[j] for j in waits_for[block.index]},
    )
    engine.run_blocks(job, on_done=notes.on_done, on_failed=notes.on_failed)
    assert notes.done == {0: 0, 1: 1, 2: 3, 3: 7, 4: 14}


def test_blocks_that_wait_for_a_failed_one_are_not_run(engine: Engine, blocks: list[Block]) -> None:
    notes = Notebook()
    job = BlockJob("solve", blocks, refuse_second, waits_for={2: [1], 3: [2], 4: [0]}, hand=lambda block: {})
    summary = engine.run_blocks(job, on_done=notes.on_done, on_failed=notes.on_failed)
    assert notes.done == {0: 0, 4: 4}
    assert list(notes.failed) == [1]
    assert summary.n_done == 2


def test_a_block_cannot_wait_for_a_later_one(engine: Engine, blocks: list[Block]) -> None:
    notes = Notebook()
    job = BlockJob("solve", blocks, square, waits_for={1: [3]})
    with pytest.raises(ConfigError, match=r"block 1 .* waits for block 3, which is not before it"):
        engine.run_blocks(job, on_done=notes.on_done, on_failed=notes.on_failed)
