"""One-to-one choice among given pairs: the sparse assignment problem behind every matching.

Knows rows and gains only, neither frames nor distances. Pairs fall into connected components that can be solved apart;
a component in which one side has a single row is solved by looking, the others by a sparse shortest augmenting path
solver (scipy's LAPJVsp), batched. No dense matrix is ever built.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components, min_weight_full_bipartite_matching

from morula.core.columns import BoolArray, FloatArray, IntArray

_ROWS_PER_BATCH = 1000  # one solver call costs time quadratic in its rows, many calls cost time in Python


def choose_pairs(row_a: IntArray, row_b: IntArray, gain: FloatArray) -> BoolArray:
    """Choose pairs so that no row occurs twice and the sum of their gains is largest.

    Parameters
    ----------
    row_a, row_b
        The rows each pair joins, shape (k,); no pair occurs twice.
    gain
        What choosing a pair gains, shape (k,), above 0 (a pair without a gain is no pair).

    Returns
    -------
    chosen
        Which pairs are chosen, shape (k,). Among equally good choices the one returned depends on the order of the
        pairs alone, not on the numbers of the rows.
    """
    if not len(gain):
        return np.zeros(0, np.bool_)
    a, b = _number_by_appearance(row_a), _number_by_appearance(row_b)
    return _choose_by_component(a, b, gain, _label_components(a, b))


def choose_most_pairs(row_a: IntArray, row_b: IntArray, cost: FloatArray) -> BoolArray:
    """Choose as many pairs as possible so that no row occurs twice and, among these choices, the total cost is least.

    Parameters
    ----------
    row_a, row_b
        The rows each pair joins, shape (k,); no pair occurs twice.
    cost
        Cost of each pair, shape (k,), not negative.
    """
    if not len(cost):
        return np.zeros(0, np.bool_)
    a, b = _number_by_appearance(row_a), _number_by_appearance(row_b)
    label = _label_components(a, b)
    most = np.minimum(_count_distinct(label, a), _count_distinct(label, b))
    dearest = np.zeros(len(most))
    np.maximum.at(dearest, label, cost)
    one_more_pair = (most + 1) * dearest + 1  # worth more than all costs of the component together
    return _choose_by_component(a, b, one_more_pair[label] - cost, label)


def _choose_by_component(a: IntArray, b: IntArray, gain: FloatArray, label: IntArray) -> BoolArray:
    chosen = np.zeros(len(gain), np.bool_)
    simple = (np.minimum(_count_distinct(label, a), _count_distinct(label, b)) == 1)[label]
    rows = np.flatnonzero(simple)
    rows = rows[np.lexsort((-gain[rows], label[rows]))]
    chosen[rows[np.diff(label[rows], prepend=-1) != 0]] = True
    rows = np.flatnonzero(~simple)
    rows = rows[np.argsort(label[rows], kind="stable")]
    for batch in _cut_into_batches(label[rows]):
        pairs = rows[batch]
        chosen[pairs] = _solve_sparse(a[pairs], b[pairs], gain[pairs])
    return chosen


def _cut_into_batches(label: IntArray) -> list[slice]:
    """Cut pairs sorted by component into runs of whole components with about the same number of pairs."""
    first = np.flatnonzero(np.diff(label, prepend=-1) != 0)
    batch = first // (2 * _ROWS_PER_BATCH)
    cuts = [*first[np.diff(batch, prepend=-1) != 0].tolist(), len(label)]
    return [slice(start, stop) for start, stop in pairwise(cuts)]


def _solve_sparse(a: IntArray, b: IntArray, gain: FloatArray) -> BoolArray:
    """Solve some components: each row of a takes one of its pairs or, without a gain, a column of its own."""
    a, b = _number_by_appearance(a), _number_by_appearance(b)
    n_a, n_b = int(a.max()) + 1, int(b.max()) + 1
    alone = np.arange(n_a)
    dearest = float(gain.max()) + 1  # keeps costs above 0, since a stored 0 counts as no pair
    cost = np.concatenate([dearest - gain, np.full(n_a, dearest)])
    rows, columns = np.concatenate([a, alone]), np.concatenate([b, n_b + alone])
    taken_a, taken_b = min_weight_full_bipartite_matching(csr_matrix((cost, (rows, columns)), shape=(n_a, n_b + n_a)))
    partner = np.empty(n_a, np.int64)
    partner[taken_a] = taken_b
    return np.asarray(partner[a] == b)


def _label_components(a: IntArray, b: IntArray) -> IntArray:
    """Return the component of each pair, numbered from 0 without gaps."""
    n_a, n_b = int(a.max()) + 1, int(b.max()) + 1
    graph = csr_matrix((np.ones(len(a), np.int8), (a, n_a + b)), shape=(n_a + n_b, n_a + n_b))
    _, of_row = connected_components(graph, directed=False)
    return np.asarray(of_row[a], np.int64)


def _count_distinct(label: IntArray, row: IntArray) -> IntArray:
    """Count the different rows of each component; a row lies in one component only."""
    _, first = np.unique(row, return_index=True)
    return np.bincount(label[first], minlength=int(label.max()) + 1).astype(np.int64)


def _number_by_appearance(row: IntArray) -> IntArray:
    _, first, inverse = np.unique(row, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]
