"""Matching of edges: which reconstructed link is which true one, one to one (Malin-Mayor et al. 2023)."""

from __future__ import annotations

import numpy as np

from morula.core.columns import FloatArray, IntArray
from morula.matching.assignment import choose_pairs
from morula.matching.pairs import ClosePairs


def match_edges(edges_a: IntArray, edges_b: IntArray, pairs: ClosePairs) -> tuple[IntArray, IntArray, FloatArray]:
    """Match the edges of two graphs one to one.

    Two edges may be matched when their parents are a close pair and their children are a close pair. With d the largest
    distance, the choice minimises the sum over matched edges of the two distances, plus 2d + 1 for every edge of either
    graph that could have been matched and is not. Since every pair saves 2·(2d + 1) and costs at most 2d, another
    match is worth taking unless it lengthens the others by more than that.

    An edge over several frames is matched only with an edge between the same two frames: a chain of two links and one
    link that skips the frame between are different answers.

    Parameters
    ----------
    edges_a, edges_b
        Rows of parent and child, shapes (m, 2) and (k, 2), in any order; a child may have several parents, as in a
        candidate graph.
    pairs
        Close pairs of the points of both graphs, from `find_close_pairs`.

    Returns
    -------
    index_a, index_b
        Indices of the matched edges into `edges_a` and `edges_b`, shape (j,), sorted by frame and place of the child
        in a.
    distance_um
        Distance of the parents plus distance of the children, µm, shape (j,).

    Examples
    --------
    >>> from morula.matching.pairs import find_close_pairs
    >>> t, zyx = np.array([0, 1]), np.array([[0.0, 0, 0], [0.0, 0, 1]])
    >>> pairs = find_close_pairs(zyx, t, zyx + 1, t, 3.0)
    >>> [column.round(1).tolist() for column in match_edges(np.array([[0, 1]]), np.array([[0, 1]]), pairs)]
    [[0], [0], [3.5]]
    """
    index_a, index_b, distance_um = find_edge_pairs(edges_a, edges_b, pairs)
    unmatched = 2 * pairs.max_distance_um + 1
    chosen = choose_pairs(index_a, index_b, 2 * unmatched - distance_um)
    return index_a[chosen], index_b[chosen], distance_um[chosen]


def find_edge_pairs(edges_a: IntArray, edges_b: IntArray, pairs: ClosePairs) -> tuple[IntArray, IntArray, FloatArray]:
    """Find all pairs of edges whose parents and whose children are close pairs; returns as `match_edges` does."""
    into_a, first_a, count_a = _edges_by_child(edges_a, pairs.n_a)
    into_b, first_b, count_b = _edges_by_child(edges_b, pairs.n_b)
    per_pair = count_a[pairs.row_a] * count_b[pairs.row_b]
    child_pair = np.repeat(np.arange(len(per_pair)), per_pair)
    number = np.arange(len(child_pair)) - np.repeat(np.cumsum(per_pair) - per_pair, per_pair)
    child_a, child_b = pairs.row_a[child_pair], pairs.row_b[child_pair]
    index_a = into_a[first_a[child_a] + number // np.maximum(count_b[child_b], 1)]
    index_b = into_b[first_b[child_b] + number % np.maximum(count_b[child_b], 1)]
    parent_pair = _look_up(edges_a[index_a, 0], edges_b[index_b, 0], pairs)
    close = parent_pair >= 0
    child_pair, parent_pair, index_a, index_b = (x[close] for x in (child_pair, parent_pair, index_a, index_b))
    distance_um = pairs.distance_um[child_pair] + pairs.distance_um[parent_pair]
    order = np.lexsort((parent_pair, child_pair))
    return index_a[order], index_b[order], distance_um[order]


def _edges_by_child(edges: IntArray, n: int) -> tuple[IntArray, IntArray, IntArray]:
    """Return the edges sorted by child, where each child's edges begin, and how many they are."""
    child = edges[:, 1]
    count = np.bincount(child, minlength=n).astype(np.int64)
    return np.argsort(child, kind="stable").astype(np.int64), np.cumsum(count) - count, count


def _look_up(row_a: IntArray, row_b: IntArray, pairs: ClosePairs) -> IntArray:
    """Return the index of the pair (row_a, row_b) in the table, −1 where it is not there."""
    if not len(pairs.row_a):
        return np.full(len(row_a), -1)
    key = pairs.row_a * pairs.n_b + pairs.row_b
    order = np.argsort(key)
    wanted = row_a * pairs.n_b + row_b
    place = order[np.minimum(np.searchsorted(key, wanted, sorter=order), len(key) - 1)]
    return np.where(key[place] == wanted, place, -1)
