"""The SQLite connection of a run: settings that survive a kill, transactions, and SQLite's errors in words.

Owns how the file is opened (every commit synced to disk) and the one kind of transaction used: it takes the write lock
when it begins, so that it cannot fail halfway because somebody else wrote. Knows no table.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from morula.errors import MorulaError, StoreError, StoreLockedError
from morula.store.disk import describe_broken_disk, describe_forbidden, describe_full_disk

_CACHE_KIB = 65536
_KEPT_LOG_BYTES = 64_000_000
_PRIMARY_CODE = 0xFF
_NO_ROOM = (sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE)  # what quotas and file-size limits look like


def connect_for_writing(path: Path, *, busy_timeout_s: float) -> sqlite3.Connection:
    """Open a file as SQLite, creating it if there is none; what it holds has to be checked before it is changed.

    Raises
    ------
    DiskError
        If the file cannot be opened.
    """
    with explained_sqlite_errors(path):
        connection = sqlite3.connect(path, timeout=busy_timeout_s, isolation_level=None)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA journal_size_limit = {_KEPT_LOG_BYTES}")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    return connection


def connect_for_reading(path: Path, *, busy_timeout_s: float) -> sqlite3.Connection:
    """Open a store beside its writer; sees what was committed, blocks nobody.

    Raises
    ------
    StoreError
        If there is no such file.
    """
    if not path.is_file():
        raise StoreError(
            f"{path}: there is no store here.",
            cause="another folder was meant, or the run has not begun",
            fix="give the folder that was given to `morula run --run-dir`",
        )
    # Where the folder cannot be written to there is no room for SQLite's shared memory; without a log beside it the
    # file alone is complete (the last writer merged its log) and can be read as it is.
    unchanging = not os.access(path.parent, os.W_OK) and not path.with_name(path.name + "-wal").exists()
    address = f"file:{quote(str(path.resolve()))}?mode=ro" + ("&immutable=1" if unchanging else "")
    with explained_sqlite_errors(path):
        connection = sqlite3.connect(address, uri=True, timeout=busy_timeout_s, isolation_level=None)
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    return connection


@contextmanager
def write_transaction(connection: sqlite3.Connection, path: Path, *, needed_bytes: int | None = None) -> Iterator[None]:
    """Do everything inside the block or nothing of it.

    Raises
    ------
    StoreError, StoreLockedError, DiskError
        In place of SQLite's errors; nothing was changed then.
    """
    with explained_sqlite_errors(path, needed_bytes=needed_bytes):
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:  # SQLite itself rolls back when the disk is full
                connection.execute("ROLLBACK")
            raise


@contextmanager
def read_transaction(connection: sqlite3.Connection, path: Path) -> Iterator[None]:
    """Let several reads see one state of the store, even if its writer commits in between."""
    with explained_sqlite_errors(path):
        connection.execute("BEGIN")
        try:
            yield
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")


@contextmanager
def explained_sqlite_errors(path: Path, *, needed_bytes: int | None = None) -> Iterator[None]:
    """Turn SQLite's errors on `path` into ours; see `describe_sqlite_error`."""
    try:
        yield
    except sqlite3.Error as error:
        raise describe_sqlite_error(path, error, needed_bytes=needed_bytes) from error


def describe_sqlite_error(path: Path, error: sqlite3.Error, *, needed_bytes: int | None = None) -> MorulaError:
    """Return the error that says in words what SQLite's code means for a store."""
    extended = getattr(error, "sqlite_errorcode", None) or 0
    code = extended & _PRIMARY_CODE
    if code == sqlite3.SQLITE_FULL or extended in _NO_ROOM:
        return describe_full_disk(path, needed_bytes=needed_bytes)
    if code == sqlite3.SQLITE_IOERR:
        return describe_broken_disk(path, f"the disk failed while the store was used ({error})")
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return describe_forbidden(path)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreLockedError(
            f"{path}: another program keeps the store locked.",
            measured=f"SQLite says: {error}",
            cause="a database browser with an open transaction, or a backup program",
            fix="close the other program and run again: what is finished is kept",
        )
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return StoreError(
            f"{path}: this is not a store, or it is damaged.",
            measured=f"SQLite says: {error}",
            cause="a file of another kind under this name, or a copy that was cut short",
            fix="restore it from a backup, or remove it (with its -wal and -shm files) to run from the beginning",
        )
    return StoreError(
        f"{path}: the store refused an operation.",
        measured=f"SQLite says: {error}",
        cause="the file was changed by another program, or this is a fault in morula",
        fix="run again; if it stays, remove the store and report this message",
    )
