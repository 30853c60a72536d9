"""Which label the next crop is centred on: all alike, or those in crowded places less often."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from morula.core.columns import BoolArray, FloatArray, IntArray
from morula.train.labels import LabelKind, Labels

CROWD_PER_MASK = 4.0
"""Mask radii within which neighbours are counted: about two distances between nuclei."""


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Rows of labels to draw from.

    Parameters
    ----------
    rows
        Rows, shape (n,).
    share
        Chance of each, shape (n,); None for equal ones.
    """

    rows: IntArray
    share: FloatArray | None

    @classmethod
    def of(cls, chosen: BoolArray, weight: FloatArray | None) -> Pool:
        """Pool the chosen labels, with a weight for every label of the table."""
        rows = np.flatnonzero(chosen)
        if weight is None or not len(rows):
            return cls(rows, None)
        return cls(rows, weight[rows] / weight[rows].sum())

    def draw(self, rng: np.random.Generator) -> int:
        """Draw one row."""
        return int(rng.choice(self.rows, p=self.share))


def balance_crowds(labels: Labels, radius_um: float, strength: float) -> FloatArray | None:
    """Weigh labels by the crowd around them, so that dense regions do not outweigh sparse ones.

    Parameters
    ----------
    labels
        The labels.
    radius_um
        Labels of the same frame this near are the crowd, itself included; weak blobs do not count.
    strength
        0 draws all labels equally often, 1 all regions, in between in between.

    Returns
    -------
    array
        Weights, shape (n,): one over the crowd, to the power `strength`; None for strength 0.
    """
    if strength == 0:
        return None
    crowd = np.ones(len(labels.t))
    for t in np.unique(labels.t):
        rows = labels.frame(int(t))
        counted = labels.zyx_um[rows][labels.kind[rows] != LabelKind.WEAK_BLOB]
        if len(counted):
            around = cKDTree(counted).query_ball_point(labels.zyx_um[rows], radius_um, return_length=True)
            crowd[rows] = np.maximum(around, 1)
    weights: FloatArray = crowd**-strength
    return weights
