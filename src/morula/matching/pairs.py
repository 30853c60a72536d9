"""Which points of two sets could be the same cell: all pairs of one frame within a distance.

Finds pairs and decides nothing; `morula.matching.points` and `morula.matching.edges` choose among them. The pairs come
in an order that depends on positions alone, so that no later choice depends on the order of rows or on ids.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from morula.core.columns import FloatArray, FrameArray, IntArray
from morula.errors import ConfigError

_SLACK = 1 + 1e-9  # the tree may round; the distance is measured again afterwards
_MOST_PAIRS = 50_000_000  # about 3 GB while matching; a sensible distance makes a few pairs per point


@dataclass(frozen=True, slots=True, eq=False)
class ClosePairs:
    """Pairs of points (a, b) in the same frame and at most `max_distance_um` apart.

    Parameters
    ----------
    row_a, row_b
        Rows of the two points, shape (k,), int64; sorted by the place of a, then of b (frame, z, y, x).
    distance_um
        Their distance in µm, shape (k,).
    max_distance_um
        Largest distance allowed, µm; a pair exactly that far apart belongs to the table.
    n_a, n_b
        Sizes of the two sets.
    """

    row_a: IntArray
    row_b: IntArray
    distance_um: FloatArray
    max_distance_um: float
    n_a: int
    n_b: int


def find_close_pairs(
    zyx_a: FloatArray, t_a: FrameArray, zyx_b: FloatArray, t_b: FrameArray, max_distance_um: float
) -> ClosePairs:
    """Find all pairs of points in the same frame within a distance.

    Time grows as n log n plus the number of pairs, memory with the number of pairs (24 bytes each, some 60 while they
    are sorted).

    Parameters
    ----------
    zyx_a, zyx_b
        Positions in µm, z, y, x, shapes (n, 3) and (m, 3).
    t_a, t_b
        Frames, shapes (n,) and (m,); rows in any order.
    max_distance_um
        Largest distance in µm, inclusive.

    Raises
    ------
    ConfigError
        If the distance is not positive and finite, or so large that nearly everything is close to everything.
    """
    if not (0 < max_distance_um < np.inf):
        raise ConfigError(
            f"the largest matching distance is {max_distance_um} µm, it must be above 0 and finite.",
            fix="take about half the distance between neighbouring nuclei, in µm",
        )
    order_a, order_b = _sort_by_place(zyx_a, t_a), _sort_by_place(zyx_b, t_b)
    frames = np.intersect1d(t_a, t_b)
    bounds_a = np.searchsorted(t_a[order_a], np.stack([frames, frames + 1], axis=1))
    bounds_b = np.searchsorted(t_b[order_b], np.stack([frames, frames + 1], axis=1))
    parts_a, parts_b, n_pairs = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], 0
    for (a0, a1), (b0, b1) in zip(bounds_a, bounds_b, strict=True):
        rows_a, rows_b = order_a[a0:a1], order_b[b0:b1]
        tree_a, tree_b = cKDTree(zyx_a[rows_a]), cKDTree(zyx_b[rows_b])
        n_pairs += int(tree_a.count_neighbors(tree_b, max_distance_um))
        if n_pairs > _MOST_PAIRS:
            raise _too_many_pairs(n_pairs, len(t_a), len(t_b), max_distance_um)
        near = tree_a.sparse_distance_matrix(tree_b, max_distance_um * _SLACK, output_type="ndarray")
        in_order = np.lexsort((near["j"], near["i"]))
        parts_a.append(rows_a[near["i"][in_order]])
        parts_b.append(rows_b[near["j"][in_order]])
    row_a, row_b = np.concatenate(parts_a), np.concatenate(parts_b)
    distance_um = np.sqrt(((zyx_a[row_a] - zyx_b[row_b]) ** 2).sum(axis=1))
    keep = distance_um <= max_distance_um
    return ClosePairs(row_a[keep], row_b[keep], distance_um[keep], max_distance_um, len(t_a), len(t_b))


def _sort_by_place(zyx_um: FloatArray, t: FrameArray) -> IntArray:
    return np.lexsort((zyx_um[:, 2], zyx_um[:, 1], zyx_um[:, 0], t)).astype(np.int64)


def _too_many_pairs(n_pairs: int, n_a: int, n_b: int, max_distance_um: float) -> ConfigError:
    return ConfigError(
        f"the largest matching distance of {max_distance_um:g} µm is too large for these points.",
        measured=f"over {n_pairs:,} pairs of {n_a:,} and {n_b:,} points in the same frames lie within it",
        cause="a distance in voxels or nm, or positions in mm, instead of µm",
        fix="take about half the distance between neighbouring nuclei, in µm",
    )
