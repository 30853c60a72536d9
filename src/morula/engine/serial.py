"""The engine that needs nothing: one block after the other in this process."""

from __future__ import annotations

import time
from collections.abc import Callable

from morula.core.blocks import Block
from morula.core.progress import ProgressSink, ignore_progress
from morula.engine.engine import BlockFailure, BlockJob, Result, RunSummary
from morula.engine.failures import attempt_block, tell_failure
from morula.engine.pace import Pace
from morula.engine.turns import Turns
from morula.errors import ConfigError


class SerialEngine:
    """Runs blocks in their order, in this process, one at a time.

    Parameters
    ----------
    retries
        How often a block is tried again after an error that may pass (see `failures`).

    Raises
    ------
    ConfigError
        If `retries` is negative.
    """

    def __init__(self, *, retries: int = 1) -> None:
        if retries < 0:
            raise ConfigError(f"retries must not be negative, not {retries}.", fix="0 tries every block once")
        self.retries = retries

    def run_blocks(
        self,
        job: BlockJob[Result],
        *,
        on_done: Callable[[Block, Result, float], None],
        on_failed: Callable[[Block, Exception, int], None],
        progress: ProgressSink = ignore_progress,
    ) -> RunSummary:
        """Run every block of a job; see `Engine.run_blocks`."""
        pace, turns = Pace(job), Turns(job)
        failures: list[BlockFailure] = []
        progress(pace.event())
        while (block := turns.take()) is not None:
            begun_s = time.perf_counter()
            outcome = attempt_block(job.work, block, *job.handed(block), retries=self.retries)
            if isinstance(outcome, BlockFailure):
                failures.append(outcome)
                tell_failure(outcome)
                on_failed(block, outcome.error, outcome.attempts)
            else:
                on_done(block, outcome, time.perf_counter() - begun_s)
                turns.free(block)
            pace.count(block, done=not isinstance(outcome, BlockFailure))
            progress(pace.event())
        return RunSummary(n_done=pace.n_done, failures=tuple(failures), seconds=pace.seconds, weight=pace.weight_done)
