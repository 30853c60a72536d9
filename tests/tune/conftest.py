"""A small simulated tissue with everything known, for the tests of learning."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from morula.candidates.link import link_candidates
from morula.candidates.params import CandidatesParams
from morula.core.detections import Detections
from morula.core.graph import CandidateGraph
from morula.core.tracks import Tracks


@dataclass(frozen=True)
class Known:
    """A candidate graph, all true lineages, some of them as annotations, and which nodes are cells."""

    graph: CandidateGraph
    truth: Tracks
    annotated: Tracks
    is_cell: np.ndarray


def make_tissue(seed=0, side=4, frames=12, false=0.25, missed=0.03):
    """Cells on a grid of 8 µm that wander by 1 µm and divide at times; scores of cells and of noise overlap."""
    rng = np.random.default_rng(seed)
    home = np.stack(np.meshgrid(*[np.arange(side)] * 3, indexing="ij"), axis=-1).reshape(-1, 3) * 8.0
    zyx, parent, rows, columns = home, np.full(len(home), -1), 0, []
    for t in range(frames):
        n = len(zyx)
        columns.append((np.full(n, t), zyx, parent))
        divides = rng.random(n) < 0.02
        mother = np.concatenate([np.arange(n), np.flatnonzero(divides)])
        apart = np.zeros((len(mother), 3))
        apart[n:] = 4.0
        apart[np.flatnonzero(divides)] = -4.0
        parent, rows = rows + mother, rows + n
        zyx = zyx[mother] + apart * rng.uniform(0.3, 0.6, (len(mother), 1)) + rng.normal(0, 1.0, (len(mother), 3))
    t, zyx, parent = (np.concatenate(part) for part in zip(*columns, strict=True))
    truth = Tracks(t=t, zyx_um=zyx, id=np.arange(len(t)), parent_row=parent)
    moved = np.where(parent[:, None] >= 0, zyx[parent] - zyx, 0.0) + rng.normal(0, 1.0, zyx.shape)
    seen = rng.random(len(t)) >= missed
    n_false = int(false * seen.sum())
    nodes = Detections.sorted(
        np.concatenate([t[seen], rng.integers(0, frames, n_false)]),
        np.concatenate([zyx[seen] + rng.normal(0, 0.3, (seen.sum(), 3)), rng.uniform(-4, side * 8, (n_false, 3))]),
        np.concatenate([rng.beta(8, 3, seen.sum()), rng.beta(2, 6, n_false)]),
        np.concatenate([moved[seen], np.zeros((n_false, 3))]),
    )
    graph = link_candidates(nodes, CandidatesParams(max_distance_um=9.0))
    of_cells = {tuple(row) for row in moved[seen].round(9)}
    is_cell = np.array([tuple(row) in of_cells for row in nodes.movement_um.round(9)])
    lineage = truth.lineage_id()
    some = rng.permutation(lineage.max() + 1)[: (lineage.max() + 1) // 5]
    return Known(graph=graph, truth=truth, annotated=truth.rows(np.isin(lineage, some)), is_cell=is_cell)


@pytest.fixture(scope="session")
def tissue() -> Known:
    """64 cells in 12 frames, a fifth of their lineages annotated; a quarter of false detections."""
    return make_tissue()
