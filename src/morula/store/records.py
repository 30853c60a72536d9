"""What the store says about stages and blocks, as plain records."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from morula.store.json_form import JsonValue

StageState = Literal["running", "done", "failed"]
"""A stage that was begun and not ended is "running", also when its process was killed."""


@dataclass(frozen=True, slots=True)
class StageRecord:
    """One row of the table of stages.

    Parameters
    ----------
    id
        Number that the stage's rows carry in the other tables.
    name
        ``detect``, ``solve`` ...
    fingerprint
        Name of everything its results depend on.
    settings
        What its results depend on beside other stages, so that a change can be named.
    after
        Stages whose results it uses, with the fingerprints these had.
    files
        Files and folders it owns, relative to the run directory; they go before it runs anew.
    n_blocks
        Number of blocks in all, 0 where the stage has none.
    state
        Where it stands.
    started, finished
        Seconds since 1970: when it was last begun, and when it ended (None while it has not).
    seconds
        Wall time spent in it, all attempts that were not killed together.
    error
        Text of what stopped it, "" if nothing did.
    summary
        Figures the stage left for the report.
    """

    id: int
    name: str
    fingerprint: str
    settings: Mapping[str, object]
    after: Mapping[str, str]
    files: tuple[str, ...]
    n_blocks: int
    state: StageState
    started: float
    finished: float | None = None
    seconds: float = 0.0
    error: str = ""
    summary: dict[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FailedBlock:
    """A block that failed after all attempts.

    Parameters
    ----------
    block
        Its index.
    name
        The block in words.
    attempts
        How often it was tried.
    error
        The error's whole text.
    """

    block: int
    name: str
    attempts: int
    error: str


@dataclass(frozen=True, slots=True)
class BlockCounts:
    """How far the blocks of a stage are.

    Parameters
    ----------
    done, failed
        Number of blocks.
    done_since
        Blocks done since the stage was last begun.
    last_done
        When the last of them was done, seconds since 1970; 0 if none is.
    """

    done: int
    failed: int
    done_since: int
    last_done: float


@dataclass(frozen=True, slots=True)
class Region:
    """A box of some frames; what lies on its lower sides is in it, on its upper sides not, so that boxes can be tiled.

    Parameters
    ----------
    frames
        The frames.
    low_um, high_um
        Its sides, z, y, x in µm; endless by default.
    """

    frames: range
    low_um: tuple[float, float, float] = (-math.inf,) * 3
    high_um: tuple[float, float, float] = (math.inf,) * 3
