"""A forest of millions of nodes with a certificate: dual ascent for the bound, exact solving of what it leaves open.

Owns the strategy:

1. Sweeps of `dual.DualAscent` raise the lower bound until they gain too little.
2. A link whose margins at both ends agree and are clear is decided. The open rest falls into parts that touch each
   other only through decided links; each is solved exactly with those held (`exact.solve_exactly`).
3. Cost minus bound is a sum over nodes of what the forest's choice there exceeds the node's own minimum. Around nodes
   with such an excess everything within a few links is opened again and solved exactly, all else held.
4. While the gap asked for is not reached: more sweeps, sharper ones, and again from 2 with more links left open.

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
from morula.solve.dual import DualAscent
from morula.solve.exact import solve_exactly
from morula.solve.problem import FREE, IN, OUT, Problem
from morula.solve.reduce import Piece, cut_open_parts, drop_excluded
from morula.solve.solution import Limits, Solution

logger = logging.getLogger(__name__)

_AGREE = 1e-6
"""How far a margin may lie on the other side of 0 for the two ends of a link to agree, in typical costs."""

_CLEAR = (1.0, 0.5, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01, 0.003, 0.001)
"""Margins from which a link is decided, in typical costs: the first one that leaves no part too large is taken."""

_PLAUSIBLE = 4.0
"""Links with a larger margin are not opened again."""

_LARGEST_PART = 3000
"""Nodes of a part that is solved exactly: HiGHS takes well under a second for it, and its time grows faster than n."""

_SWEEPS_AT_ONCE = 10
_MOST_SWEEPS = 600
_ROUNDS = 4
_RADII = (3, 6, 10)
"""How many links away from a node with an excess the graph is opened again, in turn."""


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
        lower_bound=min(bound, forest.cost) * unit,
        proven=forest.cost - bound <= 1e-9 * max(1.0, abs(forest.cost)),
    )


class _Search:
    """The steps of the strategy on one problem, whose links are sorted by child."""

    def __init__(self, problem: Problem, limits: Limits) -> None:
        self.problem, self.limits = problem, limits
        self.ascent = DualAscent(problem)
        self.best: _Forest | None = None

    def run(self) -> tuple[_Forest, float]:
        """Sweep, decide, repair; repeat until the gap is reached or nothing more is gained."""
        self._sweep(sharply=False)
        for attempt in range(_ROUNDS):
            best = self._keep(self._decide())
            for radius in _RADII:
                if self._is_done(best):
                    break
                best = self._repair(best, radius)
            logger.debug("round %d: cost %.9g, bound %.9g", attempt, best.cost, self.ascent.bound())
            if self._is_done(best):
                break
            self._sweep(sharply=True)
        return best, self.ascent.bound()

    def _is_done(self, best: _Forest) -> bool:
        late = self.limits.seconds_left <= 0
        return late or best.cost - self.ascent.bound() <= max(self.limits.gap, 1e-10) * abs(best.cost)

    def _sweep(self, *, sharply: bool) -> None:
        """Sweep until ten sweeps gain less than a twentieth of the gap allowed; sharp ones end with clear margins."""
        bound = self.ascent.bound()
        for _ in range(0, _MOST_SWEEPS, _SWEEPS_AT_ONCE):
            for _ in range(_SWEEPS_AT_ONCE):
                self.ascent.sweep_sharply() if sharply else self.ascent.sweep()
            before, bound = bound, self.ascent.bound()
            if bound - before <= 0.05 * max(self.limits.gap, 1e-6) * abs(bound) or self.limits.seconds_left <= 0:
                break
        if sharply:
            for _ in range(2 * _SWEEPS_AT_ONCE):
                self.ascent.sweep()

    def _keep(self, forest: _Forest) -> _Forest:
        if self.best is None or forest.cost < self.best.cost:
            self.best = forest
        return self.best

    def _decide(self) -> _Forest:
        """Take and leave the clear links; solve what is open."""
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
        batch = np.append((np.cumsum(size) - size) // _LARGEST_PART, -1)[part]
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
            step = (margin < _PLAUSIBLE) & (near[parent] | near[child])
            near[parent[step]], near[child[step]] = True, True
        inside = near[parent] & near[child] & (self.problem.pins.edge == FREE)
        for clear in (_PLAUSIBLE, *_CLEAR):
            is_open = inside & (margin < clear)
            part, size = self._find_parts(is_open)
            if size.max(initial=0) <= _LARGEST_PART:
                break
        return self._keep(self._solve_parts(best.edge & ~is_open, is_open, part, size))
