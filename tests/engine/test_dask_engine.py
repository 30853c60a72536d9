from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import dask
import pytest
from block_work import die_always, die_once, name_process, square, take_long
from dask_processes import scheduler_at, worker_of

from morula.core.blocks import Block
from morula.engine import clusters
from morula.engine.choose import open_engine
from morula.engine.clusters import connect_to_scheduler, start_local_workers
from morula.engine.dask_engine import DaskEngine
from morula.engine.engine import BlockJob, Engine
from morula.errors import ConfigError, WorkerError


def run(engine: Engine, blocks: list[Block], work: object) -> tuple[dict[int, int], dict[int, Exception]]:
    done: dict[int, int] = {}
    failed: dict[int, Exception] = {}
    engine.run_blocks(
        BlockJob("detect", blocks, work),
        on_done=lambda block, result, seconds: done.update({block.index: result}),
        on_failed=lambda block, error, attempts: failed.update({block.index: error}),
    )
    return done, failed


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with open_engine(workers=2) as opened:
        yield opened


def test_blocks_are_computed_by_all_workers_and_not_here(engine: Engine, blocks: list[Block]) -> None:
    done, _ = run(engine, blocks, name_process)
    assert len(set(done.values())) == 2
    assert os.getpid() not in done.values()


def test_a_block_whose_worker_is_killed_is_computed_by_another(
    engine: Engine, blocks: list[Block], tmp_path: Path
) -> None:
    done, failed = run(engine, blocks, partial(die_once, folder=tmp_path))
    assert (tmp_path / "died").exists()
    assert (done, failed) == ({i: i for i in range(5)}, {})


def test_a_job_that_begins_when_a_worker_has_just_been_killed_is_done(engine: Engine, blocks: list[Block]) -> None:
    """The scheduler may not have noticed yet."""
    for _ in range(4):
        done, _ = run(engine, blocks, name_process)
        os.kill(next(iter(done.values())), signal.SIGKILL)
        assert run(engine, blocks, square) == ({0: 0, 1: 1, 2: 4, 3: 9, 4: 16}, {})


def test_a_block_that_kills_every_worker_fails_and_the_others_are_done(engine: Engine, blocks: list[Block]) -> None:
    done, failed = run(engine, blocks, die_always)
    assert done == {0: 0, 1: 1, 3: 3, 4: 4}
    assert list(failed) == [2]
    assert isinstance(failed[2], WorkerError)
    assert "8 attempts" in failed[2].measured


def test_no_process_is_started_before_there_is_a_block(blocks: list[Block]) -> None:
    def refuse() -> None:
        pytest.fail("workers were started for nothing")

    assert run(DaskEngine(refuse), [], square) == ({}, {})


def test_without_a_dashboard_workers_start_though_its_usual_port_is_taken(
    blocks: list[Block], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clusters, "find_spec", lambda name: None)
    with socket.socket() as taken:
        with suppress(OSError):  # somebody else has it: as good
            taken.bind(("", 8787))
            taken.listen()
        with open_engine(workers=2) as alone:
            assert run(alone, blocks, square)[1] == {}


def test_a_cluster_that_is_running_computes_blocks(blocks: list[Block], address: str, tmp_path: Path) -> None:
    with scheduler_at(address), worker_of(address, tmp_path), open_engine(scheduler=address) as engine:
        done, _ = run(engine, blocks, square)
    assert done == {0: 0, 1: 1, 2: 4, 3: 9, 4: 16}


def test_a_scheduler_that_is_killed_ends_the_job_with_what_was_done_kept(
    blocks: list[Block], address: str, tmp_path: Path
) -> None:
    kept: list[int] = []
    with scheduler_at(address) as scheduler, worker_of(address, tmp_path), open_engine(scheduler=address) as engine:

        def kill(block: Block, result: int, seconds: float) -> None:
            kept.append(block.index)
            scheduler.send_signal(signal.SIGKILL)

        job = BlockJob("detect", blocks, partial(take_long, folder=tmp_path))
        began = time.perf_counter()
        with pytest.raises(WorkerError, match="the Dask scheduler was lost while block"):
            engine.run_blocks(job, on_done=kill, on_failed=lambda *failed: pytest.fail(str(failed)))
    assert kept == [0]
    assert time.perf_counter() - began < 100  # the other blocks would take 120 s


