"""A store as the tables of one schema in a PostgreSQL database: bulk writes by COPY, one writer by an advisory lock.

Owns how a connection is opened, and made anew where it broke between two transactions. Imported only where a run names
such a database; needs psycopg.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, Self

import numpy as np
import psycopg

from morula import __version__
from morula.errors import MorulaError, StoreError
from morula.store.address import StoreUrl
from morula.store.copy_format import pack_rows
from morula.store.database import Columns, Database, Rows, Value
from morula.store.lock import describe_locked, name_holder
from morula.store.postgres_errors import describe_gone, describe_lost, describe_postgres_error, describe_unreachable
from morula.store.schema import SCHEMA_VERSION, TABLES, check_version, translate_for_postgres

_LOG = logging.getLogger(__name__)
_CONNECT_S = 10
_CLAIM_PATIENCE_S = 5.0
_RETRY_S = 0.1
_ROWS_AT_ONCE = 50_000
_ENCODINGS = ("UTF8", "SQL_ASCII")
# A machine that lost its power holds its claim until the server has asked in vain whether it is there.
_KEEPALIVE = "SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3"
_BEGIN = {True: "BEGIN", False: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"}


class PostgresDatabase(Database):
    """An open connection to the tables of one run; see `Database`.

    Parameters
    ----------
    url
        Address of the database.
    schema
        Name of the run's schema in it.
    busy_timeout_s
        How long locks of others are waited for, in seconds.
    """

    errors = (psycopg.Error,)

    def __init__(self, url: StoreUrl, schema: str, *, busy_timeout_s: float) -> None:
        super().__init__(f"{url} ({schema})")
        self._url, self._schema, self._busy_timeout_s = url, schema, busy_timeout_s
        self._key = int.from_bytes(hashlib.sha256(schema.encode()).digest()[:8], "big", signed=True)
        self._holder = ""
        self._connection = self._connect()

    @classmethod
    def open(cls, url: StoreUrl, schema: str, *, busy_timeout_s: float, create: bool = False) -> Self:
        """Open the tables of a run, making them if `create` allows it and there are none.

        Raises
        ------
        StoreError, StoreVersionError
            If the database cannot be reached or does not let us write, or the tables are missing or of another format.
        """
        database = cls(url, schema, busy_timeout_s=busy_timeout_s)
        try:
            if create:
                database._create()
            database._check_format()
        except BaseException:
            database.close()
            raise
        return database

    def execute(self, query: str, values: Iterable[Value] = ()) -> Rows:
        """Run one statement."""
        rows: Rows = self._connection.execute(query.replace("?", "%s"), [_without_nul(value) for value in values])
        return rows

    def stream(self, query: str, values: Iterable[Value] = ()) -> Iterator[tuple[Any, ...]]:
        """Return the rows of a query one by one, fetched some thousands at a time."""
        with self._connection.cursor("rows", binary=True) as cursor:
            cursor.execute(query.replace("?", "%s"), list(values))
            while rows := cursor.fetchmany(_ROWS_AT_ONCE):
                yield from rows

    def insert_columns(self, table: str, columns: Columns, **constants: int) -> None:
        """Insert many rows with one COPY."""
        n_rows = len(next(iter(columns.values())))
        known = constants | {name: values for name, values in columns.items() if not np.isnan(values).all()}
        if n_rows:
            with (
                self._connection.cursor() as cursor,
                cursor.copy(f"COPY {table} ({', '.join(known)}) FROM STDIN (FORMAT BINARY)") as copy,
            ):
                copy.write(pack_rows(known, n_rows))

    def claim(self) -> None:
        """Take the advisory lock of this run, which ends with the connection, and leave our name for others."""
        self._take_lock()
        self._holder = name_holder()
        with self.writing():
            self.upsert("meta", ("key",), {"key": "writer", "value": self._holder})

    def is_claimed(self) -> bool:
        """Say whether some connection holds the advisory lock of this run."""
        query = (
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND database = "
            "(SELECT oid FROM pg_database WHERE datname = current_database()) "
            "AND classid::bigint = ? AND objid::bigint = ?"
        )
        with self.explained():
            return bool(self.execute(query, divmod(self._key % (1 << 64), 1 << 32)).fetchone()[0])

    def close(self) -> None:
        """Close the connection; locks and claims end with it."""
        self._connection.close()

    def _begin(self, *, write: bool) -> None:
        try:
            self.execute(_BEGIN[write])
        except psycopg.OperationalError as error:
            if not self._connection.closed:
                raise
            self._reconnect(error)
            self.execute(_BEGIN[write])

    def _roll_back(self) -> None:
        if not self._connection.closed:
            with suppress(psycopg.Error):  # a connection that breaks now has nothing to roll back
                self.execute("ROLLBACK")

    def _is_in_transaction(self) -> bool:
        return not self._connection.closed and bool(self._connection.info.transaction_status)

    def _describe(self, error: Exception, needed_bytes: int | None) -> MorulaError:
        lost = bool(self._connection.closed)
        return describe_postgres_error(self.name, error, is_lost=lost, needed_bytes=needed_bytes)

    def _connect(self) -> psycopg.Connection[Any]:
        own: dict[str, Any] = {"connect_timeout": str(_CONNECT_S), "application_name": f"morula {self._schema}"}
        wait_ms = max(1, round(1000 * self._busy_timeout_s))
        try:
            connection = psycopg.connect(**own | self._url.list_settings(), autocommit=True, client_encoding="utf8")
            connection.execute(f"{_KEEPALIVE}; SET lock_timeout = {wait_ms}; SET search_path = {self._schema}")
        except psycopg.Error as error:
            raise describe_unreachable(self.name, error) from None
        return connection

    def _reconnect(self, error: Exception) -> None:
        """Make a connection that broke anew, and its claim, unless somebody else has written in between."""
        self._connection = self._connect()
        if self._holder:
            self._take_lock()
            if self._read_holder() != self._holder:
                raise describe_lost(self.name, error) from error
        _LOG.warning("%s: the connection was lost, and made anew", self.name)

    def _take_lock(self) -> None:
        deadline = time.monotonic() + _CLAIM_PATIENCE_S  # the server may not have noticed yet that an earlier run died
        with self.explained():
            while not self.execute("SELECT pg_try_advisory_lock(?)", (self._key,)).fetchone()[0]:
                if time.monotonic() > deadline:
                    raise describe_locked(self.name, self._read_holder())
                time.sleep(_RETRY_S)

    def _read_holder(self) -> str:
        row = self.execute("SELECT value FROM meta WHERE key = 'writer'").fetchone()
        return "" if row is None else str(row[0])

    def _create(self) -> None:
        with self.writing():
            self.execute("SELECT pg_advisory_xact_lock(?)", (self._key ^ 1,))  # others may do the same
            if self._has_tables():
                return
            encoding = str(self.execute("SHOW server_encoding").fetchone()[0])
            if encoding not in _ENCODINGS:
                raise StoreError(
                    f"{self.name}: this database cannot hold all signs.",
                    measured=f"its encoding is {encoding}",
                    fix="make another: createdb --encoding UTF8 --template template0 …",
                )
            self.execute(f"CREATE SCHEMA {self._schema}")
            for statement in TABLES:
                self.execute(translate_for_postgres(statement))
            for key, value in (("schema_version", str(SCHEMA_VERSION)), ("morula_version", __version__)):
                self.execute("INSERT INTO meta VALUES (?, ?)", (key, value))

    def _check_format(self) -> None:
        with self.explained():
            if not self._has_tables():
                raise describe_gone(self.name)
            found = dict(self.execute("SELECT key, value FROM meta").fetchall())
        check_version(self.name, int(found.get("schema_version", 0)), found.get("morula_version"))

    def _has_tables(self) -> bool:
        return self.execute("SELECT to_regclass(?)", (f"{self._schema}.meta",)).fetchone()[0] is not None


def _without_nul(value: Value) -> Value:
    """Return a value without the one character that PostgreSQL's texts cannot hold."""
    return value.replace("\0", "\N{SYMBOL FOR NULL}") if isinstance(value, str) else value
