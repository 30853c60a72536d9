"""Which points of a dense truth were not annotated: figures on these alone were seen by neither training nor tuning."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from morula.core.columns import BoolArray
from morula.core.tracks import Tracks
from morula.matching.points import match_points


def find_unannotated(truth: Tracks, annotations: Sequence[Tracks], *, max_distance_um: float) -> BoolArray:
    """Mark the truth points that no annotation lies on, shape (n,).

    Parameters
    ----------
    truth
        All cells.
    annotations
        Points clicked for training and validation.
    max_distance_um
        How far from the true centre a click may lie.
    """
    known = np.zeros(truth.n, bool)
    for annotated in annotations:
        rows, _, _ = match_points(truth.zyx_um, truth.t, annotated.zyx_um, annotated.t, max_distance_um=max_distance_um)
        known[rows] = True
    return ~known
