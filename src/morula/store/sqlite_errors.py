"""SQLite's errors in words."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from morula.errors import MorulaError, StoreError, StoreLockedError
from morula.store.disk import describe_broken_disk, describe_forbidden, describe_full_disk

_PRIMARY_CODE = 0xFF
_NO_ROOM = (sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE)  # what quotas and file-size limits look like


def describe_sqlite_error(path: Path, error: Exception, *, needed_bytes: int | None = None) -> MorulaError:
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
