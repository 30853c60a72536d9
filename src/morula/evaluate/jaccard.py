"""The adjusted edge Jaccard, defined as in the 2026 Biohub zebrafish benchmark."""

from __future__ import annotations

import numpy as np

from morula.core.columns import BoolArray
from morula.core.evaluation import EdgeJaccard
from morula.core.tracks import Tracks
from morula.evaluate.rows import holds, look_up
from morula.matching.points import match_points


def measure_edge_jaccard(
    reconstruction: Tracks, truth: Tracks, scored: BoolArray, distance_um: float, n_true: int | None
) -> EdgeJaccard:
    """Count edges found, missed and contradicted, from points matched one to one within a distance.

    Found (TP): a reconstructed edge whose ends match the ends of a truth edge. Missed (FN): a truth edge without one.
    Contradicted (FP): any other reconstructed edge whose child matches a truth point that has another parent, or whose
    parent matches a truth point that has another child. All other reconstructed edges are ignored: the truth may be
    sparse. Truth points that are not scored are matched too, but neither they nor what they match is counted.

    Parameters
    ----------
    reconstruction, truth
        Tracks of m and n points.
    scored
        Truth points that count, shape (n,).
    distance_um
        Largest distance of matched points, µm.
    n_true
        Estimate of the true number of points, None where unknown.
    """
    truth_row, row, _ = match_points(truth.zyx_um, truth.t, reconstruction.zyx_um, reconstruction.t, distance_um)
    point = np.full(reconstruction.n, -1)
    point[row] = truth_row
    child = np.flatnonzero(reconstruction.parent_row >= 0)
    true_child, true_parent = point[child], point[reconstruction.parent_row[child]]
    found = (true_child >= 0) & (true_parent >= 0) & (look_up(truth.parent_row, true_child) == true_parent)
    contradicted = holds(scored & (truth.parent_row >= 0), true_child) | holds(
        scored & (truth.n_children > 0), true_parent
    )
    counted = holds(scored, true_child) & holds(scored, true_parent)
    n_edges = int((scored & holds(scored, truth.parent_row)).sum())
    n_found = int((found & counted).sum())
    elsewhere = (point >= 0) & ~holds(scored, point)
    return EdgeJaccard(
        distance_um=distance_um,
        tp=n_found,
        fp=int((~found & contradicted).sum()),
        fn=n_edges - n_found,
        n_reconstructed=reconstruction.n - int(elsewhere.sum()),
        n_true=n_true,
    )
