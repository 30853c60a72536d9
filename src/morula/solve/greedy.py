"""Greedy linking: the baseline of Malin-Mayor et al. 2023, without optimisation.

Owns the rule "nearest first". All detections (above a score, if asked) are taken as cells, links are accepted in the
order of their distance as long as child and parent are free. Two differences to the original program, which goes back
in time frame by frame, continues existing tracks first and lets these divide: here a frame's links are accepted in one
order, since the distance says more than which end of the movie a track was found from; and a cell has one child unless
more are asked for, since a distance alone cannot tell a daughter from a neighbour whose own parent was missed (with two
children allowed, every such neighbour becomes a division). It proves nothing: the lower bound is minus infinity.
"""

from __future__ import annotations

import time

import numpy as np

from morula.core.columns import BoolArray, FloatArray, IntArray
from morula.core.graph import CandidateGraph
from morula.core.lineages import Selection
from morula.solve.params import SolveParams
from morula.solve.problem.costs import price_graph, sum_costs


def link_greedily(
    graph: CandidateGraph,
    *,
    max_distance_um: float,
    max_children: int = 1,
    min_score: float = 0.0,
    params: SolveParams | None = None,
    extent_um: FloatArray | None = None,
) -> Selection:
    """Accept links nearest first.

    Parameters
    ----------
    graph
        Detections and possible links.
    max_distance_um
        Links longer than this are not accepted.
    max_children
        1, or 2 to let cells divide.
    min_score
        Detections with a lower score are left out.
    params, extent_um
        Cost weights and extent of the movie with which the objective is computed, as in `solve_graph`; they do not
        influence the links.

    Returns
    -------
    selection
        Status "greedy", lower bound −inf. Links of equal distance are accepted in the order of child, then parent row.
    """
    began = time.perf_counter()
    node = graph.nodes.score >= min_score
    parent, child = graph.edges[:, 0], graph.edges[:, 1]
    offered = np.flatnonzero((graph.distance_um <= max_distance_um) & node[parent] & node[child])
    order = offered[np.lexsort((parent[offered], child[offered], graph.distance_um[offered]))]
    edge = _accept(graph.edges, order, graph.nodes.n, max_children)
    costs = price_graph(graph, params or SolveParams(), extent_um=extent_um)
    return Selection(
        node_selected=node,
        edge_selected=edge,
        objective=sum_costs(costs, graph.edges, node, edge),
        lower_bound=-np.inf,
        status="greedy",
        seconds=time.perf_counter() - began,
    )


def _accept(edges: IntArray, order: IntArray, n: int, max_children: int) -> BoolArray:
    """Go through the edges in `order`, accepting each whose child has no parent and whose parent has room."""
    has_parent, room = [False] * n, [max_children] * n
    accepted = []
    for row, (parent, child) in zip(order.tolist(), edges[order].tolist(), strict=True):
        if not has_parent[child] and room[parent]:
            has_parent[child] = True
            room[parent] -= 1
            accepted.append(row)
    selected = np.zeros(len(edges), bool)
    selected[accepted] = True
    return selected
