"""Workers as jobs of a queue, with two commands in the place of Slurm's (`fake_queue` says what they are)."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import dask
import psutil
import pytest
from block_work import name_process, take_half_a_second
from fake_queue import FakeQueue

from morula.core.blocks import Block, tile_blocks
from morula.engine import queues
from morula.engine.choose import open_engine
from morula.engine.dask_engine import DaskEngine
from morula.engine.engine import BlockJob, Engine
from morula.engine.params import ClusterParams
from morula.engine.queues import start_queued_workers
from morula.engine.serial import SerialEngine
from morula.errors import DiskError, WorkerError

pytest.importorskip("dask_jobqueue", reason="dask-jobqueue is not installed (the extra `cluster`)")
pytest.importorskip("cryptography", reason="cryptography is not installed (the extra `cluster`)")


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeQueue]:
    folder = tmp_path / "queue"
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["tests/engine", "src", os.environ.get("PYTHONPATH", "")]))
    faked = FakeQueue(folder, monkeypatch)
    yield faked
    left = faked.find_running()
    for process in left:
        process.kill()
    assert not left, "jobs were left behind"


@pytest.fixture
def params(tmp_path: Path) -> ClusterParams:
    return ClusterParams(system="slurm", workers=2, memory_gb=1.0, folder=str(tmp_path / "jobs"), longest_wait_h=0.02)


def compute(params: ClusterParams, job: BlockJob, *, on_done: object = lambda *_: None) -> dict[int, int]:
    with open_engine(queue=params) as engine:
        return run(engine, job, on_done)


def run(engine: Engine, job: BlockJob, on_done: object = lambda *_: None) -> dict[int, int]:
    came_to: dict[int, int] = {}

    def note(block: Block, result: int, seconds: float) -> None:
        came_to[block.index] = result
        on_done(block)

    engine.run_blocks(job, on_done=note, on_failed=lambda block, error, attempts: pytest.fail(str(error)))
    return came_to


def test_jobs_are_asked_for_compute_and_are_given_back(
    queue: FakeQueue, params: ClusterParams, blocks: list[Block]
) -> None:
    came_to = compute(params, BlockJob("detect", blocks, name_process))
    assert sorted(came_to) == [0, 1, 2, 3, 4]
    assert os.getpid() not in came_to.values()
    assert len(queue.read_jobs()) == 2
    assert sorted(queue.read_jobs("cancelled")) == sorted(queue.read_jobs())
    assert wait_until_empty(queue)
    assert list(Path(params.folder).glob("keys*")) == []


def wait_until_empty(queue: FakeQueue) -> bool:
    _, alive = psutil.wait_procs(queue.find_running(), timeout=30)
    return not alive


def test_a_job_that_ends_is_asked_for_again(
    queue: FakeQueue, params: ClusterParams, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both jobs are ended while blocks are left, as a queue does at their time limit: the others come from new jobs."""
    monkeypatch.setattr(queues, "_LOOK_EVERY_S", 1.0)
    many = tile_blocks((12, 1, 1, 1), (1, 1, 1, 1), [(0, 0)] * 4)
    ended: list[psutil.Process] = []

    def end_jobs(block: Block) -> None:
        if not ended:
            ended.extend(queue.find_running())
            for process in ended:
                process.terminate()

    with dask.config.set({"distributed.deploy.lost-worker-timeout": "1s"}):
        came_to = compute(params, BlockJob("detect", many, take_half_a_second), on_done=end_jobs)
    assert came_to == {i: i for i in range(12)}
    assert len(ended) >= 2
    assert len(queue.read_jobs()) > 2
    assert wait_until_empty(queue)


