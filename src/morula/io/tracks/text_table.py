"""Track points from a delimited text file: read in C where all is well, line by line to name what is not.

Refuses rows with more or fewer fields than the table has, fields that are not numbers, quotes that stay open, and
binary files; each refusal names the line.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TextIO

import numpy as np

from morula.errors import TracksFormatError
from morula.io.tracks.points import TrackPoints

_LARGEST_EXACT = 2.0**53
_WHOLE = ("id", "parent_id")


@dataclass(frozen=True, slots=True)
class TableLayout:
    """Where the columns of a text table stand.

    Parameters
    ----------
    delimiter
        One character between fields.
    n_fields
        Fields in every row.
    columns
        Position of t, z, y, x, id, parent_id and perhaps radius, counted from 0.
    n_header_lines
        Lines before the first row.
    """

    delimiter: str
    n_fields: int
    columns: Mapping[str, int]
    n_header_lines: int


class _BadLine(Exception):  # noqa: N818 - not an error of its own: it carries a line out of numpy's reader
    def __init__(self, line: int, problem: str) -> None:
        super().__init__(problem)
        self.line, self.problem = line, problem


def read_points(path: Path, layout: TableLayout) -> TrackPoints:
    """Return the points of a text table; empty lines are skipped, whole numbers may be written ``107.0``.

    Raises
    ------
    TracksFormatError
        If a row has another number of fields than `layout` says, or a field is not a number.
    """
    try:
        table = _read_table(path, layout)
    except _BadLine as bad:
        raise _refusal(path, bad) from None
    return TrackPoints(
        file=str(path),
        t=np.ascontiguousarray(table["t"]),
        zyx=np.stack([table["z"], table["y"], table["x"]], axis=1),
        id=np.ascontiguousarray(table["id"]),
        parent_id=np.ascontiguousarray(table["parent_id"]),
        place=lambda row: f"line {_find_line(path, layout, row)}",
        radius=np.ascontiguousarray(table["radius"]) if "radius" in layout.columns else None,
    )


def _read_table(path: Path, layout: TableLayout) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    try:
        return _load(path, layout, as_float=False)
    except ValueError:
        return _load_tolerantly(path, layout)


def _find_line(path: Path, layout: TableLayout, row: int) -> int:
    """Return the line, counted from 1, on which a row (counted from 0) of the table stands."""
    with open_text(path) as handle:
        for number, line in enumerate(handle, 1):
            if number > layout.n_header_lines and not line.isspace():
                if row == 0:
                    return number
                row -= 1
    return 0


def open_text(path: Path) -> TextIO:
    """Open a text file as UTF-8 with or without byte order mark; bytes that are no text become U+FFFD."""
    return path.open(encoding="utf-8-sig", errors="replace")


def _load(path: Path, layout: TableLayout, *, as_float: bool) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    dtype = [(name, "i8" if name in _WHOLE and not as_float else "f8") for name in layout.columns]
    with open_text(path) as handle:
        for _ in range(layout.n_header_lines):
            handle.readline()
        rows = _checked_lines(handle, layout)
        first = next(rows, None)
        if first is None:
            return np.zeros(0, dtype)
        return np.loadtxt(
            chain([first], rows),
            dtype=dtype,
            delimiter=layout.delimiter,
            comments=None,
            quotechar='"',
            usecols=list(layout.columns.values()),
            ndmin=1,
        )


def _checked_lines(handle: TextIO, layout: TableLayout) -> Iterator[str]:
    """Yield the lines that are not empty, refusing those with a wrong number of fields."""
    delimiter, wanted = layout.delimiter, layout.n_fields - 1
    for number, line in enumerate(handle, layout.n_header_lines + 1):
        if line.isspace():
            continue
        if '"' in line:
            found = len(_split_quoted(line, delimiter, number)) - 1
        else:
            found = line.count(delimiter)
        if found != wanted:
            raise _BadLine(number, f"{found + 1} fields, expected {layout.n_fields}")
        yield line


def _split_quoted(line: str, delimiter: str, number: int) -> list[str]:
    if line.count('"') % 2:
        raise _BadLine(number, "a quotation mark that is not closed")
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error as error:
        raise _BadLine(number, str(error)) from None


def _load_tolerantly(path: Path, layout: TableLayout) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    """Read whole numbers written as floating-point ones, or name the field that is no number at all."""
    dtype = [(name, "i8" if name in _WHOLE else "f8") for name in layout.columns]
    try:
        loose = _load(path, layout, as_float=True)
    except ValueError as error:
        raise _find_bad_field(path, layout, str(error)) from None
    table = np.zeros(len(loose), dtype)
    for name in layout.columns:
        values = loose[name]
        if name in _WHOLE:
            broken = np.flatnonzero(~((np.abs(values) < _LARGEST_EXACT) & (values == np.floor(values))))
            if len(broken):
                row = int(broken[0])
                problem = f"column {name} holds {values[row]:g}, expected a whole number"
                raise _BadLine(_find_line(path, layout, row), problem)
        table[name] = values
    return table


def _find_bad_field(path: Path, layout: TableLayout, message: str) -> _BadLine:
    with open_text(path) as handle:
        for number, line in enumerate(handle, 1):
            if number <= layout.n_header_lines or line.isspace():
                continue
            fields = _split_quoted(line, layout.delimiter, number)
            for name, column in layout.columns.items():
                if not _is_number(fields[column]):
                    shown = fields[column].strip()[:40]
                    said = f"holds {shown!r}, expected a number" if shown else "is empty"
                    return _BadLine(number, f"column {name} {said}")
    return _BadLine(layout.n_header_lines + 1, message)


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return "_" not in field and field.isascii()


def _refusal(path: Path, bad: _BadLine) -> TracksFormatError:
    decimal_comma = "fields" in bad.problem or "," in bad.problem
    return TracksFormatError(
        f"{path}, line {bad.line}: {bad.problem}.",
        cause="a damaged or cut file" + (", or numbers written with a decimal comma" if decimal_comma else ""),
        fix="repair the line, or export the table again",
    )


def split_header(line: str, delimiters: Sequence[str]) -> tuple[str, list[str]]:
    """Return the delimiter that cuts a header line into most fields, and the fields without blanks and quotes."""
    delimiter = max(delimiters, key=line.count)
    return delimiter, [field.strip().strip('"').strip() for field in line.split(delimiter)]
