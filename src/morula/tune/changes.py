"""The differences between two forests, taken apart: each part can be changed alone and leaves a forest.

Owns the dividing. Parts matter to the learner because one solution of the whole graph then teaches as much as all its
mistakes one by one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from morula.core.columns import FloatArray, IntArray
from morula.core.pins import FREE, Pins
from morula.tune.features import Choice, Features


@dataclass(frozen=True, slots=True, eq=False)
class Mistakes:
    """Ways in which one forest is worse than another, each independent of the others.

    Parameters
    ----------
    slope
        Features of the right forest minus those of the wrong one in each part, shape (k, 8): times the weights, how
        much dearer the right one is there.
    errors
        Labels that the wrong forest goes against in each part, less those the right one goes against, shape (k,).
    """

    slope: FloatArray
    errors: FloatArray

    def find_plane(self, weights: FloatArray) -> tuple[float, FloatArray, float]:
        """Return the loss with these weights, summed over parts that have one, and the plane it lies on."""
        loss = self.slope @ weights + self.errors
        active = loss > 0
        return float(loss[active].sum()), self.slope[active].sum(axis=0), float(self.errors[active].sum())


def split_changes(edges: IntArray, one: Choice, other: Choice) -> tuple[IntArray, int]:
    """Number the parts in which two forests differ: connected sets of changed nodes and links.

    Returns
    -------
    part
        Part of each node that is changed or at a changed link, −1 for all others, shape (n,).
    n_parts
        Number of parts.
    """
    n = len(one.node)
    parent, child = edges[one.edge != other.edge].T
    joined = coo_array((np.ones(len(parent), np.int8), (parent, child)), shape=(n, n))
    _, label = connected_components(joined, directed=False)
    touched = one.node != other.node
    touched[parent], touched[child] = True, True
    part = np.full(n, -1)
    found, part[touched] = np.unique(label[touched], return_inverse=True)
    return part, len(found)


def compare_choices(features: Features, labels: Pins, right: Choice, wrong: Choice) -> Mistakes:
    """List in what a forest differs from the right one, where labels speak; what nobody annotated is left out."""
    part, n_parts = split_changes(features.edges, right, wrong)
    slope = features.sum_parts(right, part, n_parts) - features.sum_parts(wrong, part, n_parts)
    changed = np.flatnonzero((right.edge != wrong.edge) & (labels.edge != FREE))
    of_edge = part[features.edges[changed, 1]]
    lost = labels.edge[changed] * (right.edge[changed].astype(np.int8) - wrong.edge[changed].astype(np.int8))
    spoken = np.zeros(n_parts, bool)
    spoken[of_edge] = True
    spoken[part[(right.node != wrong.node) & (labels.node != FREE)]] = True
    errors = np.bincount(of_edge, lost.astype(np.float64), minlength=n_parts).astype(np.float64)
    return Mistakes(slope=slope[spoken], errors=errors[spoken])
