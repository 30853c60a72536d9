"""How far apart the daughters of a cell would lie, as a cost of its division.

Two daughters just born lie near each other; two cells that are both linked to one mother by mistake often do not. Which
two of her candidate children are taken is not known before solving, and a cost of pairs would change every solver. But
the cheapest division each cell could have is known, once without and once with a price on distance; by how much it gets
dearer is a number per cell, and what a cost of pairs would add at least.
"""

from __future__ import annotations

import numba
import numpy as np

from morula.core.columns import FloatArray
from morula.core.graph import CandidateGraph

_TYPICAL_PAYS = 1.5
"""What daughters at their typical distance speak for a division, in µm of link distance."""

_LARGEST_COSTS = 4.0
"""What the largest distance costs more than the typical one, µm; in between it grows with the square."""

_UM_PER_UM = 30.0
"""Price of each µm beyond the largest distance: nearly a prohibition."""

_jit = numba.njit(cache=True, error_model="numpy")


def price_distant_sisters(graph: CandidateGraph, sister_distance_um: tuple[float, float] | None) -> FloatArray:
    """Return by how much the division of each cell is dearer, or cheaper, because daughters lie near each other.

    Parameters
    ----------
    graph
        Candidate graph.
    sister_distance_um
        How far apart daughters just born lie typically and at most, µm; None if nobody knows.

    Returns
    -------
    price
        ``min(d_a + d_b + p(|a − b|)) − min(d_a + d_b) − 1.5`` over the pairs a, b of a cell's candidate children, d
        being the distances of their links; the price p of their distance is 0 up to the typical one, grows with the
        square to 4 at the largest, and by 30 for each µm beyond. 0 where there are fewer than two, or nobody knows. In
        µm of link distance, shape (n,).

    Examples
    --------
    >>> from morula.core.detections import Detections
    >>> places = np.array([[0, 0, 0], [0, 0, -3], [0, 0, 3], [0, 0, 12.0]])
    >>> nodes = Detections(t=[0, 1, 1, 1], zyx_um=places, score=np.ones(4), movement_um=np.zeros((4, 3)))
    >>> graph = CandidateGraph(nodes=nodes, edges=[[0, 1], [0, 2], [0, 3]], distance_um=[1.0, 4.0, 2.0])
    >>> price_distant_sisters(graph, (6.0, 8.0)).tolist()  # the nearest two lie 15 µm apart: the next are 2 µm dearer
    [0.5, 0.0, 0.0, 0.0]
    """
    n = graph.nodes.n
    price = np.zeros(n)
    if sister_distance_um is None or not graph.n_edges:
        return price
    by_parent = np.argsort(graph.edges[:, 0], kind="stable")
    first = np.searchsorted(graph.edges[by_parent, 0], np.arange(n + 1))
    child, distance = graph.edges[by_parent, 1], graph.distance_um[by_parent]
    typical, largest = sister_distance_um
    _compare_pairs(first, child, distance, np.ascontiguousarray(graph.nodes.zyx_um), typical, largest, price)
    return price


@_jit
def _compare_pairs(first, child, distance, zyx, typical, largest, price):
    """Write for each node by how much its cheapest pair of children costs more with the price on their distance."""
    for v in range(len(price)):
        least = near = np.inf
        for a in range(first[v], first[v + 1]):
            for b in range(a + 1, first[v + 1]):
                both = distance[a] + distance[b]
                squared = 0.0
                for axis in range(3):
                    squared += (zyx[child[a], axis] - zyx[child[b], axis]) ** 2
                apart = np.sqrt(squared)
                share = min(max(apart - typical, 0.0) / (largest - typical), 1.0)
                beyond = max(apart - largest, 0.0)
                least = min(least, both)
                near = min(near, both + _LARGEST_COSTS * share * share + _UM_PER_UM * beyond)
        if least < np.inf:
            price[v] = near - least - _TYPICAL_PAYS
