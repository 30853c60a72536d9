"""Options that several commands share, and the reading of ``--set table.name=value``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from morula.errors import ConfigError
from morula.store.address import ENVIRONMENT, StoreUrl

if TYPE_CHECKING:
    from morula.config import RunConfig

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
StoreAddress = Annotated[
    str | None,
    typer.Option("--store", help="PostgreSQL database for the tables of a new run: postgresql://user@host/database."),
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


def choose_store(option: str | None, settings: dict[str, str]) -> dict[str, str]:
    """Return settings in which ``--store`` stands as well.

    Raises
    ------
    ConfigError
        If the address on the command line is none, or has a password in it.
    """
    given = settings | ({} if option is None else {"store.url": option})
    if "store.url" in given and StoreUrl.parse(given["store.url"].strip("\"'")).has_password:
        raise ConfigError(
            "--store: a password on a command line can be read by everybody on this machine.",
            fix=f"leave it out, and put it into ~/.pgpass or PGPASSWORD, or the whole address into {ENVIRONMENT}",
        )
    return given


def fill_in_store(config: RunConfig, run_dir: Path) -> RunConfig:
    """Return a configuration that names the database of the environment, if it and the run directory name none.

    Raises
    ------
    ConfigError, StoreError
        If the environment has no address there, or the note in the run directory cannot be read.
    """
    from morula.store.paths import RunPaths
    from morula.store.places import find_place

    around = os.environ.get(ENVIRONMENT)
    if not around or config.store.url is not None or find_place(RunPaths(run_dir)) is not None:
        return config
    return replace(config, store=replace(config.store, url=StoreUrl.parse(around)))


def make_absolute(path: str) -> str:
    """Return a path that holds from any folder; addresses (``https://``) stay as they are."""
    return path if "://" in path else str(Path(path).resolve())
