"""How fast each kind of work goes, and how that is known: seconds of one worker, on a machine it has for itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

RateName = Literal[
    "drift",
    "train",
    "detect",
    "candidates",
    "tune",
    "solve",
    "confidence",
    "blobs",
    "baseline",
    "evaluate",
    "export",
    "report",
]


@dataclass(frozen=True, slots=True)
class Rate:
    """How fast one kind of work goes.

    Parameters
    ----------
    per_unit_s
        Seconds of one worker for a unit of it (a megavoxel, a step, a detection).
    once_s
        Seconds before the first.
    source
        How that is known, for people.
    """

    per_unit_s: float
    once_s: float = 0.0
    source: str = "usual"

    def seconds(self, amount: float) -> float:
        """Return the seconds for an amount of work; none for no work."""
        return self.once_s + self.per_unit_s * amount if amount > 0 else 0.0


Rates = Mapping[RateName, Rate]

USUAL: Rates = {
    "candidates": Rate(3.0e-5),
    "tune": Rate(7.0e-4),
    "solve": Rate(5.0e-5),
    "confidence": Rate(8.0e-5),
    "baseline": Rate(6.0e-5),
    "evaluate": Rate(1.5e-5),
    "export": Rate(1.0e-4),
    "report": Rate(1.0e-4),
}
"""Rates of what is not timed on the spot, per detection, from docs/performance.md; the others depend on the movie."""
