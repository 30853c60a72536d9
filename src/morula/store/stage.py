"""A stage of a run between its beginning and its end, as a ``with`` block of the pipeline.

Leaving the block without an error marks the stage done, with one failed; after a kill or Ctrl-C it goes on next time.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from morula.core.blocks import Block
from morula.core.confidence import Confidence
from morula.core.detections import Detections
from morula.core.graph import CandidateGraph
from morula.core.lineages import Selection
from morula.errors import BlocksFailedError, MorulaError
from morula.store.plan import StagePlan
from morula.store.records import FailedBlock, StageRecord
from morula.store.store import Store

logger = logging.getLogger(__name__)

_FAILURES_SHOWN = 5


class Stage:
    """One stage that has begun, or that was found done.

    Parameters
    ----------
    store
        Where its results go.
    record
        The stage as asked for.
    plan
        What was decided about it.
    """

    def __init__(self, store: Store, record: StageRecord, plan: StagePlan) -> None:
        self._store, self._record, self._plan = store, record, plan
        self._begun_s = time.perf_counter()
        self._done = plan.done

    @property
    def name(self) -> str:
        """Name of the stage."""
        return self._record.name

    @property
    def done(self) -> bool:
        """True if its results are complete and belong to these settings: skip the work."""
        return self._done

    @property
    def resumed(self) -> bool:
        """True if it was begun before with the same settings: checkpoints and blocks it left may be used."""
        return self._plan.resumed

    @property
    def message(self) -> str:
        """What was decided and why, one line for people."""
        return self._plan.message

    @property
    def fingerprint(self) -> str:
        """Name of everything its results depend on."""
        return self._record.fingerprint

    def pending_blocks(self, blocks: Sequence[Block]) -> list[Block]:
        """Return the blocks that are not done yet: those never run and those that failed."""
        done = self._store.read_done_blocks(self.name)
        return [block for block in blocks if block.index not in done]

    def write_block(self, block: Block, detections: Detections, seconds: float, *, count: int | None = None) -> None:
        """Store the result of a block, and a number if it came to one, with its done mark (fits `on_done`)."""
        self._store.write_block(self.name, block, detections, seconds, count=count)

    def write_block_selection(self, block: Block, selection: Selection, seconds: float) -> None:
        """Store what a block of a graph chose, with its done mark."""
        self._store.write_block_selection(self.name, block, selection, seconds)

    def write_block_count(self, block: Block, count: int, seconds: float) -> None:
        """Store the number a block came to, with its done mark."""
        self._store.write_block_count(self.name, block, count, seconds)

    def write_failed_block(self, block: Block, error: Exception, attempts: int) -> None:
        """Record a block that failed after this many attempts (fits `on_failed` of the engines)."""
        self._store.write_failed_block(self.name, block, error, attempts)

    def write_graph(
        self, graph: CandidateGraph, *, detections: str = "detect", summary: Mapping[str, object] | None = None
    ) -> None:
        """Store the candidate graph over the detections of another stage; the stage is done then."""
        self._store.write_graph(self.name, graph, detections=detections, seconds=self._seconds(), summary=summary)
        self._done = True

    def write_selection(
        self, selection: Selection, *, graph: str = "candidates", summary: Mapping[str, object] | None = None
    ) -> None:
        """Store a selection of another stage's graph; the stage is done then."""
        self._store.write_selection(self.name, selection, graph=graph, seconds=self._seconds(), summary=summary)
        self._done = True

    def write_confidence(
        self, confidence: Confidence, *, selection: str = "solve", summary: Mapping[str, object] | None = None
    ) -> None:
        """Store how sure the selection of another stage is; the stage is done then."""
        self._store.write_confidence(
            self.name, confidence, selection=selection, seconds=self._seconds(), summary=summary
        )
        self._done = True

    def finish(self, summary: Mapping[str, object] | None = None) -> None:
        """Mark the stage done, with figures for the report; `Store.find_stage` gives them back.

        Raises
        ------
        BlocksFailedError
            If blocks of the stage failed or were not run.
        """
        if self._record.n_blocks:
            self._check_blocks()
        self._store.finish_stage(self.name, seconds=self._seconds(), summary=summary or {})
        self._done = True

    def _check_blocks(self) -> None:
        failed = self._store.read_failed_blocks(self.name)
        total, done = self._record.n_blocks, len(self._store.read_done_blocks(self.name))
        if done == total:
            return
        shown = [_name_failure(block) for block in failed[:_FAILURES_SHOWN]]
        more = len(failed) - len(shown)
        raise BlocksFailedError(
            f"{self.name}: {len(failed)} of {total} blocks failed, {total - done - len(failed)} were not run; "
            f"{done} are done and kept.",
            measured="\n             ".join([*shown, *([f"and {more} more"] if more else [])]),
            cause="parts of the movie that cannot be read, a time limit, or too little memory for a block"
            if failed
            else "",
            fix="mend what the messages name and run again: only the blocks that are not done are computed",
        )

    def _seconds(self) -> float:
        return time.perf_counter() - self._begun_s

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._done:
            return
        if error is None:
            try:
                self.finish()
            except MorulaError as unfinished:
                self._record_failure(unfinished)
                raise
        elif isinstance(error, Exception):  # Ctrl-C is no failure: the stage stays as it is and goes on next time
            self._record_failure(error)

    def _record_failure(self, error: Exception) -> None:
        try:
            self._store.fail_stage(self.name, seconds=self._seconds(), error=str(error) or type(error).__name__)
        except MorulaError as second:  # the first error is the one to see; a stage left running goes on all the same
            logger.warning("%s: its failure could not be recorded: %s", self.name, second.what)


def _name_failure(failed: FailedBlock) -> str:
    first_line = failed.error.splitlines()[0]
    return first_line if first_line.startswith(failed.name) else f"{failed.name}: {first_line}"
