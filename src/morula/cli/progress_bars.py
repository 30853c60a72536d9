"""Progress bars on stderr: one line per stage with throughput and time left; sparse plain lines without a terminal."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from morula.core.progress import Progress as Event

_SECONDS_BETWEEN_LINES = 10.0


class ProgressBars:
    """Draws progress events; call it with each event, inside a ``with`` block."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bars = Progress(
            TextColumn("{task.description:<11}"),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f} {task.fields[unit]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[detail]}"),
            console=self._console,
        )
        self._tasks: dict[str, TaskID] = {}
        self._last_line_s = 0.0

    def __call__(self, event: Event) -> None:
        """Show an event."""
        if not self._console.is_terminal:
            self._print_line(event)
            return
        if event.stage not in self._tasks:
            self._tasks[event.stage] = self._bars.add_task(event.stage, total=event.total, unit=event.unit, detail="")
        self._bars.update(
            self._tasks[event.stage], completed=event.done, total=event.total, unit=event.unit, detail=event.detail
        )

    def _print_line(self, event: Event) -> None:
        now = time.monotonic()
        if event.done == event.total or now - self._last_line_s > _SECONDS_BETWEEN_LINES:
            self._last_line_s = now
            line = f"{event.stage}: {event.done}/{event.total} {event.unit}  {event.detail}".rstrip()
            sys.stderr.write(line + "\n")

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._bars.stop()
