"""Writing a store: graphs, selections and how sure they are, each together with its stage's done mark.

What blocks leave stands in `blocks`. One change is one transaction here, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import numpy as np

from morula.core.confidence import Confidence
from morula.core.detections import DIVISION_COLUMNS, Detections
from morula.core.graph import CandidateGraph
from morula.core.lineages import Selection
from morula.errors import StoreError
from morula.store.blocks import BlockWriter
from morula.store.places import Place, open_for_writing
from morula.store.rows import (
    EDGE_BYTES,
    NUMBER_BYTES,
    insert_confidence,
    insert_edges,
    insert_selection,
    select_detections,
)


class Store(BlockWriter):
    """An open store that can be read and written."""

    @classmethod
    def open(cls, place: Place, *, busy_timeout_s: float = 30.0, create: bool = True) -> Self:
        """Open a store for writing, making it if there is none and `create` allows it.

        Raises
        ------
        StoreError, StoreVersionError
            If what is there is not a store, or one of another format, or its database cannot be reached.
        StoreLockedError
            If another program keeps it locked for longer than `busy_timeout_s` seconds.
        DiskError
            If it cannot be written.
        """
        return cls(place, open_for_writing(place, busy_timeout_s=busy_timeout_s, create=create))

    def claim(self) -> None:
        """Be the only process, on all machines, that works on this run, until the store is closed.

        Raises
        ------
        StoreLockedError
            If another does; the message names it. (A file leaves this to the lock beside it.)
        """
        self._database.claim()

    def write_graph(
        self,
        stage: str,
        graph: CandidateGraph,
        *,
        detections: str,
        seconds: float = 0.0,
        summary: Mapping[str, object] | None = None,
    ) -> None:
        """Store the candidate edges over the detections of another stage, and mark the stage as done.

        Raises
        ------
        StoreError
            If the graph's nodes are not all stored detections of that stage, in their order.
        """
        source = self.require_stage(detections)
        with self._database.writing(needed_bytes=graph.n_edges * EDGE_BYTES):
            nodes, ids = select_detections(self._database, source.id)
            if not _is_same(nodes, graph.nodes):
                raise StoreError(
                    f"{self.name}: the graph of {stage} does not stand on the detections of {detections}.",
                    measured=f"{graph.nodes.n} nodes in the graph, {nodes.n} detections stored",
                    fix="link what read_detections returns, all of it and in its order",
                )
            stage_id = self._stage_id(stage)
            self._database.execute("DELETE FROM edges WHERE stage = ?", (stage_id,))
            insert_edges(self._database, stage_id, graph, ids)
            values = {"detections_stage": source.id, "n_nodes": graph.nodes.n, "n_edges": graph.n_edges}
            self._database.upsert("graphs", ("stage",), {"stage": stage_id, **values})
            self._mark_done(stage, seconds, summary or {})

    def write_selection(
        self,
        stage: str,
        selection: Selection,
        *,
        graph: str,
        seconds: float = 0.0,
        summary: Mapping[str, object] | None = None,
    ) -> None:
        """Store which nodes and edges of another stage's graph were chosen, and mark the stage as done.

        Raises
        ------
        StoreError
            If the selection has not one value per node and edge of that graph.
        """
        source = self.require_stage(graph)
        lengths = (len(selection.node_selected), len(selection.edge_selected))
        with self._database.writing(needed_bytes=sum(lengths)):
            query = "SELECT n_nodes, n_edges FROM graphs WHERE stage = ?"
            row = self._database.execute(query, (source.id,)).fetchone()
            if row != lengths:
                raise StoreError(
                    f"{self.name}: the selection of {stage} does not fit the graph of {graph}.",
                    measured=f"nodes and edges: {lengths} in the selection, {row} in the graph",
                    fix="solve what read_graph returns",
                )
            insert_selection(self._database, self._stage_id(stage), source.id, selection)
            self._mark_done(stage, seconds, summary or {})

    def write_confidence(
        self,
        stage: str,
        confidence: Confidence,
        *,
        selection: str,
        seconds: float = 0.0,
        summary: Mapping[str, object] | None = None,
    ) -> None:
        """Store how sure the selection of another stage is, and mark the stage as done.

        Raises
        ------
        StoreError
            If there is not one margin per node and edge of that selection.
        """
        source = self.require_stage(selection)
        lengths = (len(confidence.margins.node), len(confidence.margins.edge))
        with self._database.writing(needed_bytes=NUMBER_BYTES * (3 * lengths[0] + lengths[1])):
            query = "SELECT n_nodes, n_edges FROM selections WHERE stage = ?"
            row = self._database.execute(query, (source.id,)).fetchone()
            if row != lengths:
                raise StoreError(
                    f"{self.name}: the confidence of {stage} does not fit the selection of {selection}.",
                    measured=f"nodes and edges: {lengths} in the confidence, {row} in the selection",
                    fix="measure the margins of what read_selection returns",
                )
            insert_confidence(self._database, self._stage_id(stage), source.id, confidence)
            self._mark_done(stage, seconds, summary or {})


def _is_same(one: Detections, other: Detections) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(other, name), equal_nan=name in DIVISION_COLUMNS)
        for name in Detections.__slots__
    )
