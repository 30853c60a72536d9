"""What it means to run blocks: the contract every engine keeps, and what it reports.

The pipeline knows what to compute and where results go, an engine how and where to compute. An engine keeps nothing:
each result is handed to `on_done`, in the caller's own process, as soon as it is there, so that a kill loses only the
blocks being computed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from morula.core.blocks import Block
from morula.core.progress import ProgressSink, ignore_progress

Result = TypeVar("Result")


def count_voxels(block: Block) -> float:
    """Return the number of voxels a block answers for (its write region)."""
    return float(math.prod(side.stop - side.start for side in block.write))


@dataclass(frozen=True, slots=True)
class BlockJob(Generic[Result]):
    """Blocks to run and what to compute for each.

    Parameters
    ----------
    stage
        Name of the stage, for progress and messages.
    blocks
        The blocks still to run, in this order.
    work
        Computes one block, as ``work(block)``, or ``work(block, handed)`` if there is a `hand`; may run in another
        process, so a function of a module (or `functools.partial` of one) whose arguments pickle. It may not depend on
        which blocks ran before, but for what it is handed, nor write anything.
    n_done_before
        Blocks that earlier runs finished: progress counts from there.
    weigh
        Amount of work in a block, for throughput and time left.
    unit
        What `weigh` counts.
    waits_for
        Numbers of the blocks of this job that have to be done before a block, by its number; they come earlier in
        `blocks`. A block that waits for one that failed is not run.
    hand
        Makes what a block needs beside `work`, in the caller's process, when all blocks it waits for are done and
        `on_done` has taken their results.
    on_card
        Whether `work` uses a graphics card where it finds one: of many workers those that offer one compute it alone.
    """

    stage: str
    blocks: Sequence[Block]
    work: Callable[..., Result]
    n_done_before: int = 0
    weigh: Callable[[Block], float] = field(default=count_voxels)
    unit: str = "voxels"
    waits_for: Mapping[int, Collection[int]] = field(default_factory=dict)
    hand: Callable[[Block], object] | None = None
    on_card: bool = False

    def handed(self, block: Block) -> tuple[object, ...]:
        """Return what `work` is called with, after the block itself, now that its turn has come."""
        return () if self.hand is None else (self.hand(block),)


@dataclass(frozen=True, slots=True)
class BlockFailure:
    """A block that failed after all attempts.

    Parameters
    ----------
    block
        The block.
    error
        The error of the last attempt.
    attempts
        How often it was tried.
    """

    block: Block
    error: Exception
    attempts: int


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What came of a job.

    Parameters
    ----------
    n_done
        Blocks finished in this run.
    failures
        Blocks that failed.
    seconds
        Wall time of this run.
    weight
        Work finished in this run, in the job's unit.
    """

    n_done: int
    failures: tuple[BlockFailure, ...]
    seconds: float
    weight: float

    @property
    def per_s(self) -> float:
        """Throughput: work per second, 0 if nothing was done."""
        return self.weight / self.seconds if self.seconds > 0 else 0.0


class Engine(Protocol):
    """Runs blocks, somewhere, each after those it waits for."""

    def run_blocks(
        self,
        job: BlockJob[Result],
        *,
        on_done: Callable[[Block, Result, float], None],
        on_failed: Callable[[Block, Exception, int], None],
        progress: ProgressSink = ignore_progress,
    ) -> RunSummary:
        """Run every block of a job.

        Parameters
        ----------
        job
            What to run.
        on_done
            Takes block, result and seconds, in the caller's process; its errors end the job.
        on_failed
            Takes block, last error and number of attempts. A failed block does not keep the others from running.
        progress
            Hears of every block finished or failed.

        Returns
        -------
        summary
            What was done and what failed; raising an error about failures is left to the caller.
        """
