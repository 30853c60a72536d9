"""Reading a store: stages, blocks and results, also while another process writes. Changes nothing, takes no lock."""

from __future__ import annotations

import json
from types import TracebackType
from typing import Self

from morula.core.confidence import Confidence
from morula.core.detections import Detections
from morula.core.graph import CandidateGraph
from morula.core.lineages import Selection
from morula.errors import StoreError
from morula.store.database import Database
from morula.store.places import Place, open_for_reading
from morula.store.records import BlockCounts, FailedBlock, Region, StageRecord
from morula.store.rows import (
    select_block_selections,
    select_confidence,
    select_detections,
    select_graph,
    select_selection,
)

_STAGE_COLUMNS = (
    "id, name, fingerprint, settings, after, files, n_blocks, state, started, finished, seconds, error, summary"
)


class StoreReader:
    """An open store that can be read.

    Parameters
    ----------
    place
        Where it is.
    database
        Open connection to it; closed with the reader.
    """

    def __init__(self, place: Place, database: Database) -> None:
        self.place = place
        self._database = database

    @property
    def name(self) -> str:
        """Where it is, as messages show it."""
        return self._database.name

    @classmethod
    def open(cls, place: Place, *, busy_timeout_s: float = 30.0) -> Self:
        """Open an existing store for reading.

        Raises
        ------
        StoreError
            If there is no store here, it is something else, or its database cannot be reached.
        StoreVersionError
            If another version of morula wrote it.
        """
        return cls(place, open_for_reading(place, busy_timeout_s=busy_timeout_s))

    def is_claimed(self) -> bool:
        """Say whether the database knows of a process that works on this run, on whatever machine."""
        return self._database.is_claimed()

    def close(self) -> None:
        """Close the connection; a second call does nothing."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def read_stages(self) -> tuple[StageRecord, ...]:
        """Return all stages begun so far, in the order they were begun."""
        with self._database.reading():
            rows = self._database.execute(f"SELECT {_STAGE_COLUMNS} FROM stages ORDER BY id").fetchall()
        return tuple(_build_record(row) for row in rows)

    def find_stage(self, name: str) -> StageRecord | None:
        """Return a stage by name, None if it was never begun or its results were cleared."""
        return next((record for record in self.read_stages() if record.name == name), None)

    def require_stage(self, name: str) -> StageRecord:
        """Return a stage that is done.

        Raises
        ------
        StoreError
            If it is not done.
        """
        record = self.find_stage(name)
        if record is None or record.state != "done":
            raise StoreError(
                f"{self.name}: {name} is not done.",
                measured="it has not begun" if record is None else f"its state is {record.state}",
                fix="run `morula run` with this run directory: it goes on where it stopped",
            )
        return record

    def read_done_blocks(self, stage: str) -> frozenset[int]:
        """Return the indices of the blocks of a stage that are done."""
        query = (
            "SELECT block FROM blocks JOIN stages ON stages.id = stage WHERE stages.name = ? AND blocks.state = 'done'"
        )
        with self._database.reading():
            return frozenset(int(block) for (block,) in self._database.execute(query, (stage,)))

    def read_failed_blocks(self, stage: str) -> tuple[FailedBlock, ...]:
        """Return the blocks of a stage that failed, by index."""
        query = (
            "SELECT block, blocks.name, attempts, blocks.error FROM blocks JOIN stages ON stages.id = stage "
            "WHERE stages.name = ? AND blocks.state = 'failed' ORDER BY block"
        )
        with self._database.reading():
            return tuple(FailedBlock(*row) for row in self._database.execute(query, (stage,)))

    def count_blocks(self, record: StageRecord) -> BlockCounts:
        """Count the blocks of a stage."""
        query = (
            "SELECT count(*) FILTER (WHERE state = 'done'), count(*) FILTER (WHERE state = 'failed'), "
            "count(*) FILTER (WHERE state = 'done' AND finished >= ?), "
            "coalesce(max(finished) FILTER (WHERE state = 'done'), 0.0) FROM blocks WHERE stage = ?"
        )
        with self._database.reading():
            return BlockCounts(*self._database.execute(query, (record.started, record.id)).fetchone())

    def sum_block_seconds(self, stage: str) -> tuple[int, float]:
        """Return how many blocks of a stage are done, and the seconds that workers spent on them together."""
        query = (
            "SELECT count(*), coalesce(sum(blocks.seconds), 0.0) FROM blocks JOIN stages ON stages.id = stage "
            "WHERE stages.name = ? AND blocks.state = 'done'"
        )
        with self._database.reading():
            done, seconds = self._database.execute(query, (stage,)).fetchone()
        return int(done), float(seconds)

    def read_detections(self, stage: str = "detect", *, region: Region | None = None) -> Detections:
        """Return the detections of a finished stage, sorted: all (cost: 2 s for 1e6), or those in a region, by index.

        Raises
        ------
        StoreError
            If the stage is not done, or the store is damaged.
        """
        with self._database.reading():
            return select_detections(self._database, self.require_stage(stage).id, region)[0]

    def read_graph(self, stage: str = "candidates") -> CandidateGraph:
        """Return the candidate graph of a finished stage, its edges as they were written.

        Raises
        ------
        StoreError
            If the stage is not done or wrote no graph, or the store is damaged.
        """
        with self._database.reading():
            stage_id = self.require_stage(stage).id
            query = "SELECT detections_stage FROM graphs WHERE stage = ?"
            row = self._database.execute(query, (stage_id,)).fetchone()
            if row is None:
                raise StoreError(f"{self.name}: {stage} wrote no graph.", fix="name the stage that did")
            return select_graph(self._database, stage_id, int(row[0]))

    def read_block_selections(self, stage: str) -> dict[int, Selection]:
        """Return what the blocks of a stage that are done have chosen, by number of the block.

        Raises
        ------
        StoreError
            If the store is damaged.
        """
        record = self.find_stage(stage)
        if record is None:
            return {}
        with self._database.reading():
            return select_block_selections(self._database, record.id)

    def read_block_counts(self, stage: str) -> dict[int, int]:
        """Return the numbers that the blocks of a stage that are done came to, by number of the block."""
        query = "SELECT block, count FROM block_counts JOIN stages ON stages.id = stage WHERE name = ? ORDER BY block"
        with self._database.reading():
            return {int(block): int(count) for block, count in self._database.execute(query, (stage,))}

    def read_selection(self, stage: str = "solve") -> Selection:
        """Return the selection of a finished stage; it belongs to the graph that was solved.

        Raises
        ------
        StoreError
            If the stage is not done or wrote no selection, or the store is damaged.
        """
        with self._database.reading():
            selection = select_selection(self._database, self.require_stage(stage).id)
        if selection is None:
            raise StoreError(f"{self.name}: {stage} wrote no selection.", fix="name the stage that did")
        return selection

    def find_confidence(self, stage: str = "confidence") -> Confidence | None:
        """Return how sure the selection of this run is; None while the stage is not done.

        Raises
        ------
        StoreError
            If the store is damaged.
        """
        with self._database.reading():
            record = self.find_stage(stage)
            return None if record is None or record.state != "done" else select_confidence(self._database, record.id)


def _build_record(row: tuple[object, ...]) -> StageRecord:
    values = dict(zip(_STAGE_COLUMNS.split(", "), row, strict=True))
    for name in ("settings", "after", "files", "summary"):
        values[name] = json.loads(str(values[name] or "{}"))
    return StageRecord(**{**values, "files": tuple(values["files"]), "error": values["error"] or ""})  # type: ignore[arg-type]
