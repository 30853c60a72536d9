"""Nearest neighbours among the points of one frame, with ties in a fixed order.

Owns the k-d tree queries of this stage. It knows no frames and no movement.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from morula.core.columns import FloatArray, IntArray


def find_nearest(points: FloatArray, tree: cKDTree, radius: float, count: int) -> tuple[IntArray, IntArray, FloatArray]:
    """Find the `count` nearest tree points within `radius` of each point, the radius included.

    Equal distances are ordered by row of the tree, so the result does not depend on how the tree was built.

    Parameters
    ----------
    points
        Positions, shape (n, 3).
    tree
        Tree of the points searched.
    radius
        Largest distance, in the unit of the points.
    count
        Neighbours kept per point.

    Returns
    -------
    point, neighbour, distance
        One entry per pair, sorted by point, then distance, then neighbour.
    """
    distance, neighbour = _query(points, tree, radius, count + 1)
    tied = np.flatnonzero(np.isfinite(distance[:, count]) & (distance[:, count] == distance[:, count - 1]))
    for row in tied:  # more neighbours at the last distance than there is room for: the tree's choice is arbitrary
        all_tied = len(tree.query_ball_point(points[row], distance[row, count] * (1 + 1e-12)))
        away, other = (found[0] for found in _query(points[row : row + 1], tree, radius, all_tied))
        best = np.lexsort((other, away))[:count]
        distance[row, :count], neighbour[row, :count] = away[best], other[best]
    near = np.isfinite(distance[:, :count])
    point, away, other = np.nonzero(near)[0], distance[:, :count][near], neighbour[:, :count][near]
    order = np.lexsort((other, away, point))
    return point[order], other[order], away[order]


def find_one_nearest(points: FloatArray, tree: cKDTree, radius: float = np.inf) -> tuple[FloatArray, IntArray]:
    """Return the distance and tree row of the nearest tree point of each point; infinite and tree.n beyond `radius`."""
    distance, neighbour = _query(points, tree, radius, 1)
    return distance[:, 0], neighbour[:, 0]


def find_chance_radius(points: FloatArray, tree: cKDTree, share: float) -> float:
    """Return the radius within which a random place has a tree point with about this chance (for chances up to 1/2).

    `points` are themselves in the tree. The density is measured at the sixth neighbour, so that it does not matter
    whether points repel each other.
    """
    count = min(6, tree.n - 1)
    distance, _ = _query(points, tree, np.inf, count + 1)
    return float(np.median(distance[:, count]) * np.cbrt(share / count))


def list_offsets(points: FloatArray, tree: cKDTree, radius: float) -> FloatArray:
    """Return ``point − neighbour`` of all pairs within `radius`, shape (pairs, 3)."""
    pairs = cKDTree(points).sparse_distance_matrix(tree, radius, output_type="ndarray")
    offsets: FloatArray = points[pairs["i"]] - tree.data[pairs["j"]]
    return offsets


def _query(points: FloatArray, tree: cKDTree, radius: float, count: int) -> tuple[FloatArray, IntArray]:
    """Query `count` neighbours, shape (n, count); scipy's bound excludes the radius itself, ours does not."""
    distance, neighbour = tree.query(
        points, k=np.arange(1, count + 1), distance_upper_bound=np.nextafter(radius, np.inf)
    )
    return np.asarray(distance, np.float64), np.asarray(neighbour, np.int64)
