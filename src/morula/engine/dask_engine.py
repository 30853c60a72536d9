"""The engine for many processes or machines: blocks as tasks of a Dask cluster, results taken in this process.

Which block waits for which is looked after here and not by the scheduler, because what a block is handed is made from
what this process knows; and few more blocks are under way than there are threads, so that neither the scheduler nor
the workers hold results that nobody has taken.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import Self

from distributed import Client

from morula.core.blocks import Block
from morula.core.progress import ProgressSink, ignore_progress
from morula.engine.engine import BlockFailure, BlockJob, Result, RunSummary
from morula.engine.failures import tell_failure
from morula.engine.losses import is_lost
from morula.engine.pace import Pace
from morula.engine.tasks import Tasks
from morula.engine.turns import Turns
from morula.errors import ConfigError

LONGEST_WAIT_S = 120.0
"""How long a job goes without any worker: enough for one that died to be started again."""


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
    longest_wait_s
        How many seconds a job waits while no worker is left.

    Raises
    ------
    ConfigError
        If `retries` is negative.
    """

    def __init__(
        self,
        open_client: Callable[[], AbstractContextManager[Client]],
        *,
        retries: int = 1,
        longest_wait_s: float = LONGEST_WAIT_S,
    ) -> None:
        if retries < 0:
            raise ConfigError(f"retries must not be negative, not {retries}.", fix="0 tries every block once")
        self.retries, self.longest_wait_s = retries, longest_wait_s
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
            If the cluster cannot be reached, or is lost on the way, or no worker is left for too long; results taken
            before are kept.
        """
        pace, turns = Pace(job), Turns(job)
        failures: list[BlockFailure] = []
        progress(pace.event())
        if not job.blocks:
            return RunSummary(0, (), pace.seconds, 0.0)
        with Tasks(self.connect(), job, self.retries, self.longest_wait_s) as tasks:
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
        if self._client is not None and is_lost(self._client):
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
