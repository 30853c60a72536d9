"""Dual ascent: a lower bound for the cheapest forest of a whole graph, and how clear each link is.

The problem is cut into one small problem per node v (Lagrangean decomposition): which of its candidate links to and
from v are taken, at a share of their cost. With in_e the share of link e at its child, out_e that at its parent,
``in_e + out_e = edge_e``, the node problem has the value::

    f_v = min(0, node_v + min(start_v, min_e in_e) + min(end_v, o1, o1 + o2 + division_v))

where o1 <= o2 are the two smallest shares out_e of its candidate children (0, not taken, is missing where v is pinned
in). Whatever the shares, the sum of all f_v is at most the cost of any forest. Sweeps forward and backward in time move
shares from one end of a link to the other so that the sum never falls (block coordinate ascent, as in Haller et al.,
"A primal-dual solver for large-scale tracking-by-assignment", AISTATS 2020, and Swoboda et al., CVPR 2017). The node
problems are integral, so the best sum is the value of the tight linear relaxation in `ilp.formulation`.

The *margin* of link e at one of its ends is the least f_v with the link minus the least without it: positive speaks
against the link, negative for it, and the shares are not moved by more than that.

Owns the arrays and the order of sweeps; the loops are in `sweeps`. Knows nothing of forests.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from morula.core.columns import BoolArray, FloatArray, IntArray
from morula.solve.ascent import sweeps
from morula.solve.problem.problem import IN, Problem

RowArray = npt.NDArray[np.uint32]
"""Rows of nodes, unsigned: the compiled loops then need not ask whether one is negative, and are a sixth faster."""

_FORBIDDEN = 2.0**24
"""Cost of what a pin excludes, in typical costs: never chosen, and exact to 1e-9 when added and taken away. Where one
cost is nearly as large, it is sixteen times that one."""


class DualAscent:
    """The shares of all links and the sweeps that improve them.

    Parameters
    ----------
    problem
        Links sorted by child; nothing pinned out, and a pinned link is the only candidate parent of its child
        (see `problem.reduce.drop_excluded`). Costs near 1.

    Notes
    -----
    24 bytes per link and 56 per node are held. A sweep in both directions takes about 15 ns per link.
    """

    def __init__(self, problem: Problem) -> None:
        edges, pins, costs, n = problem.edges, problem.pins, problem.costs, problem.n
        forbidden = max(_FORBIDDEN, 16.0 * costs.find_largest())
        start = costs.start.copy()
        start[edges[pins.edge == IN, 1]] = forbidden
        forced = pins.node == IN
        forced[edges[pins.edge == IN].ravel()] = True
        order = np.argsort(edges[:, 0], kind="stable")
        self._parts = sweeps.NodeProblems(
            node=costs.node,
            start=start,
            division=costs.division,
            end=costs.end,
            left=np.where(forced, forbidden, 0.0),
            share_in=costs.edge / 2,
            share_out=costs.edge / 2,
            first_in=_find_first(edges[:, 1], n),
            out=order.astype(np.int32),
            first_out=_find_first(edges[order, 0], n),
        )
        self._edges, self._all = edges, np.arange(n, dtype=np.uint32)

    @property
    def parts(self) -> sweeps.NodeProblems:
        """The arrays of all node problems, for loops that measure them."""
        return self._parts

    def sweep(self, rows: RowArray | None = None) -> None:
        """Go forward and backward once, sharing every surplus evenly: leaves clear margins.

        Parameters
        ----------
        rows
            The nodes to visit, ascending; None for all. The bound of the whole graph rises whichever are visited.
        """
        rows = self._all if rows is None else rows
        sweeps.push_to_children(self._parts, rows)
        sweeps.push_to_parents(self._parts, rows, 0.5)

    def sweep_sharply(self, rows: RowArray | None = None) -> None:
        """Go forward and backward once, giving every surplus away: gets closer to the best bound, blurs margins.

        Parameters
        ----------
        rows
            As for `sweep`.
        """
        rows = self._all if rows is None else rows
        sweeps.push_to_children_in_turn(self._parts, rows)
        sweeps.push_to_parents(self._parts, rows, 1.0)

    def rows_around(self, near: BoolArray, reach: int) -> RowArray:
        """Return the rows of all nodes within `reach` candidate links of those that are `near`, shape (n,)."""
        for _ in range(reach):
            wider = np.zeros_like(near)
            sweeps.widen(self._parts, self._edges, near, wider)
            near = wider
        return np.flatnonzero(near).astype(np.uint32)

    def bound(self) -> float:
        """Return the lower bound of the present shares."""
        return float(sweeps.sum_minima(self._parts))

    def margins(self) -> tuple[FloatArray, FloatArray]:
        """Return the margin of each link at its parent and at its child, shape (m,)."""
        at_parent, at_child = np.empty_like(self._parts.share_in), np.empty_like(self._parts.share_in)
        sweeps.find_margins(self._parts, at_parent, at_child)
        return at_parent, at_child

    def excess(self, node_selected: BoolArray, edge_selected: BoolArray) -> FloatArray:
        """Return by how much a forest's choice at each node exceeds f_v, shape (n,); the sum is cost minus bound."""
        excess = np.empty_like(self._parts.left)
        sweeps.find_excess(self._parts, node_selected, edge_selected, excess)
        return excess


def _find_first(sorted_rows: IntArray, n: int) -> IntArray:
    return np.searchsorted(sorted_rows, np.arange(n + 1)).astype(np.int64)
