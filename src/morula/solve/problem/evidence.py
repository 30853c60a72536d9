"""How much the network's word speaks for a division at each detection, before any link is chosen.

Owns the reading of the columns `divides` and `born`. A division shows twice: the mother in her last frame looks like
one, and her two daughters look freshly born. Which of her candidate children those are is not known yet; the two that
look it most are taken. So the evidence belongs to a node, the cost of a choice stays a plain sum, and every solver
stays as it is.

What counts is by how much a detection is more probable than the average one, a likelihood ratio. So a network that
says the same of every cell, because it has seen no division or none can be seen, says nothing, and it does not matter
whether it was told how rare divisions are.
"""

from __future__ import annotations

import numpy as np

from morula.core.columns import FloatArray
from morula.core.graph import CandidateGraph

MOST_LOG_ODDS = 4.0
"""Larger ratios count as this (odds 55 times as high): a network that is sure is not believed more for being surer, and
no evidence is infinite."""

_SURE = 1e-9
"""Probabilities nearer to 0 or 1 than this are read as this."""


def weigh_divisions(graph: CandidateGraph) -> FloatArray:
    """Return the evidence for a division at each detection.

    Parameters
    ----------
    graph
        Candidate graph; its nodes may know `divides`, `born`, both or neither.

    Returns
    -------
    evidence
        Half from the mother and half from the daughters: ``d / 2 + (b1 + b2) / 4``, where d are the log-odds of her
        `divides` less those of the mean of all detections (weighted by their score), b1 and b2 the same for `born` of
        the two of her candidate children where it is largest, each cut at ±`MOST_LOG_ODDS`. So within
        ±`MOST_LOG_ODDS`; positive speaks for a division. What nobody knows adds 0, and so does everything where there
        are fewer than two candidate children.
        Shape (n,), float64.

    Examples
    --------
    >>> from morula.core.detections import Detections
    >>> nodes = Detections(
    ...     t=[0, 1, 1], zyx_um=np.zeros((3, 3)), score=np.ones(3), movement_um=np.zeros((3, 3)),
    ...     divides=[0.6, 0.2, 0.1], born=[0.1, 0.7, 0.7],
    ... )
    >>> graph = CandidateGraph(nodes=nodes, edges=[[0, 1], [0, 2]], distance_um=[1.0, 2.0])
    >>> weigh_divisions(graph).round(3).tolist()
    [1.05, 0.0, 0.0]
    """
    nodes, parent = graph.nodes, graph.edges[:, 0]
    forks = np.bincount(parent, minlength=nodes.n) >= 2
    if not forks.any():
        return np.zeros(nodes.n)
    born = _compare(nodes.born, nodes.score)[graph.edges[:, 1]]
    first = _find_largest(parent, born, nodes.n)
    row_of_first = np.full(nodes.n, -1)
    is_first = np.flatnonzero(born == first[parent])
    row_of_first[parent[is_first]] = is_first
    others = np.ones(len(parent), bool)
    others[row_of_first[row_of_first >= 0]] = False
    second = _find_largest(parent[others], born[others], nodes.n)
    pair = np.where(forks, first, 0.0) + np.where(forks, second, 0.0)
    return np.where(forks, _compare(nodes.divides, nodes.score) / 2, 0.0) + pair / 4


def _compare(probability: FloatArray, score: FloatArray) -> FloatArray:
    """Return the log-odds less those of the mean, cut at ±`MOST_LOG_ODDS`; 0 where nobody knows.

    Detections count in the mean by their score, so that it does not matter how many weak ones there are.
    """
    if np.isnan(probability).any():
        return np.zeros(len(probability))
    p = np.clip(probability, _SURE, 1 - _SURE)
    mean = np.average(p, weights=np.maximum(score, 0.0) + _SURE)
    ratio = np.log(p) - np.log1p(-p) - (np.log(mean) - np.log1p(-mean))
    return np.asarray(np.clip(ratio, -MOST_LOG_ODDS, MOST_LOG_ODDS), np.float64)


def _find_largest(group: np.ndarray, values: FloatArray, n: int) -> FloatArray:
    """Return the largest value of each of n groups; −`MOST_LOG_ODDS` for one without any."""
    largest = np.full(n, -MOST_LOG_ODDS)
    np.maximum.at(largest, group, values)
    return largest