def test_a_scheduler_that_is_killed_before_results_are_fetched_is_named(
    blocks: list[Block], address: str, tmp_path: Path
) -> None:
    """All blocks are computed when the first result is handed over, and the others are still on the worker."""
    with scheduler_at(address) as scheduler, worker_of(address, tmp_path), open_engine(scheduler=address) as engine:

        def kill(block: Block, result: int, seconds: float) -> None:
            time.sleep(2.0)
            scheduler.send_signal(signal.SIGKILL)

        with pytest.raises(WorkerError, match="the Dask scheduler was lost while"):
            engine.run_blocks(
                BlockJob("detect", blocks, square), on_done=kill, on_failed=lambda *failed: pytest.fail(str(failed))
            )


def test_a_scheduler_that_is_killed_between_two_jobs_is_looked_for_again(
    blocks: list[Block], address: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The first job connects; the second finds it gone; the third finds the one that was started in its place."""
    squares = {0: 0, 1: 1, 2: 4, 3: 9, 4: 16}
    with scheduler_at(address) as scheduler, worker_of(address, tmp_path), open_engine(scheduler=address) as engine:
        assert run(engine, blocks, square)[0] == squares
        scheduler.send_signal(signal.SIGKILL)
        scheduler.wait()
        with pytest.raises(WorkerError, match=r"the Dask scheduler was lost while|no Dask scheduler answers at"):
            run(engine, blocks, square)
        with scheduler_at(address), worker_of(address, tmp_path):
            assert run(engine, blocks, square)[0] == squares
    assert "Traceback" not in capfd.readouterr().err


def test_workers_of_this_machine_whose_scheduler_is_lost_between_two_jobs_are_started_again(
    blocks: list[Block],
) -> None:
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "2s"}),  # so long Dask says good-bye to the lost one
        open_engine(workers=2) as engine,
    ):
        before = set(run(engine, blocks, name_process)[0].values())
        cluster = engine.connect().cluster
        cluster.sync(cluster.scheduler.close)
        after = set(run(engine, blocks, name_process)[0].values())
    assert len(before) == len(after) == 2
    assert not before & after


def test_workers_of_another_version_are_refused(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "__version__", "9.9.9")
    with (
        scheduler_at(address),
        worker_of(address, tmp_path),
        pytest.raises(WorkerError, match=r"1 of 1 workers do not run morula 9\.9\.9"),
        connect_to_scheduler(address),
    ):
        pytest.fail("it was connected to")


def test_a_scheduler_without_workers_is_refused_after_a_while(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "_WAIT_S", 1.0)
    with (
        scheduler_at(address),
        pytest.raises(WorkerError, match="no worker joined the scheduler"),
        connect_to_scheduler(address),
    ):
        pytest.fail("it was connected to")


def test_an_address_where_nobody_answers_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "_CONNECT_S", 1.0)
    with (
        pytest.raises(WorkerError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:1\."),
        connect_to_scheduler("tcp://127.0.0.1:1"),
    ):
        pytest.fail("it was connected to")


def test_two_kinds_of_workers_at_once_are_refused() -> None:
    with (
        pytest.raises(ConfigError, match="give one of them"),
        open_engine(workers=2, scheduler="tcp://127.0.0.1:8786"),
    ):
        pytest.fail("an engine was opened")


def test_impossible_numbers_are_refused() -> None:
    with pytest.raises(ConfigError, match="at least one worker is needed, not 0"), start_local_workers(0):
        pytest.fail("workers were started")
    with pytest.raises(ConfigError, match="retries must not be negative"):
        DaskEngine(lambda: pytest.fail("not to be opened"), retries=-1)
