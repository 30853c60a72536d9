"""Margins: what the objective would lose at least by deciding one node or link otherwise (its min-marginal).

The bound of dual ascent is a sum over nodes (see `dual`). Forbid a link that the choice takes, or force one that it
leaves: then only the minima at its two ends change, and the sum of what they rise by is a bound on the loss. It is a
loose one, about half the truth, because centred shares leave every node a little of the surplus. So before it is read,
all nodes within a few links give what they can spare, from far to near, towards the link in question: on a tree this
makes the bound exact, as in the collecting half of belief propagation. The shares are put back afterwards.

For every node and link x, whatever the shares::

    least cost of a forest that decides otherwise about x  >=  bound + margin(x)

so with a proven optimum (bound = objective) a margin never exceeds the true loss. Owns the order of things; the loops
are in `collect`.
"""

from __future__ import annotations

import numpy as np

from morula.core.columns import BoolArray, FloatArray
from morula.core.confidence import Margins
from morula.core.graph import CandidateGraph
from morula.core.lineages import Selection
from morula.core.pins import Pins
from morula.solve.ascent import collect
from morula.solve.ascent.dual import DualAscent
from morula.solve.graph import pose_problem
from morula.solve.params import SolveParams
from morula.solve.problem.problem import FREE, Problem
from morula.solve.problem.reduce import Piece, drop_excluded

_SWEEPS_AT_ONCE = 10
_MOST_SWEEPS = 300
_GAINED_ENOUGH = 1e-7
"""Sweeping ends when ten sweeps raise the bound by less than this part of it."""

_PLAUSIBLE = 2.0
"""Links that would cost more than this, in typical costs, are no way along which shares are worth collecting."""

_NEAR_TAKEN, _NEAR_OTHER = 40, 16
"""From how many of the nearest nodes shares are collected, for taken links and for all else."""


def measure_selection(
    graph: CandidateGraph,
    params: SolveParams,
    selection: Selection,
    *,
    extent_um: FloatArray | None = None,
    pins: Pins | None = None,
) -> Margins:
    """Measure the margins of a selection; graph, settings, extent and pins as they were given to `solve_graph`."""
    problem = pose_problem(graph, params, extent_um=extent_um, pins=pins)
    return measure_margins(problem, selection.node_selected, selection.edge_selected)


def measure_margins(problem: Problem, node_selected: BoolArray, edge_selected: BoolArray) -> Margins:
    """Measure the margin of every node and link of a choice.

    Parameters
    ----------
    problem
        Links, costs of any sign, and pins.
    node_selected, edge_selected
        The choice, shapes (n,) and (m,); any forest, the margins say most about the cheapest.

    Returns
    -------
    margins
        In the unit of the costs; infinite for what is pinned and what pins exclude, 0 where the bound speaks against
        the choice.

    Notes
    -----
    Time grows with the number of links: measured figures are in ``docs/performance.md``
    (``benchmarks/bench_confidence.py``).
    """
    if not problem.n:
        return Margins(node=np.zeros(0), edge=np.zeros(0), lower_bound=0.0)
    unit = problem.costs.find_unit()
    piece = drop_excluded(problem.scaled(1 / unit))
    ascent = DualAscent(piece.problem)
    _sweep(ascent)
    node, edge = _collect(ascent, piece, node_selected, edge_selected[piece.edges])
    margin = np.full(problem.m, np.inf)
    margin[piece.edges] = edge * unit
    margin[problem.pins.edge != FREE] = np.inf
    node[problem.pins.node != FREE] = np.inf
    node[problem.edges[problem.pins.edge > FREE].ravel()] = np.inf
    return Margins(node=node * unit, edge=margin, lower_bound=ascent.bound() * unit)


def _sweep(ascent: DualAscent) -> None:
    """Sweep until hardly anything is gained, evenly: sharp sweeps would blur the margins."""
    bound = ascent.bound()
    for _ in range(0, _MOST_SWEEPS, _SWEEPS_AT_ONCE):
        for _ in range(_SWEEPS_AT_ONCE):
            ascent.sweep()
        before, bound = bound, ascent.bound()
        if bound - before <= _GAINED_ENOUGH * abs(bound):
            return


def _collect(
    ascent: DualAscent, piece: Piece, node_taken: BoolArray, edge_taken: BoolArray
) -> tuple[FloatArray, FloatArray]:
    """Measure all nodes and links, in typical costs."""
    problem = piece.problem
    ends = tuple(np.ascontiguousarray(end) for end in problem.edges.T)
    at_parent, at_child = ascent.margins()
    follow = edge_taken | (np.maximum(at_parent, 0) + np.maximum(at_child, 0) < _PLAUSIBLE)
    node, edge = np.zeros(problem.n), np.zeros(problem.m)
    for rows, most in ((edge_taken, _NEAR_TAKEN), (~edge_taken, _NEAR_OTHER)):
        collect.measure_edges(ascent.parts, ends, follow, edge_taken, np.flatnonzero(rows), most, edge)
    collect.measure_nodes(ascent.parts, ends, follow, node_taken, _NEAR_OTHER, node)
    return node, edge
