"""Pins made by hand, as a table: which cells and links must be taken or left, said by their places.

One line per pin, with the header ``kind,t,z,y,x,parent_t,parent_z,parent_y,parent_x,pinned``; kind is node or link,
pinned is in or out, positions are in µm; the parent's columns are empty for a node (and may be left out if there is no
link). Further columns are ignored. Refuses whatever it does not understand, naming the line. It knows no graph:
`morula.solve.problem.placing` finds what lies at these places.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from morula.core.pins import IN, OUT, PlacedPins
from morula.errors import TracksFormatError, TracksNotFoundError
from morula.io.tracks.text_table import open_text, split_header

_NEEDED = ("kind", "t", "z", "y", "x", "pinned")
_PARENT = ("parent_t", "parent_z", "parent_y", "parent_x")
_PINNED = {"in": IN, "out": OUT}
_KINDS = ("node", "link")
_LARGEST_FRAME = 2**31 - 1
_LARGEST_FILE_BYTES = 64 << 20
_NO_PARENT = (-1.0, 0.0, 0.0, 0.0)

_Row = dict[str, str]


def read_pins(path: Path | str) -> PlacedPins:
    """Read pins made by hand.

    Parameters
    ----------
    path
        Text file with a header line, fields parted by comma, semicolon or tab.

    Returns
    -------
    pins
        In the order of the file.

    Raises
    ------
    TracksNotFoundError
        If there is no file at this place.
    TracksFormatError
        If columns are missing or a field is not understood; the line is named.
    """
    path = Path(path)
    if not path.is_file():
        raise TracksNotFoundError(f"{path}: there is no file with pins at this place.", fix="check the path")
    if path.stat().st_size > _LARGEST_FILE_BYTES:
        raise TracksFormatError(f"{path} is too large for a table made by hand.", fix="give the table of pins")
    lines, pins, places, parents = [], [], [], []
    for line, row in _read_rows(path):
        where = f"{path}, line {line}"
        lines.append(line)
        pins.append(_PINNED[_choose(row, "pinned", tuple(_PINNED), where)])
        places.append(_read_place(row, ("t", "z", "y", "x"), where))
        is_link = _choose(row, "kind", _KINDS, where) == "link"
        parents.append(_read_place(row, _PARENT, where) if is_link else _NO_PARENT)
        _check_parent(row, places[-1], parents[-1], where, is_link=is_link)
    child, parent = (np.array(part, np.float64).reshape(-1, 4) for part in (places, parents))
    return PlacedPins(
        file=str(path),
        line=np.array(lines, np.int64),
        pin=np.array(pins, np.int8),
        t=child[:, 0].astype(np.int32),
        zyx_um=child[:, 1:],
        parent_t=parent[:, 0].astype(np.int32),
        parent_zyx_um=parent[:, 1:],
    )


def _read_rows(path: Path) -> Iterator[tuple[int, _Row]]:
    """Yield the number of each line that is not empty, and its fields by column."""
    names: list[str] = []
    delimiter = ","
    with open_text(path) as handle:
        for number, line in enumerate(handle, 1):
            if not line.strip(" \t\r\n,;"):
                continue
            if not names:
                delimiter, names = split_header(line, (",", ";", "\t"))
                names = [name.lower() for name in names]
                _check_header(names, f"{path}, line {number}")
                continue
            fields = _split(line, delimiter, f"{path}, line {number}")
            if len(fields) != len(names):
                raise TracksFormatError(
                    f"{path}, line {number}: {len(fields)} fields, the header has {len(names)}.",
                    cause="a decimal comma, or a field left out",
                    fix="write one field per column; the parent's are empty for a node",
                )
            yield number, dict(zip(names, fields, strict=True))
    if not names:
        raise TracksFormatError(f"{path}: the table is empty.", fix=f"begin with the line {_header()}")


def _split(line: str, delimiter: str, where: str) -> list[str]:
    try:
        return [field.strip() for field in next(csv.reader([line], delimiter=delimiter))]
    except csv.Error as error:
        raise TracksFormatError(f"{where}: this is no line of a table: {error}.", fix="repair the line") from None


def _check_header(names: list[str], where: str) -> None:
    missing = [name for name in _NEEDED if name not in names]
    if missing:
        raise TracksFormatError(
            f"{where}: the table of pins lacks the columns {', '.join(missing)}.",
            measured=f"found: {', '.join(name[:30] for name in names[:12])}",
            cause="a file of another kind, or a table without a header line",
            fix=f"begin with the line {_header()}",
        )


def _header() -> str:
    return ",".join([*_NEEDED[:-1], *_PARENT, _NEEDED[-1]])


def _choose(row: _Row, name: str, known: tuple[str, ...], where: str) -> str:
    value = row[name].lower()
    if value not in known:
        raise TracksFormatError(
            f"{where}: {name} is {row[name][:30]!r}.", cause="shifted columns or a slip", fix=f"{' or '.join(known)}"
        )
    return value


def _read_place(row: _Row, names: tuple[str, ...], where: str) -> tuple[float, ...]:
    """Read a frame and a position; the first of the names is the frame's."""
    numbers = []
    for name in names:
        try:
            number = float(row.get(name, ""))
        except ValueError:
            number = math.nan
        if not math.isfinite(number) or abs(number) > _LARGEST_FRAME:
            raise TracksFormatError(
                f"{where}: {name} is {row.get(name, '')[:30]!r}, expected a number.",
                fix="a link needs the places of child and parent, a node only its own",
            )
        numbers.append(number)
    if numbers[0] < 0 or not numbers[0].is_integer():
        raise TracksFormatError(
            f"{where}: {names[0]} is {numbers[0]:g}, a frame is a whole number from 0 upwards.",
            fix="write the number of the frame, counted from 0",
        )
    return tuple(numbers)


def _check_parent(row: _Row, child: tuple[float, ...], parent: tuple[float, ...], where: str, *, is_link: bool) -> None:
    """Refuse a parent that is not earlier, and a node with a parent."""
    if is_link and parent[0] >= child[0]:
        raise TracksFormatError(
            f"{where}: the parent is in frame {parent[0]:g}, the child in frame {child[0]:g}.",
            cause="child and parent exchanged",
            fix="t, z, y, x are the later cell's, parent_t, parent_z, parent_y, parent_x the earlier one's",
        )
    if not is_link and any(row.get(name) for name in _PARENT):
        raise TracksFormatError(f"{where}: a node has no parent.", fix="leave its fields empty, or write link")
