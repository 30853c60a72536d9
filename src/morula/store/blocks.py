"""Writing a store: stages begin and end, blocks leave rows together with their done mark.

One change is one transaction: after a kill at any moment a block is there with its mark, or neither is. Decides nothing
about what has to run; see `plan`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence

from morula.core.blocks import Block
from morula.core.detections import Detections
from morula.core.lineages import Selection
from morula.errors import StoreError
from morula.store.database import Value
from morula.store.fingerprint import canonical_text
from morula.store.json_form import to_json_value
from morula.store.reader import StoreReader
from morula.store.records import StageRecord
from morula.store.rows import DETECTION_BYTES, insert_block_selection, insert_detections
from morula.store.schema import STAGE_TABLES


class BlockWriter(StoreReader):
    """An open store in which stages and blocks can be written; several processes may do so at the same time."""

    def begin_stage(self, stage: StageRecord, *, cleared: Sequence[StageRecord] = ()) -> None:
        """Forget the results of some stages and begin one (its `id` is given here), in one transaction.

        A stage that was begun before and is not among those cleared keeps its blocks, except for the failed ones.
        """
        with self._database.writing():
            for record in cleared:
                for table in STAGE_TABLES:
                    self._database.execute(f"DELETE FROM {table} WHERE stage = ?", (record.id,))
                self._database.execute("DELETE FROM stages WHERE id = ?", (record.id,))
            self._database.execute(
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
            self._database.execute(
                "DELETE FROM blocks WHERE state = 'failed' AND stage = ?", (self._stage_id(stage.name),)
            )

    def finish_stage(self, stage: str, *, seconds: float, summary: Mapping[str, object]) -> None:
        """Mark a stage as done."""
        with self._database.writing():
            self._mark_done(stage, seconds, summary)

    def fail_stage(self, stage: str, *, seconds: float, error: str) -> None:
        """Mark a stage as failed; what its blocks left stays."""
        with self._database.writing():
            self._database.execute(
                "UPDATE stages SET state = 'failed', finished = ?, seconds = seconds + ?, error = ? WHERE name = ?",
                (time.time(), seconds, error, stage),
            )

    def write_block(
        self, stage: str, block: Block, detections: Detections, seconds: float, *, count: int | None = None
    ) -> None:
        """Store the detections of a block and its done mark; a block written twice leaves its last result.

        A number it came to beside them, if there is one, is given back by `read_block_counts`.

        Raises
        ------
        StoreError, StoreLockedError, DiskError
            Nothing was changed then.
        """

        def insert(stage_id: int) -> None:
            insert_detections(self._database, stage_id, block.index, detections)
            if count is not None:
                self._insert_count(stage_id, block, count)

        self._write_done_block(stage, block, seconds, insert, needed_bytes=detections.n * DETECTION_BYTES)

    def write_block_selection(self, stage: str, block: Block, selection: Selection, seconds: float) -> None:
        """Store what a block chose of the nodes and links it answers for, and its done mark.

        Raises
        ------
        StoreError, StoreLockedError, DiskError
            Nothing was changed then.
        """

        def insert(stage_id: int) -> None:
            insert_block_selection(self._database, stage_id, block.index, selection)

        n_bytes = len(selection.node_selected) + len(selection.edge_selected)
        self._write_done_block(stage, block, seconds, insert, needed_bytes=n_bytes)

    def write_block_count(self, stage: str, block: Block, count: int, seconds: float) -> None:
        """Store the number a block came to, and its done mark.

        Raises
        ------
        StoreError, StoreLockedError, DiskError
            Nothing was changed then.
        """

        def insert(stage_id: int) -> None:
            self._insert_count(stage_id, block, count)

        self._write_done_block(stage, block, seconds, insert)

    def _insert_count(self, stage_id: int, block: Block, count: int) -> None:
        values = {"stage": stage_id, "block": block.index, "count": int(count)}
        self._database.upsert("block_counts", ("stage", "block"), values)

    def _write_done_block(
        self,
        stage: str,
        block: Block,
        seconds: float,
        insert: Callable[[int], None],
        *,
        needed_bytes: int | None = None,
    ) -> None:
        with self._database.writing(needed_bytes=needed_bytes):
            stage_id = self._stage_id(stage)
            self._mark_block(stage_id, block, state="done", seconds=seconds)
            insert(stage_id)

    def _mark_block(
        self,
        stage_id: int,
        block: Block,
        *,
        state: str,
        seconds: float,
        attempts: int | None = None,
        error: str | None = None,
    ) -> None:
        """Set the mark of a block, before its rows: whoever writes the same block now waits here until we are done."""
        values: dict[str, Value] = {
            "stage": stage_id,
            "block": block.index,
            "name": block.name,
            "state": state,
            "attempts": attempts,
            "seconds": float(seconds),
            "finished": time.time(),
            "error": error,
        }
        self._database.upsert("blocks", ("stage", "block"), values)

    def write_failed_block(self, stage: str, block: Block, error: Exception, attempts: int) -> None:
        """Record that a block failed, with the error's text; a result it left earlier goes."""
        text = str(error) or type(error).__name__
        with self._database.writing():
            stage_id = self._stage_id(stage)
            self._mark_block(stage_id, block, state="failed", seconds=0.0, attempts=attempts, error=text)
            for table in ("detections", "block_selections", "block_counts"):
                of_block = f"DELETE FROM {table} WHERE stage = ? AND block = ?"
                self._database.execute(of_block, (stage_id, block.index))

    def _mark_done(self, stage: str, seconds: float, summary: Mapping[str, object]) -> None:
        self._stage_id(stage)
        self._database.execute(
            "UPDATE stages SET state = 'done', finished = ?, seconds = seconds + ?, error = NULL, summary = ? "
            "WHERE name = ?",
            (time.time(), seconds, json.dumps(to_json_value(summary)), stage),
        )

    def _stage_id(self, stage: str) -> int:
        row = self._database.execute("SELECT id FROM stages WHERE name = ?", (stage,)).fetchone()
        if row is None:
            raise StoreError(f"{self.name}: {stage} has not begun.", fix="begin the stage before writing its results")
        return int(row[0])
