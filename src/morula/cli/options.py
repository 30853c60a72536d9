"""Options that several commands share, and the reading of ``--set table.name=value``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from morula.errors import ConfigError

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Settings = Annotated[list[str] | None, typer.Option("--set", help="Override a setting: table.name=value. May repeat.")]
RunDir = Annotated[Path, typer.Option("--run-dir", help="Directory of the run; created, or continued if it exists.")]
ConfigFile = Annotated[Path, typer.Argument(help="Configuration written by `morula init`.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="The same seed makes the same embryo.")]
Workers = Annotated[
    int, typer.Option("--workers", min=1, help="Processes of this machine that compute blocks; 1 for none beside this.")
]
Scheduler = Annotated[
    str | None, typer.Option("--scheduler", help="Address of a Dask cluster that computes blocks: tcp://host:8786.")
]
Triple = tuple[float, float, float]


def parse_settings(settings: Sequence[str] | None) -> dict[str, str]:
    """Turn ``["solve.start_cost=4"]`` into ``{"solve.start_cost": "4"}``; the last of two equal keys wins.

    Raises
    ------
    ConfigError
        If a text is not of this form.
    """
    parsed = {}
    for text in settings or []:
        key, equals, value = text.partition("=")
        table, _, name = key.strip().partition(".")
        if not (equals and table and name and value.strip()):
            raise ConfigError(
                f"--set {text}: a setting is written table.name=value.", fix="for example --set solve.start_cost=4"
            )
        parsed[key.strip()] = value.strip()
    return parsed


def make_absolute(path: str) -> str:
    """Return a path that holds from any folder; addresses (``https://``) stay as they are."""
    return path if "://" in path else str(Path(path).resolve())
