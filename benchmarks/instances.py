"""Instances for the benchmarks: cells that move, divide, are missed and are made up, as detections with known parents.

Owns the generator only; every array follows from the seed. The tissue is packed (homes on a jittered grid, cells wander
around them in a slow flow that comes and goes), because what makes linking hard is motion measured against spacing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from morula.candidates.link import link_candidates
from morula.candidates.params import CandidatesParams
from morula.core.columns import BoolArray, FloatArray, IntArray
from morula.core.detections import Detections
from morula.core.graph import CandidateGraph
from morula.core.tracks import Tracks


@dataclass(frozen=True, kw_only=True)
class Tissue:
    """What the cells do and how well they are seen; lengths in µm, errors per axis, rates per cell and frame.

    Scores are drawn from beta distributions; the two numbers of each pull towards 1 and towards 0.
    """

    spacing_um: float = 9.0
    step_um: float = 1.0
    flow_um: float = 2.0
    division_rate: float = 0.01
    missed: float = 0.03
    false: float = 0.05
    position_error_um: float = 0.4
    movement_error_um: float = 0.8
    daughter_error_um: float = 1.7
    cell_score: tuple[float, float] = (8, 2.5)
    false_score: tuple[float, float] = (2, 6)


HARD = Tissue(
    movement_error_um=5.0, daughter_error_um=5.0, false=0.25, missed=0.1, cell_score=(4, 3), false_score=(3, 4)
)
"""Movement known no better than half a spacing, and scores that hardly tell a cell (mean 0.57) from none (0.43)."""


@dataclass(frozen=True, kw_only=True)
class Instance:
    """Detections and, for each, the row of its true parent (−1 for none) and whether it is a cell at all.

    `truth` are all cells, those missed too, where asked for; `truth_row` is the one each detection is of (−1 for none).
    """

    detections: Detections
    parent_row: IntArray
    is_cell: BoolArray
    truth: Tracks | None
    truth_row: IntArray


@dataclass(frozen=True, kw_only=True)
class _Cells:
    """The cells of one frame: where each lives, where it is, how it came there, its mother, and its error scale."""

    home: FloatArray
    zyx: FloatArray
    moved: FloatArray
    mother: IntArray
    born: BoolArray


def make_instance(
    n_detections: int, n_frames: int, *, seed: int, tissue: Tissue | None = None, with_truth: bool = False
) -> Instance:
    """Make a movie's worth of detections, exactly `n_detections` of them, sorted by frame."""
    tissue = tissue or Tissue()
    rng = np.random.default_rng(seed)
    per_frame = n_detections / n_frames / (1 - tissue.missed + tissue.false)
    cells = _plant(int(per_frame * 1.03) + 3, tissue, rng)
    row_of_cell = np.full(len(cells.home), -1)
    parts: list[list[np.ndarray]] = []
    frames: list[tuple[FloatArray, IntArray]] = []
    first = n_cells = 0
    for t in range(n_frames):
        if t:
            cells = _grow(cells, t, tissue, rng)
        seen = np.flatnonzero(rng.random(len(cells.home)) >= tissue.missed)
        parts.append(_observe(cells, seen, row_of_cell, t, tissue, rng))
        parts[-1].append(np.full(len(parts[-1][0]), -1))
        parts[-1][-1][: len(seen)] = n_cells + seen
        n_cells += len(cells.zyx)
        if with_truth:
            frames.append((cells.zyx, cells.mother))
        row_of_cell = np.full(len(cells.home), -1)
        row_of_cell[seen] = first + np.arange(len(seen))
        first += len(parts[-1][0])
    t_all, zyx, score, movement, parent, is_cell, truth_row = (
        np.concatenate(column) for column in zip(*parts, strict=True)
    )
    keep = np.ones(first, bool)
    keep[rng.permutation(first)[n_detections:]] = False
    new_row = np.append(np.where(keep, np.cumsum(keep) - 1, -1), -1)
    detections = Detections(t=t_all[keep], zyx_um=zyx[keep], score=score[keep], movement_um=movement[keep])
    return Instance(
        detections=detections,
        parent_row=new_row[parent[keep]],
        is_cell=is_cell[keep],
        truth=_join_frames(frames) if with_truth else None,
        truth_row=truth_row[keep],
    )


