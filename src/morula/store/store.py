"""Writing a store: stages begin and end, blocks leave rows together with their done mark.

One change is one transaction: after a kill at any moment a block, a graph or a selection is there with its mark, or
neither is. Decides nothing about what has to run; see `plan`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Self

import numpy as np

from morula.core.blocks import Block
from morula.core.confidence import Confidence
from morula.core.detections import Detections
from morula.core.graph import CandidateGraph
from morula.core.lineages import Selection
from morula.errors import StoreError
from morula.store.connection import connect_for_writing, write_transaction
from morula.store.fingerprint import canonical_text
from morula.store.json_form import to_json_value
from morula.store.reader import StoreReader
from morula.store.records import StageRecord
from morula.store.rows import (
    DETECTION_BYTES,
    EDGE_BYTES,
    NUMBER_BYTES,
    insert_block_selection,
    insert_confidence,
    insert_detections,
    insert_edges,
    insert_selection,
    select_detections,
)
from morula.store.schema import STAGE_TABLES, check_schema, create_store


class Store(StoreReader):
    """An open store that can be read and written; one per run directory, under its lock."""

    @classmethod
    def open(cls, path: Path, *, busy_timeout_s: float = 30.0) -> Self:
        """Open a store for writing, creating it if there is none.

        Raises
        ------
        StoreError, StoreVersionError
            If the file is not a store, or one of another format.
        StoreLockedError
            If another program keeps it locked for longer than `busy_timeout_s` seconds.
        DiskError
            If it cannot be written.
        """
        if not path.exists():
            create_store(path)
        connection = connect_for_writing(path, busy_timeout_s=busy_timeout_s)
        try:
            check_schema(connection, path)
        except BaseException:
            connection.close()
            raise
        return cls(path, connection)

    def begin_stage(self, stage: StageRecord, *, cleared: Sequence[StageRecord] = ()) -> None:
        """Forget the results of some stages and begin one (its `id` is given here), in one transaction.

        A stage that was begun before and is not among those cleared keeps its blocks, except for the failed ones.
        """
        with self._transaction():
            for record in cleared:
                for table in STAGE_TABLES:
                    self._connection.execute(f"DELETE FROM {table} WHERE stage = ?", (record.id,))
                self._connection.execute("DELETE FROM stages WHERE id = ?", (record.id,))
            self._connection.execute(
                "INSERT INTO stages (name, fingerprint, settings, after, files, n_blocks, state, started) "
                "VALUES (?, ?, ?, ?, ?, ?, 'running', ?) ON CONFLICT (name) DO UPDATE SET state = 'running', "
                "started = excluded.started, files = excluded.files, finished = NULL, error = NULL",
                (
                    stage.name,
                    stage.fingerprint,
                    canonical_text(stage.settings),
                    json.dumps(stage.after),
                    json.dumps(stage.files),
                    stage.n_blocks,
                    stage.started,
                ),
            )
            self._connection.execute(
                "DELETE FROM blocks WHERE state = 'failed' AND stage = ?", (self._stage_id(stage.name),)
            )

    def finish_stage(self, stage: str, *, seconds: float, summary: Mapping[str, object]) -> None:
        """Mark a stage as done."""
        with self._transaction():
            self._mark_done(stage, seconds, summary)

    def fail_stage(self, stage: str, *, seconds: float, error: str) -> None:
        """Mark a stage as failed; what its blocks left stays."""
        with self._transaction():
            self._connection.execute(
                "UPDATE stages SET state = 'failed', finished = ?, seconds = seconds + ?, error = ? WHERE name = ?",
                (time.time(), seconds, error, stage),
            )

    def write_block(self, stage: str, block: Block, detections: Detections, seconds: float) -> None:
        """Store the detections of a block and its done mark; a block written twice leaves its last result.

        Raises
        ------
        StoreError, StoreLockedError, DiskError
            Nothing was changed then.
        """
        with self._transaction(needed_bytes=detections.n * DETECTION_BYTES):
            stage_id = self._stage_id(stage)
            insert_detections(self._connection, stage_id, block.index, detections)
            self._mark_block(stage_id, block, seconds)

    def write_block_selection(self, stage: str, block: Block, selection: Selection, seconds: float) -> None:
        """Store what a block chose of the nodes and links it answers for, and its done mark.

        Raises
        ------
        StoreError, StoreLockedError, DiskError
            Nothing was changed then.
        """
        with self._transaction(needed_bytes=len(selection.node_selected) + len(selection.edge_selected)):
            stage_id = self._stage_id(stage)
            insert_block_selection(self._connection, stage_id, block.index, selection)
            self._mark_block(stage_id, block, seconds)

    def write_block_count(self, stage: str, block: Block, count: int, seconds: float) -> None:
        """Store the number a block came to, and its done mark.

        Raises
        ------
        StoreError, StoreLockedError, DiskError
            Nothing was changed then.
        """
        with self._transaction():
            stage_id = self._stage_id(stage)
            self._connection.execute(
                "INSERT OR REPLACE INTO block_counts VALUES (?, ?, ?)", (stage_id, block.index, int(count))
            )
            self._mark_block(stage_id, block, seconds)

    def _mark_block(self, stage_id: int, block: Block, seconds: float) -> None:
        self._connection.execute(
            "INSERT OR REPLACE INTO blocks VALUES (?, ?, ?, 'done', NULL, ?, ?, NULL)",
            (stage_id, block.index, block.name, seconds, time.time()),
        )

    def write_failed_block(self, stage: str, block: Block, error: Exception, attempts: int) -> None:
        """Record that a block failed, with the error's text; a result it left earlier goes."""
        with self._transaction():
            stage_id = self._stage_id(stage)
            insert_detections(self._connection, stage_id, block.index, Detections.empty())
            for table in ("block_selections", "block_counts"):
                of_block = f"DELETE FROM {table} WHERE stage = ? AND block = ?"
                self._connection.execute(of_block, (stage_id, block.index))
            self._connection.execute(
                "INSERT OR REPLACE INTO blocks VALUES (?, ?, ?, 'failed', ?, 0, ?, ?)",
                (stage_id, block.index, block.name, attempts, time.time(), str(error) or type(error).__name__),
            )

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
        with self._transaction(needed_bytes=graph.n_edges * EDGE_BYTES):
            nodes, ids = select_detections(self._connection, source.id)
            if not _is_same(nodes, graph.nodes):
                raise StoreError(
                    f"{self.path}: the graph of {stage} does not stand on the detections of {detections}.",
                    measured=f"{graph.nodes.n} nodes in the graph, {nodes.n} detections stored",
                    fix="link what read_detections returns, all of it and in its order",
                )
            stage_id = self._stage_id(stage)
            self._connection.execute("DELETE FROM edges WHERE stage = ?", (stage_id,))
            insert_edges(self._connection, stage_id, graph, ids)
            self._connection.execute(
                "INSERT OR REPLACE INTO graphs VALUES (?, ?, ?, ?)", (stage_id, source.id, graph.nodes.n, graph.n_edges)
            )
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
        with self._transaction(needed_bytes=sum(lengths)):
            query = "SELECT n_nodes, n_edges FROM graphs WHERE stage = ?"
            row = self._connection.execute(query, (source.id,)).fetchone()
            if row != lengths:
                raise StoreError(
                    f"{self.path}: the selection of {stage} does not fit the graph of {graph}.",
                    measured=f"nodes and edges: {lengths} in the selection, {row} in the graph",
                    fix="solve what read_graph returns",
                )
            insert_selection(self._connection, self._stage_id(stage), source.id, selection)
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
        with self._transaction(needed_bytes=NUMBER_BYTES * (3 * lengths[0] + lengths[1])):
            query = "SELECT n_nodes, n_edges FROM selections WHERE stage = ?"
            row = self._connection.execute(query, (source.id,)).fetchone()
            if row != lengths:
                raise StoreError(
                    f"{self.path}: the confidence of {stage} does not fit the selection of {selection}.",
                    measured=f"nodes and edges: {lengths} in the confidence, {row} in the selection",
                    fix="measure the margins of what read_selection returns",
                )
            insert_confidence(self._connection, self._stage_id(stage), source.id, confidence)
            self._mark_done(stage, seconds, summary or {})

    def _mark_done(self, stage: str, seconds: float, summary: Mapping[str, object]) -> None:
        self._stage_id(stage)
        self._connection.execute(
            "UPDATE stages SET state = 'done', finished = ?, seconds = seconds + ?, error = NULL, summary = ? "
            "WHERE name = ?",
            (time.time(), seconds, json.dumps(to_json_value(summary)), stage),
        )

    def _stage_id(self, stage: str) -> int:
        row = self._connection.execute("SELECT id FROM stages WHERE name = ?", (stage,)).fetchone()
        if row is None:
            raise StoreError(f"{self.path}: {stage} has not begun.", fix="begin the stage before writing its results")
        return int(row[0])

    def _transaction(self, *, needed_bytes: int | None = None) -> AbstractContextManager[None]:
        return write_transaction(self._connection, self.path, needed_bytes=needed_bytes)


def _is_same(one: Detections, other: Detections) -> bool:
    columns = ("t", "zyx_um", "score", "movement_um")
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in columns)
