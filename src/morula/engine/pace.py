"""How fast a job goes: throughput and time left, in the words of a progress event."""

from __future__ import annotations

import time
from collections.abc import Callable

from morula.core.blocks import Block
from morula.core.progress import Progress
from morula.engine.engine import BlockJob, Result

_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


class Pace:
    """Counts the finished blocks of one job.

    Parameters
    ----------
    job
        The job; counting begins now.
    clock
        Gives seconds; replaced in tests.
    """

    def __init__(self, job: BlockJob[Result], *, clock: Callable[[], float] = time.perf_counter) -> None:
        self._stage, self._unit, self._weigh = job.stage, job.unit, job.weigh
        self._clock, self._begun_s = clock, clock()
        self._before, self._total = job.n_done_before, job.n_done_before + len(job.blocks)
        self._weight_left = sum(map(job.weigh, job.blocks))
        self.weight_done = 0.0
        self.n_done = self.n_failed = 0

    def count(self, block: Block, *, done: bool) -> None:
        """Note that a block is finished, or has failed."""
        weight = self._weigh(block)
        self._weight_left -= weight
        self.n_done += done
        self.n_failed += not done
        self.weight_done += weight if done else 0.0

    @property
    def seconds(self) -> float:
        """Wall time since counting began."""
        return self._clock() - self._begun_s

    def event(self) -> Progress:
        """Return where the job stands; `done` counts failed blocks too, `detail` names them."""
        return Progress(
            stage=self._stage,
            done=self._before + self.n_done + self.n_failed,
            total=self._total,
            unit="blocks",
            detail=", ".join(self._details()),
        )

    def _details(self) -> list[str]:
        details = []
        seconds = self.seconds
        if self.weight_done > 0 and seconds > 0:
            per_s = self.weight_done / seconds
            details.append(f"{describe_amount(per_s)} {self._unit}/s")
            if self._weight_left > 0:
                details.append(f"{describe_seconds(self._weight_left / per_s)} left")
        if self.n_failed:
            details.append(f"{self.n_failed} failed")
        return details


def describe_amount(amount: float) -> str:
    """Return a number in three digits at most.

    Examples
    --------
    >>> [describe_amount(amount) for amount in (12, 1_240_000, 0.5)]
    ['12', '1.24 M', '0.5']
    """
    for size, prefix in _PREFIXES:
        if amount >= size:
            return f"{amount / size:.3g} {prefix}"
    return f"{amount:.3g}"


def describe_seconds(seconds: float) -> str:
    """Return a duration in the unit people would use.

    Examples
    --------
    >>> [describe_seconds(seconds) for seconds in (4.2, 200, 5400)]
    ['4 s', '3 min', '1 h 30 min']
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
