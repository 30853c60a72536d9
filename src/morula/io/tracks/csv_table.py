"""Tracks as a table with the header ``t,z,y,x,id,parent_id``: morula's own exchange format.

Reads positions in µm (or any unit, with `unit_um`), fields parted by comma, semicolon or tab, with or without byte
order mark, lines ended in any way. Columns other than the six and `radius` are ignored. Writes the same table, sorted
by frame, then id, byte for byte the same for the same tracks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from morula.core.tracks import Tracks
from morula.errors import TracksError, TracksFormatError
from morula.io.atomic import replace_file
from morula.io.tracks.points import build_tracks
from morula.io.tracks.text_table import TableLayout, open_text, read_points, split_header

REQUIRED_COLUMNS = ("t", "z", "y", "x", "id", "parent_id")

_ROWS_AT_ONCE = 100_000


def read_csv(path: Path, *, unit_um: float = 1.0) -> Tracks:
    """Read a track table.

    Parameters
    ----------
    path
        Text file with a header line.
    unit_um
        µm per unit of the positions and of `radius`.

    Raises
    ------
    TracksFormatError
        If columns are missing or a field is not a number; the line is named.
    TracksError
        If the points make no lineage; the line is named.
    """
    return build_tracks(read_points(path, _find_layout(path)), um_per_unit=unit_um)


def _find_layout(path: Path) -> TableLayout:
    n_lines, header = 0, ""
    with open_text(path) as handle:
        for n_lines, line in enumerate(handle, 1):  # noqa: B007 - the count is used below
            if not line.isspace():
                header = line
                break
    delimiter, names = split_header(header, (",", ";", "\t"))
    names = [name.lower() for name in names]
    missing = [name for name in REQUIRED_COLUMNS if name not in names]
    if missing:
        raise _missing_columns(path, missing, names)
    twice = [name for name in REQUIRED_COLUMNS if names.count(name) > 1]
    if twice:
        raise TracksFormatError(
            f"{path}, line {n_lines}: the column {twice[0]} occurs {names.count(twice[0])} times.",
            fix="rename or remove all but one of them",
        )
    wanted = [*REQUIRED_COLUMNS, *(["radius"] if "radius" in names else [])]
    return TableLayout(
        delimiter=delimiter,
        n_fields=len(names),
        columns={name: names.index(name) for name in wanted},
        n_header_lines=n_lines,
    )


def _missing_columns(path: Path, missing: list[str], names: list[str]) -> TracksFormatError:
    if all(_looks_numeric(name) for name in names if name):
        cause, fix = "a table without a header line", f"put the line {','.join(REQUIRED_COLUMNS)} on top"
    elif len(names) < 2:
        cause, fix = "a text that is no table", "give a table with a header line, or a file of another track format"
    else:
        cause = "columns with other names, or a table of points that does not say which point follows which"
        fix = "it needs t (frame), z, y, x (µm), id (one per point), parent_id (same cell one frame earlier, or -1)"
    return TracksFormatError(
        f"{path}: the table lacks the columns {', '.join(missing)}.",
        measured=f"found: {', '.join(name[:30] for name in names[:12]) or 'nothing'}",
        cause=cause,
        fix=fix,
    )


def _looks_numeric(text: str) -> bool:
    return text.replace(".", "", 1).replace("-", "").isdigit()


def write_csv(
    tracks: Tracks,
    path: Path,
    *,
    columns: Mapping[str, npt.NDArray[np.generic]] | None = None,
    overwrite: bool = False,
) -> None:
    """Write tracks as a table: µm with six decimals, parent −1 for none, sorted by frame, then id.

    Parameters
    ----------
    tracks
        Points and links; a radius becomes the column `radius`.
    path
        File to write; it appears whole or not at all.
    columns
        Further columns, one number per point, in the row order of `tracks`.
    overwrite
        Replace a file that exists.

    Raises
    ------
    TracksError
        If a further column has a name or length that does not fit.
    DiskError
        If the file exists and `overwrite` is false, or the disk refuses.
    """
    extra = dict(columns or {})
    if tracks.radius_um is not None and "radius" not in extra:
        extra = {"radius": tracks.radius_um, **extra}
    check_columns(tracks, extra)
    order = np.lexsort((tracks.id, tracks.t))
    with replace_file(path, overwrite=overwrite) as temporary, temporary.open("w", encoding="utf-8", newline="") as out:
        out.write(",".join([*REQUIRED_COLUMNS, *extra]) + "\n")
        for first in range(0, tracks.n, _ROWS_AT_ONCE):
            out.writelines(_format_rows(tracks, extra, order[first : first + _ROWS_AT_ONCE]))


def check_columns(tracks: Tracks, columns: Mapping[str, npt.NDArray[np.generic]]) -> None:
    """Refuse further columns whose name is taken or unfit for a table, or that are not one number per point.

    Raises
    ------
    TracksError
        Naming the column.
    """
    for name, values in columns.items():
        if name in REQUIRED_COLUMNS or not name.replace("_", "").isalnum():
            raise TracksError(
                f"further column {name!r}: the name is taken or has signs other than letters, digits and _.",
                fix="give the column another name",
            )
        if values.shape != (tracks.n,) or values.dtype.kind not in "iufb":
            raise TracksError(
                f"further column {name!r} has shape {values.shape} and type {values.dtype}, "
                f"expected one number for each of {tracks.n} points."
            )


def _format_rows(
    tracks: Tracks, extra: Mapping[str, npt.NDArray[np.generic]], rows: npt.NDArray[np.int64]
) -> Iterator[str]:
    zyx = np.round(tracks.zyx_um[rows], 6) + 0.0  # + 0.0 turns −0.0 into 0.0
    parent = tracks.parent_row[rows]
    parent_id = np.where(parent >= 0, tracks.id[parent], -1)
    fields = [tracks.t[rows], *zyx.T, tracks.id[rows], parent_id, *(values[rows] for values in extra.values())]
    formats = [
        "%d",
        "%.6f",
        "%.6f",
        "%.6f",
        "%d",
        "%d",
        *("%.9g" if v.dtype.kind == "f" else "%d" for v in extra.values()),
    ]
    line = ",".join(formats) + "\n"
    return map(line.__mod__, zip(*(field.tolist() for field in fields), strict=True))