def test_a_queue_that_gives_no_job_any_more_is_waited_for_as_long_as_for_the_first(
    queue: FakeQueue, params: ClusterParams
) -> None:
    """All jobs are ended while blocks are left, and the queue is full from then on; here it is not waited for 72 s."""
    with open_engine(queue=params) as engine:
        assert engine.longest_wait_s == 72.0
    many = tile_blocks((12, 1, 1, 1), (1, 1, 1, 1), [(0, 0)] * 4)

    def end_jobs(block: Block) -> None:
        queue.answer_with("sbatch", "#!/bin/sh\necho Submitted batch job 999999\n")
        for process in queue.find_running():
            process.kill()

    with (
        DaskEngine(partial(start_queued_workers, params), longest_wait_s=3.0) as engine,
        pytest.raises(WorkerError, match=r"detect: no worker has been there for 3 s\."),
    ):
        run(engine, BlockJob("detect", many, take_half_a_second), end_jobs)


def test_a_scheduler_that_is_lost_between_two_jobs_is_started_again_with_new_jobs(
    queue: FakeQueue, params: ClusterParams, blocks: list[Block]
) -> None:
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "2s"}),  # so long Dask says good-bye to the lost one
        open_engine(queue=params) as engine,
    ):
        for _ in range(2):
            assert sorted(run(engine, BlockJob("detect", blocks, name_process))) == [0, 1, 2, 3, 4]
            cluster = engine.connect().cluster
            cluster.sync(cluster.scheduler.close)
    assert len(queue.read_jobs()) == 4
    assert wait_until_empty(queue)


def test_a_refusal_of_the_queue_is_told_in_its_own_words(
    queue: FakeQueue, params: ClusterParams, blocks: list[Block]
) -> None:
    queue.answer_with("sbatch", "#!/bin/sh\necho 'sbatch: error: invalid partition specified: long' >&2; exit 1\n")
    with pytest.raises(WorkerError, match=r"the queue \(slurm\) refused the jobs") as caught:
        compute(params, BlockJob("detect", blocks, name_process))
    assert caught.value.measured == "sbatch: error: invalid partition specified: long"


def test_jobs_that_never_start_are_waited_for_no_longer_than_asked(
    queue: FakeQueue, tmp_path: Path, blocks: list[Block]
) -> None:
    queue.answer_with("sbatch", "#!/bin/sh\necho Submitted batch job 17\n")
    queue.answer_with("scancel", f"#!/bin/sh\necho $1 >> {queue.folder}/cancelled\n")
    params = ClusterParams(system="slurm", workers=2, folder=str(tmp_path), longest_wait_h=0.0005)
    began = time.perf_counter()
    with pytest.raises(WorkerError, match=r"none of 2 jobs of slurm reached this machine within 0\.0005 h"):
        compute(params, BlockJob("detect", blocks, name_process))
    assert time.perf_counter() - began < 30
    assert queue.read_jobs("cancelled") == [17, 17]


def test_no_job_is_asked_for_before_there_is_a_block(queue: FakeQueue, params: ClusterParams) -> None:
    assert compute(params, BlockJob("detect", [], name_process)) == {}
    assert queue.read_jobs() == []


def test_a_machine_without_the_command_is_refused_at_once(
    params: ClusterParams, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(WorkerError, match="there is no command sbatch on this machine"), open_engine(queue=params):
        pytest.fail("an engine was opened")


def test_missing_packages_are_named(params: ClusterParams, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queues, "find_spec", lambda name: None)
    with pytest.raises(WorkerError, match="needs the packages dask-jobqueue and cryptography"):
        queues.check_queue(params)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    params = ClusterParams(system="slurm", folder=str(tmp_path / "file"))
    with pytest.raises(DiskError, match="file: this folder cannot be made"), queues.make_cluster(params):
        pytest.fail("a scheduler was started")


def test_the_options_win_over_the_queue(params: ClusterParams) -> None:
    with open_engine(queue=ClusterParams()) as engine:
        assert isinstance(engine, SerialEngine)
    with open_engine(workers=2, queue=params) as engine:
        assert len(engine.connect().nthreads()) == 2
