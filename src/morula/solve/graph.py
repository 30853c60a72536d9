"""The front door of this stage: a candidate graph goes in, the cheapest forest comes out.

Owns the order of things (price, solve, check, drop fragments) and the words for how the result was obtained. How it is
found is the solver's business, see `solution`.
"""

from __future__ import annotations

import logging
import time

from morula.core.columns import FloatArray
from morula.core.graph import CandidateGraph
from morula.core.lineages import Selection, SolveStatus
from morula.solve.costs import Costs, price_graph, sum_costs
from morula.solve.exact import solve_exactly
from morula.solve.forest import check_forest, keep_long_lineages
from morula.solve.params import SolveParams
from morula.solve.problem import Pins, Problem
from morula.solve.solution import Limits, Solution

_MOST_EXACT_NODES = 30_000
"""Up to here HiGHS proves the optimum in a few seconds; its time grows faster than the graph."""

logger = logging.getLogger(__name__)


def solve_graph(
    graph: CandidateGraph, params: SolveParams, *, extent_um: FloatArray | None = None, pins: Pins | None = None
) -> Selection:
    """Choose the cheapest forest of a candidate graph (Malin-Mayor et al. 2023, "Candidate graph optimisation").

    Parameters
    ----------
    graph
        Detections and possible links.
    params
        Cost weights and limits.
    extent_um
        Centre of the movie's last voxel, µm, order z, y, x, shape (3,), for `params.free_border_um`; None for a bare
        graph.
    pins
        Nodes and links taken or left whatever they cost; None for none.

    Returns
    -------
    selection
        Status "optimal" if no forest is cheaper; "feasible" if a limit ended the search, the gap asked for was reached,
        or fragments were dropped afterwards. The objective is the plain sum of costs of what is selected, the lower
        bound that of the whole graph.

    Raises
    ------
    GraphError
        If a cost is not finite.
    SolveError
        If no forest was found within the time limit, or pins contradict each other.

    Examples
    --------
    >>> from morula.core.detections import Detections
    >>> nodes = Detections.sorted([0, 1, 1], [[0, 0, 0], [0, 0, 1], [0, 0, 9]], [0.9, 0.8, 0.1], np.zeros((3, 3)))
    >>> graph = CandidateGraph(nodes=nodes, edges=[[0, 1], [0, 2]], distance_um=[1.0, 9.0])
    >>> selection = solve_graph(graph, SolveParams())
    >>> selection.node_selected.tolist(), selection.objective, selection.status
    ([True, True, False], -25.0, 'optimal')
    """
    began = time.perf_counter()
    costs = price_graph(graph, params, extent_um=extent_um)
    solution = _solve(Problem(graph.edges, costs, pins or Pins.none(graph.nodes.n, graph.n_edges)), params)
    check_forest(graph.edges, solution.node_selected, solution.edge_selected)
    selection = _finish(graph, costs, solution, params.min_track_frames, began)
    logger.debug(
        "solved %d nodes and %d edges: %s, cost %.6g, gap %.2g",
        graph.nodes.n,
        graph.n_edges,
        selection.status,
        selection.objective,
        selection.gap,
    )
    return selection


def _solve(problem: Problem, params: SolveParams) -> Solution:
    """Prove the optimum of small problems; find a forest and a bound for large ones."""
    method = params.method
    if method == "auto":
        method = "exact" if problem.n <= _MOST_EXACT_NODES or params.formulation == "paper" else "ascent"
    if method == "exact":
        return solve_exactly(problem, Limits.starting_now(0.0, params.time_limit_s), formulation=params.formulation)
    from morula.solve.large import solve_by_ascent  # compiles; small problems do without

    return solve_by_ascent(problem, Limits.starting_now(params.gap, params.time_limit_s))


def _finish(graph: CandidateGraph, costs: Costs, solution: Solution, min_frames: int, began: float) -> Selection:
    """Drop short lineages, price what is left, and say how it was obtained."""
    node, edge = keep_long_lineages(
        graph.nodes.t, graph.edges, solution.node_selected, solution.edge_selected, min_frames
    )
    dropped = int(solution.node_selected.sum() - node.sum())
    if dropped:
        logger.debug("dropped %d detections in lineages of fewer than %d frames", dropped, min_frames)
    status: SolveStatus = "optimal" if solution.proven and not dropped else "feasible"
    objective = sum_costs(costs, graph.edges, node, edge)
    return Selection(
        node_selected=node,
        edge_selected=edge,
        objective=objective,
        lower_bound=objective if status == "optimal" else min(solution.lower_bound, objective),
        status=status,
        seconds=time.perf_counter() - began,
    )
