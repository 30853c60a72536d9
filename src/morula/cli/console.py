"""What people see and what programs read: messages and bars on stderr, results on stdout, a log beside the run."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from morula.store.address import hide_passwords

if TYPE_CHECKING:
    from morula.cli.progress_bars import ProgressBars

_LOGGER = logging.getLogger("morula")


class _StderrHandler(logging.Handler):
    """Writes to whatever stderr is at the moment, so that lines appear above the bars; says nothing twice."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._said: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        mark = "warning: " if record.levelno >= logging.WARNING else ""
        line = f"{mark}{hide_passwords(record.getMessage())}\n"
        if line not in self._said:
            self._said.add(line)
            sys.stderr.write(line)


class _LogFileFormatter(logging.Formatter):
    """Lines for the log, without the passwords of addresses in them."""

    def format(self, record: logging.LogRecord) -> str:
        return hide_passwords(super().format(record))


class _LogFileHandler(logging.FileHandler):
    """Appends to a file; a disk that takes no more lines is left for the stages to report."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the standard library's name
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)

    def close(self) -> None:
        try:
            super().close()
        except OSError:
            self.stream = None


@contextmanager
def messages_on_stderr() -> Iterator[None]:
    """Show what the library logs, warnings marked as such."""
    handler = _StderrHandler()
    level = _LOGGER.level
    _LOGGER.setLevel(logging.INFO)
    _LOGGER.addHandler(handler)
    try:
        yield
    finally:
        _LOGGER.removeHandler(handler)
        _LOGGER.setLevel(level)


@contextmanager
def log_in(run_dir: Path) -> Iterator[None]:
    """Keep a log in the run directory, which is created if there is none; every run appends to it.

    Raises
    ------
    StoreError
        If the run directory is a file.
    DiskError
        If it cannot be created or written to.
    """
    from morula.store.disk import explained_disk_errors
    from morula.store.paths import RunPaths

    paths = RunPaths(run_dir)
    paths.make_folder()
    with explained_disk_errors(paths.log):
        handler = _LogFileHandler(paths.log, encoding="utf-8")
    handler.setFormatter(_LogFileFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    _LOGGER.addHandler(handler)
    try:
        yield
    finally:
        _LOGGER.removeHandler(handler)
        handler.close()


@contextmanager
def bars() -> Iterator[ProgressBars]:
    """Draw one progress bar per stage on stderr; plain lines where that is no terminal."""
    from morula.cli.progress_bars import ProgressBars

    with ProgressBars() as drawn:
        yield drawn


def print_json(result: Mapping[str, object]) -> None:
    """Print one JSON object on one line; numbers that are not finite become null."""
    from morula.store.json_form import to_json_value

    typer.echo(json.dumps(to_json_value(result)))


def print_figures(figures: Mapping[str, object]) -> None:
    """Print single figures one under the other; lists are left to ``--json``."""
    for name, value in figures.items():
        if not isinstance(value, list | dict):
            shown = f"{value:.6g}" if isinstance(value, float) else "-" if value is None else value
            typer.echo(f"{name.replace('_', ' '):<28} {shown}")
