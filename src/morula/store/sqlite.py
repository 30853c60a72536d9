"""A store as one SQLite file: settings that survive a kill, and how it is made.

Every commit is synced to disk. A write transaction takes the write lock when it begins, so that it cannot fail halfway
because somebody else wrote. Knows no table by name beside that of the format.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from morula import __version__
from morula.errors import MorulaError
from morula.store.database import Columns, Database, Rows, Value
from morula.store.disk import explained_disk_errors, sync_folder
from morula.store.schema import SCHEMA_VERSION, TABLES, check_version, describe_foreign, describe_missing
from morula.store.sqlite_errors import describe_sqlite_error

APPLICATION_ID = 0x6D6F7275
"""What SQLite's header says about whose file this is: "moru"."""

_CACHE_KIB = 8192  # eight times as much was no faster for a million rows, and filled up in long runs
_PAGE_BYTES = 8192  # SQLite's usual 4096 took a tenth more CPU for writing a million rows
_LOG_PAGES = 8000  # so long a log is merged into the file, and kept at that size


class SqliteDatabase(Database):
    """An open SQLite file; see `Database`.

    Parameters
    ----------
    path
        The file; messages name this one.
    address
        How it is opened, the path by default.
    busy_timeout_s
        How long another writer is waited for, in seconds.
    """

    errors = (sqlite3.Error,)

    def __init__(self, path: Path, address: str = "", *, busy_timeout_s: float) -> None:
        super().__init__(str(path))
        self._path = path
        with self.explained():
            self._connection = sqlite3.connect(
                address or path, uri=bool(address), timeout=busy_timeout_s, isolation_level=None
            )
            self._connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")

    @classmethod
    def open_for_writing(cls, path: Path, *, busy_timeout_s: float) -> Self:
        """Open a store, creating it if there is none.

        Raises
        ------
        StoreError, StoreVersionError
            If the file is not a store, or one of another format.
        StoreLockedError, DiskError
            If it cannot be opened.
        """
        if not path.exists():
            create_store(path)
        database = cls(path, busy_timeout_s=busy_timeout_s)
        try:
            with database.explained():
                database.execute("PRAGMA synchronous = FULL")
                database.execute(f"PRAGMA journal_size_limit = {_PAGE_BYTES * _LOG_PAGES}")
                database.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
            database._check_format()
        except BaseException:
            database.close()
            raise
        return database

    @classmethod
    def open_for_reading(cls, path: Path, *, busy_timeout_s: float) -> Self:
        """Open a store beside its writer; sees what was committed, blocks nobody.

        Raises
        ------
        StoreError, StoreVersionError
            If there is no such file, or it is no store of this format.
        """
        if not path.is_file():
            raise describe_missing(str(path))
        # Where the folder cannot be written to there is no room for SQLite's shared memory; without a log beside it the
        # file alone is complete (the last writer merged its log) and can be read as it is.
        unchanging = not os.access(path.parent, os.W_OK) and not path.with_name(path.name + "-wal").exists()
        address = f"file:{quote(str(path.resolve()))}?mode=ro" + ("&immutable=1" if unchanging else "")
        database = cls(path, address, busy_timeout_s=busy_timeout_s)
        try:
            database._check_format()
        except BaseException:
            database.close()
            raise
        return database

    def _check_format(self) -> None:
        with self.explained():
            owner = int(self.execute("PRAGMA application_id").fetchone()[0])
            version = int(self.execute("PRAGMA user_version").fetchone()[0])
            if owner != APPLICATION_ID:
                raise describe_foreign(self.name, f"application id {owner:#x}, a store has {APPLICATION_ID:#x}")
            writer = self.execute("SELECT value FROM meta WHERE key = 'morula_version'").fetchone()
        check_version(self.name, version, writer and str(writer[0]))

    def execute(self, query: str, values: Iterable[Value] = ()) -> Rows:
        """Run one statement."""
        return self._connection.execute(query, tuple(values))

    def stream(self, query: str, values: Iterable[Value] = ()) -> Iterator[tuple[Any, ...]]:
        """Return the rows of a query one by one."""
        return self._connection.execute(query, tuple(values))

    def insert_columns(self, table: str, columns: Columns, **constants: int) -> None:
        """Insert many rows with one statement."""
        slots = ", ".join([*(f"{value:d}" for value in constants.values()), *("?" * len(columns))])
        self._connection.executemany(
            f"INSERT INTO {table} ({', '.join((*constants, *columns))}) VALUES ({slots})",
            zip(*(values.tolist() for values in columns.values()), strict=True),
        )

    def claim(self) -> None:
        """Do nothing: the lock file beside the store is enough on one machine."""

    def is_claimed(self) -> bool:
        """Return false: only the lock file knows."""
        return False

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _begin(self, *, write: bool) -> None:
        self._connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")

    def _roll_back(self) -> None:
        if self._connection.in_transaction:  # SQLite itself rolls back when the disk is full
            self._connection.execute("ROLLBACK")

    def _is_in_transaction(self) -> bool:
        return self._connection.in_transaction

    def _describe(self, error: Exception, needed_bytes: int | None) -> MorulaError:
        return describe_sqlite_error(self._path, error, needed_bytes=needed_bytes)


def create_store(path: Path) -> None:
    """Make an empty store; it appears under its name complete, or not at all.

    Raises
    ------
    DiskError
        If the disk is full or does not let us write.
    """
    part = path.with_name(f".{path.name}.part")
    with explained_disk_errors(path):
        for left_over in (part, *(part.with_name(part.name + end) for end in ("-wal", "-shm", "-journal"))):
            left_over.unlink(missing_ok=True)
    with SqliteDatabase(path, f"file:{quote(str(part.resolve()))}", busy_timeout_s=0.0) as database:
        with database.explained():
            database.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
        with database.writing():
            for statement in TABLES:
                database.execute(statement)
            database.execute("INSERT INTO meta VALUES ('morula_version', ?)", (__version__,))
            database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        with database.explained():
            database.execute("PRAGMA journal_mode = WAL")
    with explained_disk_errors(path):
        part.replace(path)
        sync_folder(path.parent)
