"""The front door of this stage: a candidate graph goes in, the cheapest forest comes out.

Owns the order of things (price, solve, check, drop fragments) and the words for how the result was obtained. How it is
found is the solver's business, see `solution`, `method` and `blocks`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from morula.core.columns import FloatArray, IntArray
from morula.core.graph import CandidateGraph
from morula.core.lineages import Selection, SolveStatus
from morula.core.pins import Pins
from morula.core.progress import ProgressSink, ignore_progress
from morula.errors import SolveError
from morula.solve.blocks.solve import asks_for_blocks, solve_in_blocks
from morula.solve.forest import check_forest, keep_long_lineages
from morula.solve.method import solve_problem
from morula.solve.params import SolveParams
from morula.solve.problem.contradiction import find_contradiction
from morula.solve.problem.costs import price_graph
from morula.solve.problem.problem import Problem
from morula.solve.solution import Solution

logger = logging.getLogger(__name__)


def solve_graph(
    graph: CandidateGraph,
    params: SolveParams,
    *,
    extent_um: FloatArray | None = None,
    pins: Pins | None = None,
    node_id: IntArray | None = None,
    progress: ProgressSink = ignore_progress,
) -> Selection:
    """Choose the cheapest forest of a candidate graph (Malin-Mayor et al. 2023, "Candidate graph optimisation").

    Parameters
    ----------
    graph
        Detections and possible links.
    params
        Cost weights and limits; with `block_frames` or `block_um` the graph is solved block by block.
    extent_um
        Centre of the movie's last voxel, µm, order z, y, x, shape (3,), for `params.free_border_um`; None for a bare
        graph.
    pins
        Nodes and links taken or left whatever they cost; None for none.
    node_id
        Names of the nodes in messages, shape (n,); rows by default.
    progress
        Hears of every block solved; without blocks of nothing.

    Returns
    -------
    selection
        Status "optimal" if no forest is cheaper; "feasible" if a limit ended the search, the gap asked for was reached,
        or fragments were dropped afterwards. The objective is the plain sum of costs of what is selected, the lower
        bound that of the whole graph (−inf after blocks without `params.block_bound`).

    Raises
    ------
    ConfigError
        If blocks are asked for that are too small, or with too little context.
    GraphError
        If a cost is not finite, or pins do not fit the graph.
    SolveError
        If no forest was found within the time limit (or, with blocks, not the whole of one as good as asked for), or
        pins contradict each other; the message names their nodes.

    Examples
    --------
    >>> import numpy as np
    >>> from morula.core.detections import Detections
    >>> nodes = Detections.sorted([0, 1, 1], [[0, 0, 0], [0, 0, 1], [0, 0, 9]], [0.9, 0.8, 0.1], np.zeros((3, 3)))
    >>> graph = CandidateGraph(nodes=nodes, edges=[[0, 1], [0, 2]], distance_um=[1.0, 9.0])
    >>> selection = solve_graph(graph, SolveParams())
    >>> selection.node_selected.tolist(), selection.objective, selection.status
    ([True, True, False], -29.0, 'optimal')
    """
    began = time.perf_counter()
    problem = pose_problem(graph, params, extent_um=extent_um, pins=pins, node_id=node_id)
    if asks_for_blocks(params):
        solution = solve_in_blocks(graph, problem, params, progress=progress)
    else:
        solution = solve_problem(problem, params)
    check_forest(graph.edges, solution.node_selected, solution.edge_selected)
    selection = finish_selection(graph, problem, solution, params, began)
    logger.debug(
        "solved %d nodes and %d edges: %s, cost %.6g, gap %.2g",
        graph.nodes.n,
        graph.n_edges,
        selection.status,
        selection.objective,
        selection.gap,
    )
    return selection


def pose_problem(
    graph: CandidateGraph,
    params: SolveParams,
    *,
    extent_um: FloatArray | None = None,
    pins: Pins | None = None,
    node_id: IntArray | None = None,
) -> Problem:
    """Join graph, costs and pins; parameters and errors as for `solve_graph`."""
    costs = price_graph(graph, params, extent_um=extent_um)
    pins = pins or Pins.none(graph.nodes.n, graph.n_edges)
    try:
        return Problem(graph.edges, costs, pins)
    except SolveError:
        contradiction = find_contradiction(graph.edges, pins)
        if contradiction is None:
            raise
        raise contradiction.to_error(node_id, _tell_places(graph, contradiction.rows, node_id)) from None


def _tell_places(graph: CandidateGraph, rows: Sequence[int], node_id: IntArray | None) -> str:
    places = []
    for row in rows:
        z, y, x = graph.nodes.zyx_um[row]
        name = row if node_id is None else node_id[row]
        places.append(f"node {name} at t {graph.nodes.t[row]}, z {z:.2f}, y {y:.2f}, x {x:.2f} µm")
    return "; ".join(places)


def finish_selection(
    graph: CandidateGraph, problem: Problem, solution: Solution, params: SolveParams, began: float
) -> Selection:
    """Drop short lineages, price what is left, and say how it was obtained.

    Parameters
    ----------
    graph
        The candidate graph.
    problem
        Its costs and pins.
    solution
        A forest of the whole graph and its bound.
    params
        `min_track_frames`.
    began
        When solving began, on the clock of `time.perf_counter`.
    """
    min_frames = params.min_track_frames
    node, edge = keep_long_lineages(
        graph.nodes.t, graph.edges, solution.node_selected, solution.edge_selected, min_frames, problem.pins
    )
    dropped = int(solution.node_selected.sum() - node.sum())
    if dropped:
        logger.debug("dropped %d detections in lineages of fewer than %d frames", dropped, min_frames)
    status: SolveStatus = "optimal" if solution.proven and not dropped else "feasible"
    objective = problem.price(node, edge)
    return Selection(
        node_selected=node,
        edge_selected=edge,
        objective=objective,
        lower_bound=objective if status == "optimal" else min(solution.lower_bound, objective),
        status=status,
        seconds=time.perf_counter() - began,
    )
