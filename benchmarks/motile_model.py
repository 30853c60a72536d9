"""The same choice of a forest as motile writes it, for comparison.

Owns the translation of our costs into motile's (1.0.1) and back. It refuses start and end costs below 0: motile's own
constraints let a node "appear" beside its parent where that pays.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from motile import Solver, TrackGraph
from motile.constraints import MaxChildren, MaxParents
from motile.costs import EdgeSelectedCost, NodeAppearCost, NodeDisappearCost, NodeSelectedCost, NodeSplitCost
from motile.variables import EdgeSelected, NodeSelected

from morula.core.columns import BoolArray, FrameArray
from morula.solve.problem.problem import Problem


@dataclass(frozen=True, kw_only=True)
class MotileChoice:
    """What motile chose, whether it says that this is optimal, and CPU seconds to build the model and to solve it."""

    node_selected: BoolArray
    edge_selected: BoolArray
    optimal: bool
    build_s: float
    solve_s: float


def solve_with_motile(problem: Problem, t: FrameArray, *, timeout_s: float = 0.0) -> MotileChoice:
    """Solve a problem without pins with motile and SCIP, one thread; for at most `timeout_s` seconds unless that is 0.

    Starts in the first frame and ends in the last must cost nothing: motile exempts them. Costs are rounded to float32,
    as motile keeps them.

    Raises
    ------
    ValueError
        If there are pins, a start or end cost below 0, or one above 0 in the first or last frame.
    """
    costs = problem.costs
    first, last = t == t.min(initial=0), t == t.max(initial=0)
    if problem.pins.any or costs.start[first].any() or costs.end[last].any() or min(*costs.start, *costs.end, 0) < 0:
        raise ValueError("motile cannot express this problem")
    began = time.process_time()
    solver = Solver(_copy_graph(problem, t))
    solver.add_cost(NodeSelectedCost(attribute="node"))
    solver.add_cost(EdgeSelectedCost(attribute="edge"))
    solver.add_cost(NodeAppearCost(attribute="start"))
    solver.add_cost(NodeSplitCost(attribute="division"))
    if costs.end.any():
        solver.add_cost(NodeDisappearCost(attribute="end"))
    solver.add_constraint(MaxParents(1))
    solver.add_constraint(MaxChildren(2))
    built = time.process_time()
    solution = solver.solve(timeout=timeout_s)
    solved = time.process_time()
    value = np.asarray(solution)
    node, edge = solver.get_variables(NodeSelected), solver.get_variables(EdgeSelected)
    return MotileChoice(
        node_selected=np.array([value[node[row]] > 0.5 for row in range(problem.n)], bool),
        edge_selected=np.array([value[edge[link]] > 0.5 for link in _list_links(problem)], bool),
        optimal=solution.get_status() == "OPTIMAL",
        build_s=built - began,
        solve_s=solved - built,
    )


def _copy_graph(problem: Problem, t: FrameArray) -> TrackGraph:
    costs, graph = problem.costs, TrackGraph()
    columns = (t.tolist(), costs.node.tolist(), costs.start.tolist(), costs.division.tolist(), costs.end.tolist())
    for row, values in enumerate(zip(*columns, strict=True)):
        graph.add_node(row, dict(zip(("t", "node", "start", "division", "end"), values, strict=True)))
    for link, cost in zip(_list_links(problem), costs.edge.tolist(), strict=True):
        graph.add_edge(link, {"edge": cost})
    return graph


def _list_links(problem: Problem) -> list[tuple[int, int]]:
    return [(parent, child) for parent, child in problem.edges.tolist()]
