"""The problem every solver is given: links, costs, and what is pinned; and the price of a choice.

Owns the type that solvers share and the cutting of smaller problems out of larger ones. It knows rows, no frames and
no positions: rows are in the order of time, and that is all the order there is.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from morula.core.columns import BoolArray, IntArray, ReadOnlyColumns, column
from morula.errors import GraphError, SolveError
from morula.solve.costs import Costs, sum_costs

PinArray = npt.NDArray[np.int8]
IN, FREE, OUT = 1, 0, -1
"""A pinned node or link is taken (`IN`) or left (`OUT`) whatever it costs; a free one is the solver's to choose."""

_MOST_NAMED = 5


@dataclass(frozen=True, slots=True, eq=False)
class Pins(ReadOnlyColumns):
    """What is decided before the solver begins: by hand, or by a block solved earlier.

    Parameters
    ----------
    node, edge
        `IN`, `FREE` or `OUT` for each node and link, shapes (n,) and (m,), int8.
    """

    node: PinArray
    edge: PinArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "node", column(self.node, np.int8, (None,), "node pins"))
        object.__setattr__(self, "edge", column(self.edge, np.int8, (None,), "edge pins"))

    @classmethod
    def none(cls, n: int, m: int) -> Pins:
        """Pin nothing."""
        return cls(node=np.zeros(n, np.int8), edge=np.zeros(m, np.int8))

    @property
    def any(self) -> bool:
        """Whether anything is pinned."""
        return bool(self.node.any() or self.edge.any())


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
        _refuse_contradictions(edges, self.pins, n)

    @property
    def n(self) -> int:
        """Number of nodes."""
        return len(self.costs.node)

    @property
    def m(self) -> int:
        """Number of links."""
        return len(self.edges)

    def price(self, node_selected: BoolArray, edge_selected: BoolArray) -> float:
        """Return the cost of a choice, see `morula.solve.costs.sum_costs`."""
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


def _refuse_contradictions(edges: IntArray, pins: Pins, n: int) -> None:
    """Refuse pins no forest agrees with. Each contradiction shows at one node; without one, a forest exists."""
    if not (pins.edge == IN).any():
        return
    taken = np.flatnonzero(pins.edge == IN)
    parent, child = edges[taken].T
    broken = (pins.node[parent] == OUT) | (pins.node[child] == OUT)
    if broken.any():
        link = edges[taken[np.flatnonzero(broken)[0]]].tolist()
        gone = [row for row in link if pins.node[row] == OUT]
        raise _contradiction(f"link {link[0]} → {link[1]} is pinned in, and its node {gone[0]} is pinned out")
    for ends, most, role in ((child, 1, "parents"), (parent, 2, "children")):
        crowded = np.flatnonzero(np.bincount(ends, minlength=n) > most)
        if len(crowded):
            links = edges[taken[ends == crowded[0]]][:_MOST_NAMED].tolist()
            named = ", ".join(f"{a} → {b}" for a, b in links)
            raise _contradiction(f"links {named} are pinned in, and node {crowded[0]} can have {most} {role}")


def _contradiction(what: str) -> SolveError:
    return SolveError(
        f"no forest agrees with all pins: {what}.",
        cause="two hand corrections that exclude each other",
        fix="take one of these pins back (rows count from 0, in the order of the graph's nodes)",
    )
