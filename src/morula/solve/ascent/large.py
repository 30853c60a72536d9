"""A forest of millions of nodes with a certificate: dual ascent for the bound, exact solving of what it leaves open.

Owns the strategy:

1. Sweeps of `dual.DualAscent` over all nodes raise the lower bound until they gain less and less.
2. A link whose margins at both ends agree and are clear is decided. The open rest falls into parts that touch each
   other only through decided links; each is solved exactly with those held (`ilp.exact`).
3. Cost minus bound is a sum over nodes of what the forest's choice there exceeds the node's own minimum. On most graphs
   one node in a thousand has such an excess: only around these, the graph is swept on, which takes a tenth of the time
   and gains as much.
4. What then remains is repaired: everything within a few links of an excess is opened again and solved exactly, all
   else held; or, where the excess is everywhere, 2 is done again. And again from 3, a few links further.
5. A small problem that still has a gap is solved exactly as a whole.

Every forest on the way is whole and every bound is valid for the whole graph, so a time limit or a gap that cannot be
reached only ends the search.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from morula.core.columns import BoolArray, FloatArray, IntArray
from morula.errors import SolveError
from morula.solve.ascent.dual import DualAscent, RowArray
from morula.solve.ilp.exact import solve_exactly
from morula.solve.problem.problem import FREE, IN, OUT, Problem
from morula.solve.problem.reduce import Piece, cut_open_parts, drop_excluded
from morula.solve.solution import Limits, Solution

logger = logging.getLogger(__name__)

_AGREE = 1e-6
"""How far a margin may lie on the other side of 0 for the two ends of a link to agree, in typical costs."""

_CLEAR = (0.05, 0.02, 0.01, 0.003, 0.001)
"""Margins from which a link is decided, in typical costs: the first one that leaves no part too large is taken."""

_PLAUSIBLE = (4.0, 1.0, 0.3, 0.1)
"""In a repair, links with a larger margin are not opened again; the same rule."""

_LARGEST_PART, _BATCH = 3000, 1000
"""Nodes of a part that is solved exactly (HiGHS takes well under a second for it, and its time grows faster than n),
and up to how many of them small parts are solved together."""

_SWEEPS_AT_ONCE = 10
_MOST_BATCHES = 60

_FIRST_GAIN = 2e-4
"""The whole graph is swept until ten sweeps raise the bound by less than this part of it."""

_WORTHWHILE = 0.05
"""Sweeping ends when ten sweeps gain less than this part of the gap allowed."""

_NEGLIGIBLE = 0.1
"""Nodes whose excess is below this part of the mean are not swept around: together they hold no more of the gap."""

_SMALL_PART = 0.3
"""Where less of the graph than this lies around an excess, the forest is repaired there; else it is decided anew."""

_REACHES = (3, 6, 10, 15)
"""How many links away from a node with an excess the graph is swept, and then opened, again; in turn."""


@dataclass(frozen=True, slots=True, eq=False)
class _Forest:
    node: BoolArray
    edge: BoolArray
    cost: float


def solve_by_ascent(problem: Problem, limits: Limits) -> Solution:
    """Find a forest and a lower bound on any forest's cost.

    Parameters
    ----------
    problem
        Links, costs of any sign, and pins.
    limits
        Gap that is good enough, and deadline.

    Returns
    -------
    solution
        The best forest found, its bound, and whether they are equal.

    Notes
    -----
    Measured figures are in ``docs/performance.md`` (``benchmarks/bench_solve.py``).
    """
    unit = problem.costs.find_unit()
    piece = drop_excluded(problem.scaled(1 / unit))
    search = _Search(piece.problem, limits)
    forest, bound = search.run()
    edge = np.zeros(problem.m, bool)
    edge[piece.edges[forest.edge]] = True
    return Solution(
        node_selected=forest.node,
        edge_selected=edge,
        lower_bound=min(bound * unit, problem.price(forest.node, edge)),
        proven=forest.cost - bound <= 1e-9 * max(1.0, abs(forest.cost)),
    )


class _Search:
    """The steps of the strategy on one problem, whose links are sorted by child."""

    def __init__(self, problem: Problem, limits: Limits) -> None:
        self.problem, self.limits = problem, limits
        self.ascent = DualAscent(problem)
        self.best: _Forest | None = None

    def run(self) -> tuple[_Forest, float]:
        """Sweep and decide; then focus, repair or decide anew, wider and wider, until the gap is reached."""
        self._sweep()
        best = self._keep(self._decide())
        for reach in _REACHES:
            focused = self._focus(best, reach)
            if focused and not self._is_done(best):
                best = self._repair(best, reach)
            if not self._is_done(best):
                best = self._keep(self._decide())
            logger.debug("reach %d: cost %.9g, bound %.9g", reach, best.cost, self.ascent.bound())
            if self._is_done(best):
                break
        if self._is_done(best) or self.problem.n > _LARGEST_PART:
            return best, self.ascent.bound()
        return self._solve_whole(best)

    def _is_done(self, best: _Forest) -> bool:
        return self._is_late() or best.cost - self.ascent.bound() <= self._allowed(best)

    def _is_late(self) -> bool:
        return self.limits.seconds_left <= 0

    def _allowed(self, best: _Forest) -> float:
        return max(self.limits.gap, 1e-10) * abs(best.cost)

    def _solve_whole(self, best: _Forest) -> tuple[_Forest, float]:
        """Solve a small problem in one piece, where the sweeps leave a gap: divisions that pay well do that."""
        try:
            solution = solve_exactly(self.problem, self.limits)
        except SolveError:  # the time is over, and there is a forest already
            return best, self.ascent.bound()
        node, edge = solution.node_selected, solution.edge_selected
        best = self._keep(_Forest(node, edge, self.problem.price(node, edge)))
        return best, max(self.ascent.bound(), solution.lower_bound)

    def _sweep(self) -> None:
        """Sweep all nodes until a forest can show where more is to be gained."""
        bound = self.ascent.bound()
        for _ in range(_MOST_BATCHES):
            self._sweep_rows(None)
            before, bound = bound, self.ascent.bound()
            if bound - before <= max(_FIRST_GAIN, _WORTHWHILE * self.limits.gap) * abs(bound) or self._is_late():
                break

    def _focus(self, best: _Forest, reach: int) -> bool:
        """Sweep where the forest exceeds the bound, while that gains; return whether it was a small part of all."""
        before, share = np.inf, 0.0
        for _ in range(_MOST_BATCHES):
            excess = self.ascent.excess(best.node, best.edge)
            total, allowed = float(excess.sum()), self._allowed(best)
            too_little = _WORTHWHILE * max(allowed, 1e-6 * abs(best.cost))
            if total <= allowed or before - total <= too_little or self._is_late():
                break
            rows = self.ascent.rows_around(excess > _NEGLIGIBLE * total / len(excess), reach)
            self._sweep_rows(rows)
            before, share = total, len(rows) / len(excess)
        return share < _SMALL_PART

    def _sweep_rows(self, rows: RowArray | None) -> None:
        for _ in range(_SWEEPS_AT_ONCE // 2):
            self.ascent.sweep_sharply(rows)
            self.ascent.sweep(rows)

    def _keep(self, forest: _Forest) -> _Forest:
        if self.best is None or forest.cost < self.best.cost:
            self.best = forest
        return self.best

    def _decide(self) -> _Forest:
        """Take and leave the clear links; solve what is open."""
        for _ in range(0 if self._is_late() else _SWEEPS_AT_ONCE):
            self.ascent.sweep()
        at_parent, at_child = self.ascent.margins()
        for clear in _CLEAR:
            taken, is_open = self._divide(at_parent, at_child, clear)
            part, size = self._find_parts(is_open)
            if size.max(initial=0) <= _LARGEST_PART:
                break
        return self._solve_parts(taken, is_open, part, size)

    def _divide(self, at_parent: FloatArray, at_child: FloatArray, clear: float) -> tuple[BoolArray, BoolArray]:
        """Say which links are taken and which are open at a given clearness."""
        parent, child = self.problem.edges.T
        n, pinned = self.problem.n, self.problem.pins.edge == IN
        margin = at_parent + at_child
        taken = (margin < -clear) & (np.maximum(at_parent, at_child) <= _AGREE) | pinned
        left = (margin > clear) & (np.minimum(at_parent, at_child) >= -_AGREE)
        crowded = (np.bincount(child[taken], minlength=n) > 1)[child] | (np.bincount(parent[taken], minlength=n) > 2)[
            parent
        ]
        taken &= ~crowded | pinned
        has_parent, n_children = np.bincount(child[taken], minlength=n) > 0, np.bincount(parent[taken], minlength=n)
        return taken, ~(taken | left | has_parent[child] | (n_children[parent] > 1))

    def _find_parts(self, is_open: BoolArray) -> tuple[IntArray, IntArray]:
        """Number the parts that open links join; −1 for nodes without one. Return also the nodes of each part."""
        n = self.problem.n
        parent, child = self.problem.edges[is_open].T
        joined = coo_array((np.ones(len(parent), np.int8), (parent, child)), shape=(n, n))
        _, label = connected_components(joined, directed=False)
        touched = np.zeros(n, bool)
        touched[parent], touched[child] = True, True
        part = np.full(n, -1)
        _, part[touched] = np.unique(label[touched], return_inverse=True)
        return part, np.bincount(part[touched])

    def _solve_parts(self, taken: BoolArray, is_open: BoolArray, part: IntArray, size: IntArray) -> _Forest:
        """Solve the open links of all parts, several small ones at once, with the taken ones held."""
        batch = np.append((np.cumsum(size) - size) // _BATCH, -1)[part]
        edge, node = taken.copy(), np.zeros(self.problem.n, bool)
        self._solve_pieces(cut_open_parts(self.problem, taken, is_open, batch), edge, node)
        return self._complete(edge, node, part < 0)

    def _solve_pieces(self, pieces: Iterable[Piece], edge: BoolArray, node: BoolArray) -> None:
        for piece in pieces:
            solution = solve_exactly(piece.problem, Limits(gap=self.limits.gap / 4))
            edge[piece.edges] = solution.edge_selected
            node[piece.nodes] = solution.node_selected

    def _complete(self, edge: BoolArray, node: BoolArray, closed: BoolArray) -> _Forest:
        """Add the ends of links, and the closed single nodes that pay or are pinned; leave those pinned out."""
        costs, pins = self.problem.costs, self.problem.pins
        node |= closed & (costs.node + costs.start + costs.end < 0) | (pins.node == IN)
        node &= pins.node != OUT
        node[self.problem.edges[edge].ravel()] = True
        return _Forest(node, edge, self.problem.price(node, edge))

    def _repair(self, best: _Forest, radius: int) -> _Forest:
        """Open everything within some links of the nodes whose choice exceeds their minimum, and solve it anew."""
        parent, child = self.problem.edges.T
        at_parent, at_child = self.ascent.margins()
        margin = np.where(best.edge, -np.inf, at_parent + at_child)
        near = self.ascent.excess(best.node, best.edge) > _AGREE
        for _ in range(radius):
            step = (margin < _PLAUSIBLE[0]) & (near[parent] | near[child])
            near[parent[step]], near[child[step]] = True, True
        inside = near[parent] & near[child] & (self.problem.pins.edge == FREE)
        for clear in (*_PLAUSIBLE, *_CLEAR):
            is_open = inside & (margin < clear)
            part, size = self._find_parts(is_open)
            if size.max(initial=0) <= _LARGEST_PART:
                break
        return self._keep(self._solve_parts(best.edge & ~is_open, is_open, part, size))
