"""Jobs whose workers are gone: ended after a while if none comes back, and finished if one does."""

from __future__ import annotations

import multiprocessing.spawn
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import psutil
import pytest
from block_work import name_process, square, take_half_a_second, take_long
from dask_processes import scheduler_at, worker_of

from morula.core.blocks import Block
from morula.engine.clusters import connect_to_scheduler, start_local_workers
from morula.engine.dask_engine import DaskEngine
from morula.engine.engine import BlockJob
from morula.errors import WorkerError


def compute(engine: DaskEngine, job: BlockJob, meanwhile: Callable[[], object]) -> dict[int, object]:
    """Run a job and do something when its first block is done; none may fail."""
    came_to: dict[int, object] = {}

    def note(block: Block, result: object, seconds: float) -> None:
        came_to[block.index] = result
        if len(came_to) == 1:
            meanwhile()

    engine.run_blocks(job, on_done=note, on_failed=lambda block, error, attempts: pytest.fail(str(error)))
    return came_to


@pytest.mark.parametrize("computed", [False, True])
def test_a_job_whose_last_worker_is_killed_ends_after_a_while_and_goes_on_later(
    computed: bool, blocks: list[Block], address: str, tmp_path: Path
) -> None:
    """While it computes, or when it has computed everything and the results are still with it."""
    with (
        scheduler_at(address),
        worker_of(address, tmp_path) as worker,
        DaskEngine(partial(connect_to_scheduler, address), longest_wait_s=3.0) as engine,
    ):

        def kill() -> None:
            time.sleep(1.0)
            worker.kill()

        job = BlockJob("detect", blocks, square if computed else partial(take_long, folder=tmp_path))
        began_s = time.perf_counter()
        with pytest.raises(WorkerError, match=r"detect: no worker has been there for 3 s\.") as missed:
            compute(engine, job, kill)
        assert 3.0 < time.perf_counter() - began_s < 60.0
        assert "machines that were switched off" in missed.value.cause
        assert "the same command again" in missed.value.fix
        with worker_of(address, tmp_path):
            assert compute(engine, BlockJob("detect", blocks, square), lambda: None) == {i: i**2 for i in range(5)}


def test_a_worker_that_comes_in_time_computes_the_rest(blocks: list[Block], address: str, tmp_path: Path) -> None:
    with ExitStack() as later:

        def replace(worker: subprocess.Popen) -> None:
            worker.kill()
            later.enter_context(worker_of(address, tmp_path))

        with (
            scheduler_at(address),
            worker_of(address, tmp_path) as worker,
            DaskEngine(partial(connect_to_scheduler, address), longest_wait_s=60.0) as engine,
        ):
            job = BlockJob("detect", blocks, take_half_a_second)
            assert compute(engine, job, partial(replace, worker)) == {i: i for i in range(5)}


def test_a_job_that_needs_a_graphics_card_misses_the_workers_that_have_one(
    blocks: list[Block], address: str, tmp_path: Path
) -> None:
    with (
        scheduler_at(address),
        worker_of(address, tmp_path, "--resources", "GPU=1") as with_card,
        worker_of(address, tmp_path),
        DaskEngine(partial(connect_to_scheduler, address), longest_wait_s=3.0) as engine,
    ):
        engine.connect().wait_for_workers(2, timeout=60)
        job = BlockJob("detect", blocks, partial(take_long, folder=tmp_path), on_card=True)
        with pytest.raises(WorkerError, match=r"no worker with a graphics card has been there for 3 s\."):
            compute(engine, job, with_card.kill)


@pytest.fixture
def no_new_process() -> Iterator[Callable[[], None]]:
    """Let Python start no process any more, as on a machine without memory; others have been started before."""
    before = multiprocessing.spawn.get_executable()
    yield lambda: multiprocessing.spawn.set_executable("/bin/false")
    multiprocessing.spawn.set_executable(before)


def test_workers_of_this_machine_that_cannot_be_started_again_are_missed(
    blocks: list[Block], no_new_process: Callable[[], None]
) -> None:
    with DaskEngine(partial(start_local_workers, 2), longest_wait_s=3.0) as engine:
        workers = set(compute(engine, BlockJob("detect", blocks, name_process), lambda: None).values())
        assert len(workers) == 2

        def end_all() -> None:
            no_new_process()
            for worker in workers:
                os.kill(worker, signal.SIGKILL)

        with pytest.raises(WorkerError, match=r"solve: no worker has been there for 3 s\."):
            compute(engine, BlockJob("solve", blocks, name_process), end_all)
    assert not any(psutil.pid_exists(worker) for worker in workers)
