"""The engine for many processes or machines: blocks as tasks of a Dask cluster, results taken in this process.

Which block waits for which is looked after here and not by the scheduler, because what a block is handed is made from
what this process knows; and few more blocks are under way than there are threads, so that neither the scheduler nor
the workers hold results that nobody has taken.
"""

from __future__ import annotations

import pickle
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import cached_property
from typing import Any, Self
from uuid import uuid4

from distributed import CancelledError, Client, Future, KilledWorker, WorkerPlugin, as_completed, get_worker

from morula.core.blocks import Block
from morula.core.progress import ProgressSink, ignore_progress
from morula.engine.engine import BlockFailure, BlockJob, Result, RunSummary
from morula.engine.failures import attempt_block, make_portable, tell_failure
from morula.engine.gpus import RESOURCE, count_cards
from morula.engine.pace import Pace
from morula.engine.turns import Turns
from morula.errors import ConfigError, MorulaError, WorkerError

_UNDER_WAY_PER_THREAD = 2
_LEAST_MORE = 2
_COUNT_EVERY_S = 1.0
_RUNNING = "running"
_HANDED_OUT_TRIES, _HANDED_OUT_EVERY_S = 10, 0.5


class DaskEngine:
    """Runs blocks on the workers of a Dask cluster, which are started, or asked for, when the first block comes.

    Parameters
    ----------
    open_client
        Starts or finds the cluster, and stops it, or lets go of it, in the end; `morula.engine.clusters` and `queues`
        have some.
    retries
        How often a block is tried again after an error that may pass (see `failures`). Blocks of a worker that died
        are tried elsewhere by Dask itself, as often as its setting ``distributed.scheduler.allowed-failures`` says.

    Raises
    ------
    ConfigError
        If `retries` is negative.
    """

    def __init__(self, open_client: Callable[[], AbstractContextManager[Client]], *, retries: int = 1) -> None:
        if retries < 0:
            raise ConfigError(f"retries must not be negative, not {retries}.", fix="0 tries every block once")
        self.retries = retries
        self._open_client = open_client
        self._client: Client | None = None
        self._open = ExitStack()

    def run_blocks(
        self,
        job: BlockJob[Result],
        *,
        on_done: Callable[[Block, Result, float], None],
        on_failed: Callable[[Block, Exception, int], None],
        progress: ProgressSink = ignore_progress,
    ) -> RunSummary:
        """Run every block of a job; see `Engine.run_blocks`. Results come in the order in which they are finished.

        Raises
        ------
        WorkerError
            If the cluster cannot be reached, or is lost on the way; results taken before are kept.
        """
        pace, turns = Pace(job), Turns(job)
        failures: list[BlockFailure] = []
        progress(pace.event())
        if not job.blocks:
            return RunSummary(0, (), pace.seconds, 0.0)
        with _Tasks(self.connect(), job, self.retries) as tasks:
            while tasks.submit_ready(turns):
                finished = tasks.next_finished()
                if finished is None:
                    continue
                block, outcome, seconds = finished
                if isinstance(outcome, BlockFailure):
                    failures.append(outcome)
                    tell_failure(outcome)
                    on_failed(block, outcome.error, outcome.attempts)
                else:
                    on_done(block, outcome, seconds)
                    turns.free(block)
                pace.count(block, done=not isinstance(outcome, BlockFailure))
                progress(pace.event())
        return RunSummary(n_done=pace.n_done, failures=tuple(failures), seconds=pace.seconds, weight=pace.weight_done)

    def connect(self) -> Client:
        """Start or find the cluster now, unless it is there already; one that was lost since the last job is left."""
        if self._client is not None and self._client.status != _RUNNING:
            self.close()
        if self._client is None:
            self._client = self._open.enter_context(self._open_client())
        return self._client

    def close(self) -> None:
        """Stop the workers that were started, or let go of those that were found."""
        self._client = None
        self._open.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Work(WorkerPlugin):  # type: ignore[misc]  # Dask has no types
    """A job's work on every worker, also on those that join later; unpacked by the first block."""

    def __init__(self, name: str, work: Callable[..., object]) -> None:
        self.name = name
        self._packed = pickle.dumps(work)

    @cached_property
    def unpacked(self) -> Callable[..., object]:
        """What computes a block."""
        work: Callable[..., object] = pickle.loads(self._packed)
        return work


