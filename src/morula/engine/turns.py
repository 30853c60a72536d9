"""Whose turn it is: the blocks of a job, each once those it waits for are done. Runs nothing."""

from __future__ import annotations

import heapq

from morula.core.blocks import Block
from morula.engine.engine import BlockJob, Result
from morula.errors import ConfigError


class Turns:
    """Hands out the blocks of a job, the earliest that need not wait first.

    Parameters
    ----------
    job
        The job.

    Raises
    ------
    ConfigError
        If a block waits for one that does not come before it in the job.
    """

    def __init__(self, job: BlockJob[Result]) -> None:
        self._blocks = job.blocks
        place = {block.index: i for i, block in enumerate(job.blocks)}
        self._missing = [0] * len(job.blocks)
        self._freed_by: dict[int, list[int]] = {}
        for i, block in enumerate(job.blocks):
            for number in job.waits_for.get(block.index, ()):
                if place.get(number, i) >= i:
                    raise ConfigError(f"{job.stage}: {block.name} waits for block {number}, which is not before it.")
                self._missing[i] += 1
                self._freed_by.setdefault(number, []).append(i)
        self._ready = [i for i, missing in enumerate(self._missing) if not missing]  # sorted, so a heap

    def take(self) -> Block | None:
        """Return the next block that can be run now; None if there is none before another one is done."""
        return self._blocks[heapq.heappop(self._ready)] if self._ready else None

    def free(self, done: Block) -> None:
        """Note that a block is done: those that waited for nothing else can be taken now."""
        for i in self._freed_by.pop(done.index, ()):
            self._missing[i] -= 1
            if not self._missing[i]:
                heapq.heappush(self._ready, i)
