"""How far a run is, read from outside while it goes on (`morula status`)."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from morula.errors import StoreError
from morula.store.json_form import JsonValue
from morula.store.lock import is_locked
from morula.store.paths import RunPaths
from morula.store.places import find_place
from morula.store.reader import StoreReader
from morula.store.records import StageRecord

ShownState = Literal["running", "interrupted", "done", "failed"]


@dataclass(frozen=True, slots=True)
class StageStatus:
    """How far one stage is.

    Parameters
    ----------
    name
        The stage.
    state
        As recorded; "interrupted" if it was begun and nobody works on it any more.
    blocks_total, blocks_done, blocks_failed, blocks_left
        Numbers of blocks, all 0 where the stage has none; failed blocks are not among those left.
    seconds
        Wall time so far.
    blocks_per_s
        Blocks done per second since the stage was last begun, None if unknown.
    left_s
        Estimated seconds until its last block, None if unknown or not running.
    error
        What stopped it, "" if nothing did.
    summary
        Figures it left.
    """

    name: str
    state: ShownState
    blocks_total: int
    blocks_done: int
    blocks_failed: int
    blocks_left: int
    seconds: float
    blocks_per_s: float | None
    left_s: float | None
    error: str
    summary: dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class RunStatus:
    """How far a run is; `dataclasses.asdict` gives the JSON form.

    Parameters
    ----------
    path
        The run directory.
    running
        Whether a process works in it now.
    stages
        The stages begun so far, in that order.
    """

    path: str
    running: bool
    stages: tuple[StageStatus, ...]


def read_status(path: Path | str) -> RunStatus:
    """Return how far the run in a directory is; takes no lock and disturbs nobody.

    Raises
    ------
    StoreError, StoreVersionError
        If there is no run here, or not one of this version.
    """
    paths = RunPaths(Path(path))
    if not paths.path.is_dir():
        raise StoreError(
            f"{path}: there is no run directory here.", fix="give the folder that was given to `morula run --run-dir`"
        )
    running, place = is_locked(paths.lock), find_place(paths)
    if running and place is None:
        return RunStatus(path=str(path), running=True, stages=())  # it is just being created
    with StoreReader.open(place or paths.store) as store:
        running = running or store.is_claimed()
        stages = tuple(_describe_stage(store, record, running) for record in store.read_stages())
    return RunStatus(path=str(path), running=running, stages=stages)


def _describe_stage(store: StoreReader, record: StageRecord, running: bool) -> StageStatus:
    counts = store.count_blocks(record)
    left = max(0, record.n_blocks - counts.done - counts.failed)
    active = record.state == "running" and running
    state: ShownState = "interrupted" if record.state == "running" and not running else record.state
    elapsed = counts.last_done - record.started
    rate = counts.done_since / elapsed if counts.done_since and elapsed > 0 else None
    return StageStatus(
        name=record.name,
        state=state,
        blocks_total=record.n_blocks,
        blocks_done=counts.done,
        blocks_failed=counts.failed,
        blocks_left=left,
        seconds=record.seconds + (max(0.0, time.time() - record.started) if active else 0.0),
        blocks_per_s=rate,
        left_s=left / rate if active and rate else None,
        error=record.error,
        summary=record.summary,
    )
