"""The solver's blocks before there are detections: as if these filled the movie evenly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from morula.core.detections import Detections
from morula.core.graph import CandidateGraph
from morula.core.movie import Movie
from morula.solve.blocks.plan import BlockPlan, Context, plan_blocks
from morula.solve.params import SolveParams

_USUAL_FRAMES = 5


@dataclass(frozen=True, slots=True)
class SolverBlocks:
    """Blocks of a graph that fills the movie.

    Parameters
    ----------
    plan
        The blocks, their order, and which wait for which.
    share
        Of all detections, the share each block sees, shape (blocks,).
    """

    plan: BlockPlan
    share: np.ndarray

    @property
    def seen_share(self) -> float:
        """How many times each detection is seen, on average."""
        return float(self.share.sum())

    @property
    def largest_share(self) -> float:
        """Share of all detections in the largest block."""
        return float(self.share.max(initial=0.0))


def lay_out_blocks(movie: Movie, params: SolveParams, max_distance_um: float) -> SolverBlocks:
    """Cut the movie as `morula.solve.blocks.plan` would cut a graph that fills it.

    Parameters
    ----------
    movie
        Its frames and extent count.
    params
        Size and context of the blocks; a context that is not set is that of links as long as they may be.
    max_distance_um
        Length of the longest link, µm.
    """
    graph = _fill(movie, params)
    frames = _USUAL_FRAMES if params.context_frames is None else params.context_frames
    width = 2 * max_distance_um
    plan = plan_blocks(graph, params, Context(frames, params.context_um or (width, width, width)))
    low, high = np.zeros(4), np.array([movie.n_frames, *(movie.extent_um + movie.voxel_size_um)])
    first = np.array([[side.start for side in block.read] for block in plan.blocks], np.float64)
    last = np.array([[side.stop for side in block.read] for block in plan.blocks], np.float64)
    inside = np.maximum(np.minimum(last, high) - np.maximum(first, low), 0.0)
    return SolverBlocks(plan, np.prod(inside / (high - low), axis=1))


def _fill(movie: Movie, params: SolveParams) -> CandidateGraph:
    """Put a detection into the middle of each block, and into both corners of the movie."""
    far = np.array([movie.n_frames - 1, *movie.extent_um])
    sizes = (params.block_frames, *(params.block_um or (None, None, None)))
    middles = [_list_middles(end, size) for end, size in zip(far, sizes, strict=True)]
    places = np.stack(np.meshgrid(*middles, indexing="ij"), axis=-1).reshape(-1, 4)
    places = np.concatenate([np.zeros((1, 4)), places, far[None]])
    n = len(places)
    nodes = Detections.sorted(places[:, 0].astype(np.int32), places[:, 1:], np.ones(n), np.zeros((n, 3)))
    return CandidateGraph(nodes=nodes, edges=np.zeros((0, 2), np.int64), distance_um=np.zeros(0))


def _list_middles(end: float, size: float | None) -> np.ndarray:
    if size is None:
        return np.array([end / 2])
    starts = np.arange(0, np.floor(end / size) + 1) * size
    return np.minimum(starts + size / 2, (starts + end) / 2)
