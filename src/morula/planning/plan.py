"""From work and rates to a plan: seconds of work, hours on so many workers, and how many it takes for a day. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from morula.planning.rates import Rates
from morula.planning.schedule import HAND_S, simulate_schedule
from morula.planning.work import Work

_SPREAD = 0.5
"""Of the logarithm of the time of a solver's block."""

_MOST_WORKERS = 100_000


@dataclass(frozen=True, slots=True)
class StagePlan:
    """What one stage will take.

    Parameters
    ----------
    stage, amount, unit
        What there is to do.
    work_s
        Seconds of work: CPU seconds with one thread.
    wall_s
        Seconds until it is done with the workers of the plan.
    blocks
        Blocks that workers share, 0 where one process does it all.
    memory_bytes
        Of each worker, or of that process.
    read_bytes, asked_bytes
        Read of the movie, uncompressed: whole pieces of the file, and the voxels of them that are looked at.
    source
        Where the rate comes from.
    """

    stage: str
    amount: float
    unit: str
    work_s: float
    wall_s: float
    blocks: int
    memory_bytes: float
    read_bytes: float
    asked_bytes: float
    source: str


@dataclass(frozen=True, slots=True)
class Cluster:
    """Machines on which the run ends in time.

    Parameters
    ----------
    within_s
        The time given.
    workers
        Workers needed; None if no number of them is enough.
    wall_s
        Seconds the run takes with them, or with any number.
    alone_s
        Seconds of all stages that one process does: more workers do not shorten them.
    memory_bytes
        Of each worker.
    read_bytes_per_s
        What the storage has to deliver to all of them together while they detect.
    """

    within_s: float
    workers: int | None
    wall_s: float
    alone_s: float
    memory_bytes: float
    read_bytes_per_s: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run will take.

    Parameters
    ----------
    movie, shape, voxel_size_um, movie_bytes
        What it is about; the bytes are uncompressed.
    detections, detections_source
        How many are expected, and how that is known.
    workers
        Workers of the plan.
    stages
        What each stage takes, in their order.
    cluster
        What it needs to end in the time given.
    disk_bytes
        What the run directory will hold, database included.
    advice
        What a person should know before starting.
    """

    movie: str
    shape: tuple[int, int, int, int]
    voxel_size_um: tuple[float, float, float]
    movie_bytes: float
    detections: float
    detections_source: str
    workers: int
    stages: tuple[StagePlan, ...]
    cluster: Cluster
    disk_bytes: float
    advice: tuple[str, ...]

    @property
    def work_s(self) -> float:
        """Seconds of work in all stages."""
        return sum(stage.work_s for stage in self.stages)

    @property
    def wall_s(self) -> float:
        """Seconds from beginning to end with the workers of the plan."""
        return sum(stage.wall_s for stage in self.stages)


def plan_stages(work: Sequence[Work], rates: Rates, workers: int) -> tuple[StagePlan, ...]:
    """Say what every stage takes with so many workers."""
    return tuple(_plan_stage(one, rates, workers) for one in work)


def plan_cluster(work: Sequence[Work], rates: Rates, within_s: float) -> Cluster:
    """Say how many workers finish in time, and what they need.

    Notes
    -----
    The number is found without simulating the order of blocks, and then raised by tenths until the simulation agrees.
    """
    shared = [one for one in work if one.blocks]
    alone_s = sum(rates[one.rate].seconds(one.amount) for one in work if not one.blocks)
    need = max((one.memory_bytes for one in shared), default=0.0)

    def total_s(workers: int, simulated: bool) -> float:
        return alone_s + sum(_find_wall_s(one, rates, workers, simulated) for one in shared)

    workers: int | None = None
    if total_s(_MOST_WORKERS, False) <= within_s:
        workers = _bisect(lambda n: total_s(n, False) <= within_s)
        for _ in range(10):
            if total_s(workers, True) <= within_s:
                break
            workers = ceil(1.1 * workers)
        else:
            workers = None
    enough = workers or _MOST_WORKERS
    detection = [one for one in shared if one.stage == "detect"]
    busy_s = sum(_find_wall_s(one, rates, enough, False) for one in detection)
    read = sum(one.reading.read_bytes for one in detection)
    return Cluster(
        within_s, workers, total_s(enough, workers is not None), alone_s, need, read / busy_s if busy_s else 0
    )


def _bisect(enough: Callable[[int], bool]) -> int:
    """Return the least number that is enough, where all above it are."""
    low, high = 0, _MOST_WORKERS
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _plan_stage(work: Work, rates: Rates, workers: int) -> StagePlan:
    rate = rates[work.rate]
    return StagePlan(
        stage=work.stage,
        amount=work.amount,
        unit=work.unit,
        work_s=rate.seconds(work.amount),
        wall_s=_find_wall_s(work, rates, workers, True),
        blocks=work.blocks,
        memory_bytes=work.memory_bytes,
        read_bytes=work.reading.read_bytes,
        asked_bytes=work.reading.asked_bytes,
        source=rate.source,
    )


def _find_wall_s(work: Work, rates: Rates, workers: int, simulated: bool) -> float:
    """Seconds until a stage is done: alone, by equal blocks in any order, or by blocks that wait for each other."""
    seconds = rates[work.rate].seconds(work.amount)
    if not work.blocks or workers == 1:
        return seconds
    each = seconds / work.blocks
    if work.solver is None or not simulated:
        return max(seconds / workers, each * ceil(work.blocks / workers), HAND_S * work.blocks)
    weight = work.solver.share * np.exp(_SPREAD * np.random.default_rng(0).normal(size=work.blocks))
    durations = seconds * weight / weight.sum()
    plan = work.solver.plan
    return simulate_schedule(plan.blocks, dict(enumerate(plan.dependencies)), durations, workers)