def make_graph(
    nodes: int, edges: int, *, seed: int, n_frames: int | None = None, tissue: Tissue | None = None
) -> CandidateGraph:
    """Make a candidate graph of exactly this many nodes and, if the tissue offers so many links, edges.

    Links lead to the nearest cells of the frame before, as in Malin-Mayor et al. 2023: without drift and without asking
    the neighbours. Of each child's links the farthest are dropped first, so every child keeps about the same number.
    """
    frames = n_frames or max(4, round((nodes / 10) ** 0.5))
    detections = make_instance(nodes, frames, seed=seed, tissue=tissue).detections
    parents = math.ceil(edges / (nodes - nodes / frames))  # nobody in the first frame has any
    params = CandidatesParams(max_distance_um=18.0, max_parents=parents, correct_drift=False, flow_neighbours=0)
    graph = link_candidates(detections, params)
    if graph.n_edges <= edges:
        return graph
    child = graph.edges[:, 1]
    rank = np.arange(graph.n_edges) - np.searchsorted(child, np.arange(nodes))[child]
    last = int(np.searchsorted(np.cumsum(np.bincount(rank)), edges))  # whole ranks fit below this one
    keep = rank < last
    shared = np.flatnonzero(rank == last)
    by_distance = np.argsort(graph.distance_um[shared], kind="stable")
    keep[shared[by_distance[: edges - int(keep.sum())]]] = True
    return CandidateGraph(nodes=graph.nodes, edges=graph.edges[keep], distance_um=graph.distance_um[keep])


def _join_frames(frames: list[tuple[FloatArray, IntArray]]) -> Tracks:
    sizes = [len(zyx) for zyx, _ in frames]
    before = np.concatenate([[0, 0], np.cumsum(sizes)[:-1]])  # row of the first cell of the frame before
    mothers = [np.where(mother >= 0, mother + before[t], -1) for t, (_, mother) in enumerate(frames)]
    return Tracks(
        t=np.repeat(np.arange(len(frames), dtype=np.int32), sizes),
        zyx_um=np.concatenate([zyx for zyx, _ in frames]),
        id=np.arange(sum(sizes)),
        parent_row=np.concatenate(mothers),
    )


def _plant(n: int, tissue: Tissue, rng: np.random.Generator) -> _Cells:
    side = int(np.ceil(n ** (1 / 3)))
    grid = np.stack(np.meshgrid(*[np.arange(side)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)[:n]
    home = (grid + rng.normal(0, 0.15, (n, 3))) * tissue.spacing_um
    return _Cells(
        home=home, zyx=home, moved=np.zeros((n, 3)), mother=np.full(n, -1), born=np.zeros(n, bool)
    )  # fmt: skip


def _grow(cells: _Cells, t: int, tissue: Tissue, rng: np.random.Generator) -> _Cells:
    """Move every cell on by one frame; some divide, and as many leave, so that the density stays."""
    n = len(cells.home)
    divides = rng.random(n) < tissue.division_rate
    leaves = ~divides & (rng.random(n) < tissue.division_rate)
    stay, mothers = np.flatnonzero(~divides & ~leaves), np.flatnonzero(divides)
    mother = np.concatenate([stay, mothers, mothers])
    axis = rng.normal(size=(n, 3))
    axis *= tissue.spacing_um / 3 / np.linalg.norm(axis, axis=1, keepdims=True)
    side = np.repeat([0, 1, -1], [len(stay), len(mothers), len(mothers)])[:, None] * axis[mother]
    wave = np.sin(cells.home / (8 * tissue.spacing_um)) * np.cos(2 * np.pi * t / 40)
    home = cells.home[mother] + side + tissue.flow_um * wave[mother]
    before = cells.zyx[mother]
    zyx = before + side + 0.3 * (home - before - side) + rng.normal(0, tissue.step_um, before.shape)
    return _Cells(home=home, zyx=zyx, moved=zyx - before, mother=mother, born=np.arange(len(mother)) >= len(stay))


def _observe(
    cells: _Cells, seen: IntArray, row_of_cell: IntArray, t: int, tissue: Tissue, rng: np.random.Generator
) -> list[np.ndarray]:
    """Detect the cells `seen` with errors, and things that are no cells; columns t … is_cell of one frame."""
    n_false = rng.poisson(tissue.false * len(seen))
    low, high = cells.zyx.min(axis=0), cells.zyx.max(axis=0)
    n = len(seen) + n_false
    zyx = np.concatenate([cells.zyx[seen], rng.uniform(low, high, (n_false, 3))])
    zyx = zyx + rng.normal(0, tissue.position_error_um, (n, 3))
    error = np.where(cells.born[seen], tissue.daughter_error_um, tissue.movement_error_um)[:, None]
    movement = np.zeros((n, 3))
    movement[: len(seen)] = rng.normal(0, 1, (len(seen), 3)) * error - cells.moved[seen]
    score = np.concatenate([rng.beta(*tissue.cell_score, len(seen)), rng.beta(*tissue.false_score, n_false)])
    mother = cells.mother[seen]
    parent = np.full(n, -1)
    parent[: len(seen)] = np.where(mother >= 0, row_of_cell[mother], -1)
    return [np.full(n, t, np.int32), zyx, score, movement, parent, np.arange(n) < len(seen)]
