"""Progress as events: a stage says how far it is, whoever listens draws a bar, writes a log or does nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """One step forward of a stage.

    Parameters
    ----------
    stage
        Name of the stage, for example ``detect``.
    done, total
        Steps finished and steps in all.
    unit
        What a step is: ``blocks``, ``iterations``, ``frames``.
    detail
        A short word for people: throughput, loss.
    """

    stage: str
    done: int
    total: int
    unit: str = "steps"
    detail: str = ""


ProgressSink = Callable[[Progress], None]


def ignore_progress(event: Progress) -> None:
    """Listen to nothing (the default where no sink is given)."""
