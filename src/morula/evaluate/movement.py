"""How well movement vectors know where a cell came from, held against no motion and the motion of the neighbours."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from morula.core.columns import BoolArray, FloatArray
from morula.core.movement_errors import MovementErrors
from morula.core.tracks import Tracks
from morula.errors import TracksError
from morula.evaluate.matched import MatchedTracks

NEIGHBOURS = 8
"""Nearest other cells whose vectors are averaged to the local flow."""


def measure_movement(
    matched: MatchedTracks, movement_um: FloatArray | None
) -> tuple[MovementErrors | None, MovementErrors | None]:
    """Measure how far from the true mother each matched cell's vector points.

    Parameters
    ----------
    matched
        Reconstruction and truth.
    movement_um
        Movement vector of each reconstructed point, from its own position to that of the same cell (or its mother) in
        the frame before, µm, shape (m, 3); None where there are none.

    Returns
    -------
    all, daughters
        Over the true links between consecutive frames that count and whose child is matched, and over those of them
        whose mother has two children; None without vectors.

    Raises
    ------
    TracksError
        If there is not one vector per reconstructed point.
    """
    if movement_um is None:
        return None, None
    found, truth = matched.reconstruction, matched.truth
    if np.shape(movement_um) != (found.n, 3):
        raise TracksError(
            "the movement vectors do not fit the reconstruction.",
            measured=f"shape {np.shape(movement_um)} for {found.n} points",
            fix="give one vector z, y, x per reconstructed point",
        )
    child = np.flatnonzero(_judged(matched))
    row = matched.point_of_truth[child]
    mother = truth.parent_row[child]
    back_um = truth.zyx_um[mother] - found.zyx_um[row]
    flow_um = find_flow_um(found, movement_um)[row]
    own, still, flow = (np.linalg.norm(back_um - one, axis=1) for one in (movement_um[row], 0.0, flow_um))
    born = truth.n_children[mother] == 2
    return MovementErrors.of(own, still, flow), MovementErrors.of(own[born], still[born], flow[born])


def find_flow_um(cells: Tracks, movement_um: FloatArray) -> FloatArray:
    """Return the mean vector of the (up to) eight nearest other cells of the same frame, µm, shape (n, 3).

    Zero where a cell is alone in its frame.
    """
    flow_um = np.zeros((cells.n, 3))
    for t in np.unique(cells.t):
        rows = np.flatnonzero(cells.t == t)
        count = min(NEIGHBOURS, len(rows) - 1)
        if count:
            near = np.asarray(cKDTree(cells.zyx_um[rows]).query(cells.zyx_um[rows], k=count + 1)[1])
            itself = near == np.arange(len(rows))[:, None]
            itself[~itself.any(axis=1), -1] = True  # cells in one place: leave out the last instead
            others = near[~itself].reshape(len(rows), count)
            flow_um[rows] = movement_um[rows][others].mean(axis=1)
    return flow_um


def _judged(matched: MatchedTracks) -> BoolArray:
    """Truth points, shape (n,), whose link to a parent one frame earlier counts, and that were found."""
    truth, parent = matched.truth, matched.truth.parent_row
    one_frame = (parent >= 0) & (truth.t - truth.t[np.maximum(parent, 0)] == 1)
    judged: BoolArray = matched.counted_edge & one_frame & (matched.point_of_truth >= 0)
    return judged
