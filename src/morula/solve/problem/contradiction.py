"""Pins that no forest agrees with, found as rows and told with whatever names the nodes have.

Owns the conditions: each contradiction shows at one link or one node, and where none is found a forest exists (the
pinned links and their ends, and the single nodes pinned in).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from morula.core.columns import IntArray
from morula.core.pins import IN, OUT, Pins
from morula.errors import SolveError

_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Links pinned in that exclude each other, or a pin of one of their nodes.

    Parameters
    ----------
    links
        Rows of parent and child of the links, at most five.
    node
        Row of the node where they collide.
    verdict
        What the node can not be: "is pinned out", "can have 1 parent", "can have 2 children".
    """

    links: tuple[tuple[int, int], ...]
    node: int
    verdict: str

    @property
    def rows(self) -> tuple[int, ...]:
        """Rows of all nodes concerned, ascending."""
        return tuple(sorted({row for link in self.links for row in link}))

    def to_error(self, names: IntArray | None = None, measured: str = "") -> SolveError:
        """Return the error that tells it.

        Parameters
        ----------
        names
            Id of the node in each row, shape (n,); rows are told if there are none.
        measured
            Further facts about the nodes.
        """
        called = {row: row if names is None else int(names[row]) for row in self.rows}
        named = ", ".join(f"{called[parent]} → {called[child]}" for parent, child in self.links)
        links = f"link {named} is" if len(self.links) == 1 else f"links {named} are"
        by_row = " (nodes are named by their rows in the graph, counted from 0)" if names is None else ""
        return SolveError(
            f"no forest agrees with all pins: {links} pinned in, and node {called[self.node]} {self.verdict}.",
            measured=measured,
            cause="hand corrections that exclude each other",
            fix=f"take one of these pins back{by_row}",
        )


def find_contradiction(edges: IntArray, pins: Pins) -> Contradiction | None:
    """Return the first contradiction among pins, None if some forest agrees with all.

    Parameters
    ----------
    edges
        Rows of parent and child, shape (m, 2).
    pins
        Pins of the n nodes and m links.
    """
    taken = edges[pins.edge == IN]
    if not len(taken):
        return None
    gone = pins.node[taken] == OUT
    if gone.any():
        broken = int(np.flatnonzero(gone.any(axis=1))[0])
        return Contradiction(_as_links(taken[[broken]]), int(taken[broken][gone[broken]][0]), "is pinned out")
    for ends, most, verdict in ((taken[:, 1], 1, "can have 1 parent"), (taken[:, 0], 2, "can have 2 children")):
        crowded = np.flatnonzero(np.bincount(ends) > most)
        if len(crowded):
            return Contradiction(_as_links(taken[ends == crowded[0]][:_MOST_NAMED]), int(crowded[0]), verdict)
    return None


def _as_links(rows: IntArray) -> tuple[tuple[int, int], ...]:
    return tuple((int(parent), int(child)) for parent, child in rows)
