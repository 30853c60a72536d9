"""Pins made by hand, as a table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from morula.core.pins import PlacedPins
from morula.errors import MorulaError, TracksFormatError, TracksNotFoundError
from morula.io.tracks.pin_table import read_pins

HEADER = "kind,t,z,y,x,parent_t,parent_z,parent_y,parent_x,pinned\n"
TABLE = HEADER + "node,3,1.5,2,3,,,,,in\n\nlink,4,1,2,3.5,3,1.5,2,3,out\n"


def read(tmp_path: Path, text: str | bytes) -> PlacedPins:
    path = tmp_path / "pins.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_pins(path)


def test_cells_and_links_are_read_with_their_lines(tmp_path: Path) -> None:
    pins = read(tmp_path, TABLE)
    assert (pins.line.tolist(), pins.pin.tolist()) == ([2, 4], [1, -1])
    assert (pins.t.tolist(), pins.zyx_um.tolist()) == ([3, 4], [[1.5, 2, 3], [1, 2, 3.5]])
    assert (pins.parent_t.tolist(), pins.parent_zyx_um[1].tolist()) == ([-1, 3], [1.5, 2, 3])
    assert pins.place(1).endswith("pins.csv, line 4")


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff" + TABLE,
        TABLE.replace("\n", "\r\n"),
        TABLE.replace(",", ";"),
        TABLE.replace(",", "\t"),
        TABLE.replace("node", " Node ").replace("in\n", "IN\n"),
        TABLE.replace("node,3,", "node,3.0,"),
        TABLE.replace("pinned\n", "pinned,why\n").replace("in\n", 'in,"lost, found"\n').replace("out\n", "out,\n"),
    ],
)
def test_the_same_table_may_be_written_in_many_ways(tmp_path: Path, text: str) -> None:
    pins = read(tmp_path, text)
    assert (pins.t.tolist(), pins.pin.tolist(), pins.parent_t.tolist()) == ([3, 4], [1, -1], [-1, 3])


def test_a_table_of_cells_needs_no_columns_of_parents(tmp_path: Path) -> None:
    pins = read(tmp_path, "pinned,kind,t,x,y,z\nout,node,0,3,2,1\n")
    assert (pins.zyx_um.tolist(), pins.parent_t.tolist()) == ([[1, 2, 3]], [-1])


def test_a_table_without_rows_pins_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, HEADER).n == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the table is empty"),
        ("t,z,y,x,id,parent_id\n0,1,2,3,4,-1\n", "line 1: the table of pins lacks the columns kind, pinned"),
        (HEADER + "node,3,1,2,3,,,,in\n", "line 2: 9 fields, the header has 10"),
        (HEADER + "cell,3,1,2,3,,,,,in\n", "line 2: kind is 'cell'"),
        (HEADER + "node,3,1,2,3,,,,,yes\n", "line 2: pinned is 'yes'"),
        (HEADER + "node,3,1,2,,,,,,in\n", "line 2: x is '', expected a number"),
        (HEADER + "node,3,1,nan,3,,,,,in\n", "line 2: y is 'nan', expected a number"),
        (HEADER + "node,2.5,1,2,3,,,,,in\n", "line 2: t is 2.5, a frame is a whole number"),
        (HEADER + "node,-1,1,2,3,,,,,in\n", "line 2: t is -1, a frame is a whole number"),
        (HEADER + "node,1e300,1,2,3,,,,,in\n", "line 2: t is '1e300', expected a number"),
        (HEADER + "link,3,1,2,3,,,,,in\n", "line 2: parent_t is '', expected a number"),
        (HEADER + "link,3,1,2,3,3,1,2,3,in\n", "line 2: the parent is in frame 3, the child in frame 3"),
        (HEADER + "node,3,1,2,3,2,1,2,3,in\n", "line 2: a node has no parent"),
        ("kind,t,z,y,x,pinned\nlink,3,1,2,3,in\n", "line 2: parent_t is '', expected a number"),
        (HEADER + "node,3,1,2," + "3" * 200_000 + ",,,,,in\n", "line 2: this is no line of a table"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "lacks the columns kind"),
    ],
)
def test_what_is_not_understood_is_refused_with_its_line(tmp_path: Path, text: str | bytes, said: str) -> None:
    with pytest.raises(TracksFormatError, match=said):
        read(tmp_path, text)


def test_a_file_that_is_not_there_or_too_large_is_named(tmp_path: Path) -> None:
    with pytest.raises(TracksNotFoundError, match=r"none\.csv: there is no file with pins"):
        read_pins(tmp_path / "none.csv")
    with (tmp_path / "big.csv").open("wb") as file:
        file.truncate(65 << 20)
    with pytest.raises(TracksFormatError, match=r"big\.csv is too large"):
        read_pins(tmp_path / "big.csv")


def outcome(tmp_path: Path, text: bytes) -> PlacedPins | str:
    """What the reader returns, or what it says when it refuses; any other error ends the test."""
    try:
        return read(tmp_path, text)
    except MorulaError as error:
        return str(error)


def test_damaged_tables_are_refused_with_their_name_or_read(
    tmp_path: Path, mutate: Callable[[bytes, int], bytes], mutation_seeds: range
) -> None:
    for seed in mutation_seeds:
        result = outcome(tmp_path, mutate(TABLE.encode(), seed))
        assert isinstance(result, PlacedPins) or "pins.csv" in result