class _Tasks:
    """The tasks of one job that are under way; those left when it ends are cancelled.

    When a worker dies Dask blames all tasks it had. So a block whose worker died too often is put aside, and tried
    again when no other is under way: only if that kills workers too has it failed.

    Work that wants a graphics card is given to workers with one only, if there is one when the job begins: the others
    would come to slightly different numbers.
    """

    def __init__(self, client: Client, job: BlockJob[Result], retries: int) -> None:
        self._client, self._job, self._retries = client, job, retries
        self._name = f"{job.stage}-{uuid4().hex}"
        self._finished = as_completed(loop=client.loop)
        self._under_way: dict[Future, Block] = {}
        self._suspects: deque[Block] = deque()
        self._tried_alone: set[int] = set()
        self._most, self._counted_s = 0, -float("inf")
        with _explained(client, f"{job.stage} began"):
            self._on_cards = job.on_card and count_cards(client) > 0

    def submit_ready(self, turns: Turns) -> bool:
        """Submit blocks whose turn has come, until enough are under way; false if there is nothing to wait for."""
        alone = any(block.index in self._tried_alone for block in self._under_way.values())
        while not alone and len(self._under_way) < self._count_most() and (block := turns.take()) is not None:
            self._submit(block)
        if not self._under_way and self._suspects:
            suspect = self._suspects.popleft()
            self._tried_alone.add(suspect.index)
            self._submit(suspect)
        return bool(self._under_way)

    def next_finished(self) -> tuple[Block, Any, float] | None:
        """Wait for the next block; returns its result or failure, and its seconds, or None if it was put aside.

        Raises
        ------
        WorkerError
            If the cluster is lost.
        Exception
            What a block raised that ends the whole job.
        """
        future = next(self._finished)
        block = self._under_way.pop(future)
        try:
            with _explained(self._client, f"{block.name} was computed"):
                outcome, seconds = future.result()
        except KilledWorker as error:
            if block.index not in self._tried_alone:
                self._suspects.append(block)
                return None
            return block, _blame(block, error), 0.0
        return block, outcome, seconds

    def _submit(self, block: Block) -> None:
        handed = self._job.handed(block)
        with _explained(self._client, f"{block.name} was handed out"):
            future = self._client.submit(
                _run_task,
                self._name,
                block,
                handed,
                self._retries,
                key=f"{self._name}-{uuid4().hex}",
                pure=False,
                resources={RESOURCE: 1} if self._on_cards else None,
            )
        self._under_way[future] = block
        self._finished.add(future)

    def _count_most(self) -> int:
        """Return how many tasks keep the present workers busy."""
        now = time.perf_counter()
        if now - self._counted_s > _COUNT_EVERY_S:
            self._counted_s = now
            with _explained(self._client, f"{self._job.stage} counted its workers"):
                at_once = count_cards(self._client) if self._on_cards else sum(self._client.nthreads().values())
            self._most = _UNDER_WAY_PER_THREAD * at_once + _LEAST_MORE
        return self._most

    def __enter__(self) -> Self:
        work = _Work(self._name, self._job.work)
        for left in reversed(range(_HANDED_OUT_TRIES)):
            try:
                with _explained(self._client, f"{self._job.stage} began"):
                    self._client.register_plugin(work)
                break
            except WorkerError:  # or a worker died, and the scheduler has not noticed yet: it refuses then
                if not left or self._client.status != _RUNNING:
                    raise
                time.sleep(_HANDED_OUT_EVERY_S)
        return self

    def __exit__(self, *_: object) -> None:
        if self._under_way:
            self._client.cancel(list(self._under_way), force=True)
        with suppress(OSError, TimeoutError, ValueError):  # a lost cluster has been told already
            self._client.unregister_worker_plugin(self._name)


def _run_task(name: str, block: Block, handed: tuple[object, ...], retries: int) -> tuple[object | BlockFailure, float]:
    """Compute one block on a worker; returns result or failure, and its seconds."""
    begun_s = time.perf_counter()
    work = get_worker().plugins[name].unpacked
    outcome = attempt_block(work, block, *handed, retries=retries)
    if isinstance(outcome, BlockFailure):
        outcome = make_portable(outcome)
    return outcome, time.perf_counter() - begun_s


def _blame(block: Block, error: KilledWorker) -> BlockFailure:
    attempts = 2 * (error.allowed_failures + 1)
    lost = WorkerError(
        f"{block.name}: the processes computing it died.",
        measured=f"{attempts} attempts, the last on {error.last_worker.address}",
        cause="too little memory for a block on a worker, or machines that are switched off",
        fix="give the workers more memory or make the blocks smaller (detect.block_megavoxels), and run again",
    )
    return BlockFailure(block, lost, attempts)


@contextmanager
def _explained(client: Client, meanwhile: str) -> Iterator[None]:
    """Turn whatever a client says that has lost its scheduler into our error: Dask has many for that."""
    try:
        yield
    except (MorulaError, KilledWorker):
        raise
    except Exception as error:
        if isinstance(error, OSError | CancelledError) or client.status != _RUNNING:
            raise _lost_cluster(meanwhile) from error
        raise


def _lost_cluster(meanwhile: str) -> WorkerError:
    return WorkerError(
        f"the Dask scheduler was lost while {meanwhile}.",
        cause="the scheduler's process ended, or the network between it and this machine failed",
        fix="start it again and run again: blocks that are done are kept",
    )
