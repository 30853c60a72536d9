"""What a method of the accuracy table hands back, and the clock all of them are timed with."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from morula.core.tracks import Tracks


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """Tracks of a method, CPU seconds from what it was given to them, and what it settled on.

    `proven` is false where the method's own solver was stopped by its time limit.
    """

    tracks: Tracks
    seconds: float
    settings: Mapping[str, object] = field(default_factory=dict)
    proven: bool = True


class Stopwatch:
    """CPU seconds of this process and its finished children since it was made."""

    def __init__(self) -> None:
        self._began = self._read()

    def read(self) -> float:
        """Return the seconds so far."""
        return self._read() - self._began

    @staticmethod
    def _read() -> float:
        return sum(os.times()[:4])
