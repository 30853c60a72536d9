"""PostgreSQL's errors in words."""

from __future__ import annotations

from morula.errors import DiskError, MorulaError, StoreError, StoreLockedError
from morula.store.address import hide_passwords

_DISK_FULL = "53100"
_TAKEN = ("55P03", "40P01")  # lock_timeout, deadlock
_NOT_ALLOWED = "42501"
_READ_ONLY = "25006"
_GONE = ("42P01", "3F000")  # table, schema
_LOST = ("57P01", "57P02", "57P03", "08000", "08003", "08006")


def describe_unreachable(name: str, error: Exception) -> StoreError:
    """Return the error of a database that cannot be opened."""
    return StoreError(
        f"{name}: the database cannot be reached.",
        measured=_first_line(error),
        cause="a server that does not run or does not let this machine in, another host, port, database or user, "
        "or a wrong password",
        fix="try the address with `psql`; a password belongs into ~/.pgpass, PGPASSWORD, or MORULA_STORE; "
        "then run again: what is finished is kept",
    )


def describe_lost(name: str, error: Exception) -> StoreError:
    """Return the error of a connection that broke."""
    return StoreError(
        f"{name}: the connection to the database was lost.",
        measured=_first_line(error),
        cause="the server was stopped or restarted, or the network between it and this machine failed",
        fix="see that the server runs, and run again: what is finished is kept",
    )


def describe_postgres_error(
    name: str, error: Exception, *, is_lost: bool, needed_bytes: int | None = None
) -> MorulaError:
    """Return the error that says in words what PostgreSQL's code means for a store."""
    code = getattr(error, "sqlstate", None) or ""
    if is_lost or code in _LOST:
        return describe_lost(name, error)
    measured = f"PostgreSQL says: {_first_line(error)}"
    if code == _DISK_FULL:
        needed = "" if needed_bytes is None else f"; {needed_bytes / 1e6:.1f} MB needed for this write"
        return DiskError(
            f"{name}: the disk of the database is full, or a quota is reached.",
            measured=measured + needed,
            cause="the tables of all runs grew to what the server's disk allows",
            fix="free some space on the server, and run again: what is finished is kept",
        )
    if code in _TAKEN:
        return StoreLockedError(
            f"{name}: another program keeps the store locked.",
            measured=measured,
            cause="a session of psql with an open transaction, or maintenance of the tables",
            fix="end the other transaction and run again: what is finished is kept",
        )
    if code in (_NOT_ALLOWED, _READ_ONLY):
        return StoreError(
            f"{name}: this database does not let the user write.",
            measured=measured,
            cause="a user without the right to create schemas here, a schema of another user, or a read-only copy",
            fix="as its owner: GRANT CREATE ON DATABASE … TO …; or give the user who began the run",
        )
    if code in _GONE:
        return describe_gone(name, measured)
    return StoreError(
        f"{name}: the database refused an operation.",
        measured=measured,
        cause="the tables were changed by another program, or this is a fault in morula",
        fix="run again; if it stays, report this message",
    )


def describe_gone(name: str, measured: str = "") -> StoreError:
    """Return the error of tables that were there once."""
    return StoreError(
        f"{name}: the tables of this run are not in the database.",
        measured=measured,
        cause="somebody dropped the schema, or the address leads to another server now",
        fix="restore it from a backup, or remove store.json in the run directory to run from the beginning",
    )


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return hide_passwords(lines[0].strip())
