"""What there is to do in every stage of a run: amounts, blocks, bytes read, memory. No times; those are `plan`'s.

Amounts are what time is proportional to: of detection the voxels *seen*, halo included, and not those answered for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import prod

from morula.comparing import project_worker_memory
from morula.config import RunConfig
from morula.core.movie import Movie
from morula.detect.memory import project_memory
from morula.errors import ConfigError
from morula.measure.stabilise import choose_boxes
from morula.network.spec import NetworkSpec
from morula.pipeline import STAGES
from morula.planning import memory
from morula.planning.blobs import cut_for_baseline
from morula.planning.contents import Contents
from morula.planning.detection import BlockGrid
from morula.planning.rates import RateName
from morula.planning.reading import Reading
from morula.planning.solver_blocks import SolverBlocks, lay_out_blocks
from morula.tune.grid import list_candidates

MEGA = 1e6


@dataclass(frozen=True, slots=True)
class Work:
    """What there is to do in one stage.

    Parameters
    ----------
    stage
        Its name.
    rate
        Name of the rate at which it goes.
    amount, unit
        How much, and of what.
    memory_bytes
        What the process needs that does it, or each worker where there are blocks.
    reading
        What is read of the movie.
    blocks
        In how many blocks workers share it; 0 where one process does it.
    solver
        Blocks that wait for each other, where it has such.
    """

    stage: str
    rate: RateName
    amount: float
    unit: str
    memory_bytes: float
    reading: Reading = field(default_factory=lambda: Reading(0.0, 0.0))
    blocks: int = 0
    solver: SolverBlocks | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """What is planned.

    Parameters
    ----------
    movie
        The movie; only its shape, voxel size and type of voxels count here.
    chunk
        Shape of the pieces it is stored in, order t, z, y, x.
    config
        The configuration.
    spec
        The network that would be trained or was.
    grid
        How the movie is cut for detection.
    contents
        How much there is to see in the movie.
    """

    movie: Movie
    chunk: tuple[int, int, int, int]
    config: RunConfig
    spec: NetworkSpec
    grid: BlockGrid
    contents: Contents

    @property
    def voxel_bytes(self) -> int:
        """Bytes of a voxel in the file."""
        return int(self.movie.tzyx.dtype.itemsize)


def list_work(subject: Subject, until: str = "report") -> list[Work]:
    """List the stages of a run in their order up to one of them, with what there is to do in each.

    Raises
    ------
    ConfigError
        If there is no such stage, or blocks cannot be made as the settings ask.
    """
    if until not in STAGES:
        raise ConfigError(f"there is no stage '{until}'.", fix=f"one of {', '.join(STAGES)}")
    parts: Sequence[Callable[[Subject], list[Work]]] = (
        _measure_drift, _train, _detect, _link, _tune, _solve, _assess, _find_blobs, _judge_and_write,
    )  # fmt: skip
    work = [one for part in parts for one in part(subject)]
    last = STAGES.index(until)
    while work and (work[-1].stage not in STAGES or STAGES.index(work[-1].stage) > last):
        work.pop()
    return work


def _measure_drift(subject: Subject) -> list[Work]:
    movie, params = subject.movie, subject.config.drift
    if not params.stabilise:
        return []
    voxels = sum(prod(size.tolist()) for _, size in choose_boxes(movie, params)) * movie.n_frames
    reading = Reading(voxels * subject.voxel_bytes, voxels * subject.voxel_bytes)
    memory_bytes = memory.project_frame_memory(voxels / movie.n_frames)
    return [Work("drift", "drift", voxels / MEGA, "megavoxels", memory_bytes, reading)]


def _train(subject: Subject) -> list[Work]:
    params, needed = subject.config.train, memory.project_training_memory()
    if subject.config.model.weights is not None:
        return []
    if not params.second_iterations:
        return [Work("train", "train", params.iterations, "steps", needed)]
    written = prod(subject.movie.shape) / MEGA
    return [
        Work("train-1", "train", params.iterations, "steps", needed),
        _count_detection(subject, "detect-1", min(1.0, params.second_megavoxels / written)),
        Work("train", "train", params.second_iterations, "steps", needed),
    ]


def _detect(subject: Subject) -> list[Work]:
    return [_count_detection(subject, "detect", 1.0, mirrored=subject.config.detect.mirrored)]


def _count_detection(subject: Subject, stage: str, share: float, *, mirrored: bool = False) -> Work:
    """Count what detection has to look at, in the whole movie or in a share of it."""
    grid = subject.grid
    return Work(
        stage,
        "detect",
        share * grid.megavoxels * (4 if mirrored else 1),
        "megavoxels seen",
        project_memory(grid.largest_megavoxels * MEGA, subject.spec, subject.config.detect, on_card=False).host_bytes,
        grid.count_reading(subject.chunk, subject.voxel_bytes).share(share),
        blocks=max(1, round(share * grid.n_blocks)),
    )


def _link(subject: Subject) -> list[Work]:
    n = subject.contents.detections
    return [Work("candidates", "candidates", n, "detections", memory.project_graph_memory(0.7 * n))]


def _tune(subject: Subject) -> list[Work]:
    config, n = subject.config, subject.contents.detections
    annotated = config.annotations.val is not None or config.annotations.train is None  # none named yet: both to come
    if not config.tune.enabled or not annotated:
        return []
    needed = memory.project_graph_memory(n)
    if config.tune.method == "grid":
        points = len(list_candidates(config.tune, config.solve))
        return [Work("tune", "solve", points * n, "detections", needed, blocks=points)]
    return [Work("tune", "tune", n, "detections", needed)]


def _solve(subject: Subject) -> list[Work]:
    params, n = subject.config.solve, subject.contents.detections
    if params.block_frames is None and params.block_um is None:
        return [Work("solve", "solve", n, "detections", memory.project_graph_memory(n))]
    solver = lay_out_blocks(subject.movie, params, subject.config.candidates.max_distance_um)
    seen = n * solver.seen_share
    needed = memory.project_graph_memory(n * solver.largest_share)
    return [Work("solve", "solve", seen, "detections", needed, blocks=len(solver.plan.blocks), solver=solver)]


def _assess(subject: Subject) -> list[Work]:
    n = subject.contents.detections
    return [Work("confidence", "confidence", n, "detections", memory.project_graph_memory(n))]


def _find_blobs(subject: Subject) -> list[Work]:
    grid = cut_for_baseline(subject.movie, subject.config)
    reading = grid.count_reading(subject.chunk, subject.voxel_bytes)
    needed = project_worker_memory(grid.largest_megavoxels * MEGA)
    return [Work("blobs", "blobs", grid.megavoxels, "megavoxels seen", needed, reading, blocks=grid.n_blocks)]


def _judge_and_write(subject: Subject) -> list[Work]:
    n = subject.contents.detections
    graph = memory.project_graph_memory(n)
    return [
        Work("baseline", "baseline", n, "detections", graph),
        Work("evaluate", "evaluate", n, "detections", graph),
        Work("export", "export", n, "detections", graph),
        Work("report", "report", n, "detections", graph),
    ]
