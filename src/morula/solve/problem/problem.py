"""The problem every solver is given: links, costs, and what is pinned; and the price of a choice.

Owns the type that solvers share and the cutting of smaller problems out of larger ones. It knows rows, no frames and
no positions: rows are in the order of time, and that is all the order there is.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from morula.core.columns import BoolArray, IntArray, ReadOnlyColumns, column
from morula.core.pins import FREE, IN, OUT, PinArray, Pins
from morula.errors import GraphError
from morula.solve.problem.contradiction import find_contradiction
from morula.solve.problem.costs import Costs, sum_costs

__all__ = ["FREE", "IN", "OUT", "PinArray", "Pins", "Problem"]


@dataclass(frozen=True, slots=True, eq=False)
class Problem(ReadOnlyColumns):
    """Choose the cheapest forest: at most one parent and two children a node, pins respected.

    Parameters
    ----------
    edges
        Rows of parent and child, shape (m, 2); the parent's row is the smaller one.
    costs
        Costs of the n nodes and m links.
    pins
        What is decided already; empty ones stand for nothing.

    Raises
    ------
    GraphError
        If lengths differ, or a link does not go from a smaller to a larger row.
    SolveError
        If no forest agrees with all pins; the message names those that contradict each other.
    """

    edges: IntArray
    costs: Costs
    pins: Pins = field(default_factory=lambda: Pins.none(0, 0))

    def __post_init__(self) -> None:
        edges = column(self.edges, np.int64, (None, 2), "edges")
        object.__setattr__(self, "edges", edges)
        n, m = self.n, len(edges)
        if m != len(self.costs.edge):
            raise GraphError(f"{m} links have {len(self.costs.edge)} costs.", fix="price the graph they belong to")
        if m and (edges.min() < 0 or edges.max() >= n or (edges[:, 0] >= edges[:, 1]).any()):
            raise GraphError("a link does not lead from a smaller row to a larger one.", fix="sort the nodes by time")
        if not len(self.pins.node) and not len(self.pins.edge):
            object.__setattr__(self, "pins", Pins.none(n, m))
        if (len(self.pins.node), len(self.pins.edge)) != (n, m):
            raise GraphError(
                f"pins for {len(self.pins.node)} nodes and {len(self.pins.edge)} links do not fit {n} and {m}.",
                fix="make the pins from the graph they are for",
            )
        contradiction = find_contradiction(edges, self.pins)
        if contradiction is not None:
            raise contradiction.to_error()

    @property
    def n(self) -> int:
        """Number of nodes."""
        return len(self.costs.node)

    @property
    def m(self) -> int:
        """Number of links."""
        return len(self.edges)

    def price(self, node_selected: BoolArray, edge_selected: BoolArray) -> float:
        """Return the cost of a choice, see `morula.solve.problem.costs.sum_costs`."""
        return sum_costs(self.costs, self.edges, node_selected, edge_selected)

    def scaled(self, factor: float) -> Problem:
        """Return the same problem with all costs times `factor`."""
        return Problem(self.edges, self.costs.scaled(factor), self.pins)

    def cut(self, nodes: IntArray, edges: IntArray) -> Problem:
        """Return the problem on some rows of nodes (ascending) and the given rows of links, all ends among them."""
        return Problem(
            np.searchsorted(nodes, self.edges[edges]),
            self.costs.rows(nodes, edges),
            Pins(node=self.pins.node[nodes], edge=self.pins.edge[edges]),
        )
