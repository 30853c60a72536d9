"""The optimiser's choice and the lineages it means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from morula.core.columns import BoolArray, IntArray, ReadOnlyColumns, column
from morula.core.detections import Detections
from morula.core.graph import CandidateGraph
from morula.core.tracks import Tracks
from morula.errors import GraphError

SolveStatus = Literal["optimal", "feasible", "greedy"]
"""How a selection was obtained: proven optimal, best found within a limit, or by greedy linking without a bound."""


@dataclass(frozen=True, slots=True, eq=False)
class Selection(ReadOnlyColumns):
    """Which nodes and edges of a candidate graph were chosen, and how good the choice is known to be.

    Parameters
    ----------
    node_selected, edge_selected
        One truth value per node and per edge, shapes (n,) and (m,).
    objective
        Cost of the choice: the plain sum over nodes, links, starts and divisions, constants included.
    lower_bound
        No choice can cost less than this; −inf where no bound is known.
    status
        How the choice was obtained.
    seconds
        Wall time of the solver.
    """

    node_selected: BoolArray
    edge_selected: BoolArray
    objective: float
    lower_bound: float
    status: SolveStatus
    seconds: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "node_selected", column(self.node_selected, np.bool_, (None,), "node_selected"))
        object.__setattr__(self, "edge_selected", column(self.edge_selected, np.bool_, (None,), "edge_selected"))

    @property
    def gap(self) -> float:
        """(objective − lower bound) / max(|objective|, 1e-9), never negative."""
        return max(0.0, (self.objective - self.lower_bound) / max(abs(self.objective), 1e-9))


@dataclass(frozen=True, slots=True, eq=False)
class Lineages(ReadOnlyColumns):
    """A forest of detections: at most one parent and at most two children each.

    Parameters
    ----------
    nodes
        The selected detections, sorted as `Detections` are.
    parent_row
        Row of the parent among `nodes`, −1 for none, shape (n,).
    tracks
        The same points and links as `Tracks`; ids are the rows.
    tracklet_id, lineage_id
        Number of the unbranched piece and of the whole tree of each node, shape (n,).

    Raises
    ------
    TracksError
        If a node has three children or a parent is not earlier.
    """

    nodes: Detections
    parent_row: IntArray
    tracks: Tracks
    tracklet_id: IntArray
    lineage_id: IntArray

    @classmethod
    def from_parents(cls, nodes: Detections, parent_row: IntArray) -> Lineages:
        """Build lineages from detections and the row of each one's parent (−1 for none)."""
        tracks = Tracks(t=nodes.t, zyx_um=nodes.zyx_um, id=np.arange(nodes.n), parent_row=parent_row)
        return cls(
            nodes=nodes,
            parent_row=tracks.parent_row,
            tracks=tracks,
            tracklet_id=column(tracks.tracklet_id(), np.int64, (nodes.n,), "tracklet_id"),
            lineage_id=column(tracks.lineage_id(), np.int64, (nodes.n,), "lineage_id"),
        )

    @classmethod
    def from_selection(cls, graph: CandidateGraph, selection: Selection) -> Lineages:
        """Build the lineages that a selection means; unselected detections are left out.

        Raises
        ------
        GraphError
            If a selected edge has an end that is not selected, or a node two parents.
        """
        edges = graph.edges[selection.edge_selected]
        chosen = selection.node_selected
        if not chosen[edges].all():
            raise GraphError("selection: an edge was selected without both of its nodes.")
        if len(edges) and int(np.bincount(edges[:, 1]).max()) > 1:
            raise GraphError("selection: a node has two selected parents.")
        parent = np.full(graph.nodes.n, -1)
        new_row = np.cumsum(chosen) - 1
        parent[edges[:, 1]] = new_row[edges[:, 0]]
        return cls.from_parents(graph.nodes.rows(chosen), parent[chosen])
