"""A candidate graph as the learner sees it: the cost of any choice is linear in the cost weights.

Owns what each weight is multiplied with, for the whole graph and for parts of a choice. What the settings make free
(the first frame, the movie's faces) is read off `price_graph`, so that both agree on it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from morula.core.columns import BoolArray, FloatArray, IntArray, ReadOnlyColumns
from morula.core.graph import CandidateGraph
from morula.solve.params import SolveParams
from morula.solve.problem.costs import Costs, price_graph
from morula.solve.problem.evidence import weigh_divisions
from morula.solve.problem.sisters import price_distant_sisters

NAMES = (
    "node_constant",
    "node_score_weight",
    "edge_distance_weight",
    "start_cost",
    "division_cost",
    "division_score_weight",
    "end_cost",
    "skip_cost",
)
"""The weights, in the order of every array of weights here; the cost of a choice is linear in them."""


@dataclass(frozen=True, slots=True, eq=False)
class Choice(ReadOnlyColumns):
    """A forest: which nodes and links are taken, shapes (n,) and (m,)."""

    node: BoolArray
    edge: BoolArray


@dataclass(frozen=True, slots=True, eq=False)
class Features(ReadOnlyColumns):
    """What the weights are multiplied with.

    Parameters
    ----------
    edges
        Rows of parent and child, shape (m, 2).
    score
        Score of each node, shape (n,).
    distance_um, skipped
        Distance of each link and number of frames it leaves out, shape (m,).
    start, division, end
        1 where a track that begins, a division, a track that ends costs something, 0 where it is free, shape (n,).
    evidence
        What the network's division scores say for a division, shape (n,), see `weigh_divisions`.
    apart_um
        By how much a division is dearer because daughters lie near each other, shape (n,), see
        `price_distant_sisters`: weighed like a distance.
    """

    edges: IntArray
    score: FloatArray
    distance_um: FloatArray
    skipped: FloatArray
    start: FloatArray
    division: FloatArray
    evidence: FloatArray
    apart_um: FloatArray
    end: FloatArray

    @classmethod
    def of(cls, graph: CandidateGraph, params: SolveParams, *, extent_um: FloatArray | None = None) -> Features:
        """Read the features of a graph; arguments as for `price_graph`."""
        once = dict.fromkeys(NAMES, 1.0) | dict.fromkeys(("node_constant", "division_score_weight", "skip_cost"), 0.0)
        plain = replace(params, sister_distance_um=None)
        unit = price_graph(graph, replace(plain, **once), extent_um=extent_um)  # type: ignore[arg-type]
        t = graph.nodes.t
        return cls(
            edges=graph.edges,
            score=unit.node,
            distance_um=unit.edge,
            skipped=(t[graph.edges[:, 1]] - t[graph.edges[:, 0]] - 1).astype(np.float64),
            start=unit.start,
            division=unit.division,
            evidence=weigh_divisions(graph),
            apart_um=price_distant_sisters(graph, params.sister_distance_um),
            end=unit.end,
        )

    @property
    def n(self) -> int:
        """Number of nodes."""
        return len(self.score)

    def find_silent(self) -> frozenset[str]:
        """Return the weights that no choice can depend on, because what they are multiplied with is 0 throughout."""
        columns = {"division_score_weight": self.evidence, "skip_cost": self.skipped}
        return frozenset(name for name, values in columns.items() if not values.any())

    def price(self, weights: FloatArray) -> Costs:
        """Return the costs that weights, in the order of `NAMES`, give."""
        constant, score, distance, start, division, division_score, end, skip = weights.tolist()
        return Costs(
            node=constant + score * self.score,
            edge=distance * self.distance_um + skip * self.skipped,
            start=start * self.start,
            division=division * self.division + division_score * self.evidence + distance * self.apart_um,
            end=end * self.end,
        )

    def sum_parts(self, choice: Choice, part: IntArray, n_parts: int) -> FloatArray:
        """Sum the features of a choice over parts of the graph.

        Parameters
        ----------
        choice
            The forest.
        part
            Part of each node, −1 for none, shape (n,); a link belongs to a part if both its ends do.
        n_parts
            Number of parts.

        Returns
        -------
        sums
            Shape (n_parts, 8), columns in the order of `NAMES`: times the weights, the cost of each part.
        """
        parent, child = self.edges.T
        parents = np.bincount(child[choice.edge], minlength=self.n)
        children = np.bincount(parent[choice.edge], minlength=self.n)
        of_edge = np.where(part[parent] == part[child], part[child], -1)

        def add(values: FloatArray, taken: BoolArray, of: IntArray) -> FloatArray:
            counted = taken & (of >= 0)
            return np.bincount(of[counted], values[counted], minlength=n_parts).astype(np.float64)

        return np.stack(
            [
                add(np.ones(self.n), choice.node, part),
                add(self.score, choice.node, part),
                add(self.distance_um, choice.edge, of_edge) + add(self.apart_um, children == 2, part),
                add(self.start, choice.node & (parents == 0), part),
                add(self.division, children == 2, part),
                add(self.evidence, children == 2, part),
                add(self.end, choice.node & (children == 0), part),
                add(self.skipped, choice.edge, of_edge),
            ],
            axis=1,
        )

    def cut(self, inside: BoolArray) -> tuple[Features, BoolArray]:
        """Keep some nodes and the links among them; tracks may come from and go to what was cut away for nothing.

        Returns
        -------
        features
            Of what is kept.
        kept
            The links kept, shape (m,).
        """
        parent, child = self.edges.T
        kept = inside[parent] & inside[child]
        start, end = self.start.copy(), self.end.copy()
        start[child[~kept]], end[parent[~kept]] = 0.0, 0.0
        row = np.cumsum(inside) - 1
        cut = Features(
            edges=row[self.edges[kept]],
            score=self.score[inside],
            distance_um=self.distance_um[kept],
            skipped=self.skipped[kept],
            start=start[inside],
            division=self.division[inside],
            evidence=self.evidence[inside],
            apart_um=self.apart_um[inside],
            end=end[inside],
        )
        return cut, kept
