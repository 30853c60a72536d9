"""Tracks in linajea's text format: ``t z y x cell_id parent_id track_id``, parted by tabs, without a header.

Times may be written ``107.000000``; an eighth column (division state) and the track id are ignored, for in published
files the track id is −1 throughout or shared by several cells. Positions are in the unit of the publisher, often
pixels, and the file does not say which: give `unit_um`. Tables of daughters alone, whose mothers stand in another
file, are refused.
"""

from __future__ import annotations

from pathlib import Path

from morula.core.tracks import Tracks
from morula.errors import TracksFormatError
from morula.io.tracks.points import build_tracks
from morula.io.tracks.text_table import TableLayout, open_text, read_points
from morula.io.tracks.units import choose_um_per_unit

_COLUMNS = ("t", "z", "y", "x", "id", "parent_id")
_FIELDS = (7, 8)


def read_linajea(path: Path, *, unit_um: float = 1.0) -> Tracks:
    """Read a linajea ``tracks.txt``.

    Parameters
    ----------
    path
        Text file of seven or eight columns parted by tabs.
    unit_um
        µm per unit of the positions.

    Raises
    ------
    TracksFormatError
        If a row has another number of columns or a field is not a number; the line is named.
    TracksError
        If the points make no lineage; the line is named.
    """
    layout = TableLayout(
        delimiter="\t",
        n_fields=_count_fields(path),
        columns={name: column for column, name in enumerate(_COLUMNS)},
        n_header_lines=0,
    )
    um_per_unit = choose_um_per_unit(None, unit_um, str(path))
    return build_tracks(read_points(path, layout), um_per_unit=um_per_unit)


def looks_like_linajea(line: str) -> bool:
    """Tell whether a line has the seven or eight numbers of this format."""
    fields = line.split("\t")
    if len(fields) not in _FIELDS:
        return False
    try:
        [float(field) for field in fields]
    except ValueError:
        return False
    return True


def _count_fields(path: Path) -> int:
    with open_text(path) as handle:
        first = next((line for line in handle if not line.isspace()), "")
    n_fields = len(first.split("\t"))
    if n_fields not in _FIELDS:
        raise TracksFormatError(
            f"{path}: the first row has {n_fields} columns parted by tabs, a linajea table has seven or eight.",
            measured=f"first row: {first.strip()[:80]!r}",
            cause="another kind of table, or blanks in place of tabs",
            fix="write t, z, y, x, cell id, parent id and track id parted by tabs, or a CSV with a header",
        )
    return n_fields
