"""Where the store of a run is: a file of the run directory, or a schema of a database that the directory names.

Owns ``store.json``, the note that binds a run directory to its tables elsewhere, and which back end opens a place.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from morula.errors import ConfigError, StoreError
from morula.store.address import EMBEDDED, StoreUrl
from morula.store.database import Database
from morula.store.disk import explained_disk_errors, write_json
from morula.store.paths import RunPaths
from morula.store.sqlite import SqliteDatabase

_SCHEMA = re.compile(r"morula_[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class PostgresPlace:
    """The tables of one run in a PostgreSQL database.

    Parameters
    ----------
    url
        Address of the database.
    schema
        Name of the run's schema in it; a new one by default.

    Raises
    ------
    StoreError
        If the name is not one that a run gets.
    """

    url: StoreUrl
    schema: str

    def __post_init__(self) -> None:
        if not _SCHEMA.fullmatch(self.schema):
            raise StoreError(
                f"{self.url}: {self.schema!r} is not the name of a run's schema.",
                cause="store.json in the run directory was edited",
                fix="write the name back; the database lists those there are",
            )

    @classmethod
    def new(cls, url: StoreUrl) -> PostgresPlace:
        """Return a place for a run that begins."""
        return cls(url, f"morula_{uuid4().hex}")


Place = Path | PostgresPlace
"""Of a SQLite file, or of tables in a database."""


def find_place(paths: RunPaths) -> Place | None:
    """Return where the store of a run directory is; None if the run has not begun.

    Raises
    ------
    StoreError
        If the note in the directory cannot be read.
    """
    try:
        with explained_disk_errors(paths.note):
            note = json.loads(paths.note.read_text(encoding="utf-8")) if paths.note.exists() else None
        if note is not None:
            return PostgresPlace(StoreUrl.parse(note["url"]), note["schema"])
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"{paths.note}: this note does not say where the store is.",
            measured=type(error).__name__,
            cause="it was edited or cut short",
            fix="write it as morula does: an object with url and schema; the database lists the schemas there are",
        ) from None
    return paths.store if paths.store.exists() else None


def choose_place(paths: RunPaths, url: str | None) -> Place:
    """Return where the store of a run is, or shall be.

    Parameters
    ----------
    paths
        The run directory.
    url
        Where it is asked for; None for where it is, and for a file if the run has not begun.

    Raises
    ------
    ConfigError
        If `url` is no address.
    StoreError
        If the run has a store elsewhere.
    """
    found, wanted = find_place(paths), None if url is None else StoreUrl.parse(url)
    if found is None:
        return paths.store if wanted in (None, EMBEDDED) else PostgresPlace.new(wanted)
    there = found.url if isinstance(found, PostgresPlace) else EMBEDDED
    if wanted in (None, there):
        return PostgresPlace(wanted, found.schema) if wanted and isinstance(found, PostgresPlace) else found
    raise StoreError(
        f"{paths.path}: this run has its store elsewhere.",
        measured=f"it is in {there}, asked for was {wanted}",
        cause="a run stays where it began",
        fix=f"leave the address out, or give another --run-dir; if the database itself has moved, change {paths.note}",
    )


def record_place(paths: RunPaths, place: Place) -> None:
    """Leave a note of a store that is not in the run directory; it never holds a password.

    Raises
    ------
    DiskError
        If it cannot be written.
    """
    if isinstance(place, PostgresPlace):
        write_json(paths.note, {"url": str(place.url), "schema": place.schema})


def open_for_writing(place: Place, *, busy_timeout_s: float, create: bool = True) -> Database:
    """Open a store, making it if there is none and `create` allows it.

    Raises
    ------
    StoreError, StoreVersionError
        If what is there is no store, or one of another format, or the database cannot be reached.
    StoreLockedError, DiskError
        If it cannot be written.
    """
    if isinstance(place, Path):
        return SqliteDatabase.open_for_writing(place, busy_timeout_s=busy_timeout_s)
    return _open_postgres(place, busy_timeout_s=busy_timeout_s, create=create)


def open_for_reading(place: Place, *, busy_timeout_s: float) -> Database:
    """Open a store beside its writer; sees what was committed, blocks nobody.

    Raises
    ------
    StoreError, StoreVersionError
        If there is none, or none of this format, or the database cannot be reached.
    """
    if isinstance(place, Path):
        return SqliteDatabase.open_for_reading(place, busy_timeout_s=busy_timeout_s)
    return _open_postgres(place, busy_timeout_s=busy_timeout_s, create=False)


def _open_postgres(place: PostgresPlace, *, busy_timeout_s: float, create: bool) -> Database:
    try:
        from morula.store.postgres import PostgresDatabase
    except ImportError as error:
        raise ConfigError(
            f"{place.url}: a store in PostgreSQL needs the package psycopg.",
            measured=str(error),
            fix="pip install 'morula[cluster]'",
        ) from None
    return PostgresDatabase.open(place.url, place.schema, busy_timeout_s=busy_timeout_s, create=create)
