"""What a store needs of a database, whichever it is: one connection, transactions, and errors in words.

Everything above this module is the same for SQLite and PostgreSQL: queries are written once, with ``?`` for values.
What differs stands in `sqlite` and `postgres`: how rows are written in bulk, what makes a writer the only one, which
errors mean what.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol, Self

from morula.core.columns import FloatArray, FrameArray, IntArray
from morula.errors import MorulaError

Value = int | float | str | bytes | None
Columns = Mapping[str, IntArray | FrameArray | FloatArray]


class Rows(Protocol):
    """What a query gave."""

    def fetchone(self) -> Any:
        """Return the next row, None after the last."""

    def fetchall(self) -> list[Any]:
        """Return all rows that are left."""

    def __iter__(self) -> Iterator[Any]:
        """Go through the rows that are left."""


class Database(ABC):
    """An open connection to the tables of one run.

    Parameters
    ----------
    name
        Where they are, as messages show it.
    """

    errors: tuple[type[Exception], ...]
    """What the library behind it raises."""

    def __init__(self, name: str) -> None:
        self.name = name

    @abstractmethod
    def execute(self, query: str, values: Iterable[Value] = ()) -> Rows:
        """Run one statement with ``?`` for each value."""

    @abstractmethod
    def stream(self, query: str, values: Iterable[Value] = ()) -> Iterator[tuple[Any, ...]]:
        """Return the rows of a query that may give millions, inside of a transaction; they do not wait in memory."""

    @abstractmethod
    def insert_columns(self, table: str, columns: Columns, **constants: int) -> None:
        """Insert many rows at once, given by columns, and values that are the same in each.

        No back end keeps a negative zero; a column of NaN is nowhere known, and left out (NULL).
        """

    @abstractmethod
    def claim(self) -> None:
        """Make this the only writer until it is closed or its process ends.

        Raises
        ------
        StoreLockedError
            If another is; the message names it.
        """

    @abstractmethod
    def is_claimed(self) -> bool:
        """Say whether somebody's claim is known here."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection; a second call does nothing."""

    @contextmanager
    def writing(self, *, needed_bytes: int | None = None) -> Iterator[None]:
        """Do everything inside the block or nothing of it.

        Raises
        ------
        StoreError, StoreLockedError, DiskError
            In place of the library's errors; nothing was changed then.
        """
        with self.explained(needed_bytes=needed_bytes):
            self._begin(write=True)
            try:
                yield
                self.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Let several reads see one state of the store, even if its writer commits in between; may be nested."""
        with self.explained():
            if self._is_in_transaction():
                yield
                return
            self._begin(write=False)
            try:
                yield
            finally:
                self._roll_back()

    @contextmanager
    def explained(self, *, needed_bytes: int | None = None) -> Iterator[None]:
        """Turn the library's errors into ours."""
        try:
            yield
        except self.errors as error:
            raise self._describe(error, needed_bytes) from error

    def upsert(self, table: str, keys: tuple[str, ...], values: Mapping[str, Value]) -> None:
        """Insert a row, or replace the one that has the same keys."""
        slots = ", ".join("?" * len(values))
        changes = ", ".join(f"{name} = excluded.{name}" for name in values if name not in keys)
        self.execute(
            f"INSERT INTO {table} ({', '.join(values)}) VALUES ({slots}) "
            f"ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {changes}",
            values.values(),
        )

    @abstractmethod
    def _begin(self, *, write: bool) -> None: ...

    @abstractmethod
    def _roll_back(self) -> None: ...

    @abstractmethod
    def _is_in_transaction(self) -> bool: ...

    @abstractmethod
    def _describe(self, error: Exception, needed_bytes: int | None) -> MorulaError: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
