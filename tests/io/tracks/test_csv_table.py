"""Track tables with a header."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from morula.core.tracks import Tracks
from morula.errors import DiskError, MorulaError, TracksError, TracksFormatError
from morula.io.tracks.csv_table import read_csv, write_csv

HEADER = "t,z,y,x,id,parent_id\n"
#      1 (t 0)
#     / \
#    2   3 (t 1)      9 (t 1, alone)
ROWS = "0,1,2,3,1,-1\n1,1,2,4,2,1\n1,1,2,2,3,1\n1,8,8,8,9,-1\n"


@pytest.fixture
def table(tmp_path: Path) -> Callable[[str | bytes], Path]:
    def write(content: str | bytes) -> Path:
        path = tmp_path / "tracks.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def links(tracks: Tracks) -> dict[int, int]:
    return dict(zip(tracks.id.tolist(), tracks.parent_id.tolist(), strict=True))


def test_a_plain_table_is_read(table: Callable[[str], Path]) -> None:
    tracks = read_csv(table(HEADER + ROWS))
    assert links(tracks) == {1: -1, 2: 1, 3: 1, 9: -1}
    assert tracks.zyx_um[1].tolist() == [1, 2, 4]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param((HEADER + ROWS).replace("\n", "\r\n"), id="Windows line ends"),
        pytest.param(b"\xef\xbb\xbf" + (HEADER + ROWS).encode(), id="byte order mark"),
        pytest.param((HEADER + ROWS).replace(",", ";"), id="semicolons"),
        pytest.param((HEADER + ROWS).replace(",", "\t"), id="tabs"),
        pytest.param(HEADER.upper() + ROWS, id="header in capitals"),
        pytest.param('"t","z","y","x","id","parent_id"\n' + ROWS.replace("0,1,2", '"0",1,2'), id="quoted fields"),
        pytest.param("\n" + HEADER + "\n" + ROWS.replace("\n", "\n\n"), id="empty lines"),
        pytest.param(HEADER + ROWS.replace("0,1,2,3,1", "0.000000,1,2,3,1.0"), id="whole numbers with decimals"),
        pytest.param("t,z,y,x,id,parent_id,name\n" + ROWS.replace("\n", ",cell Ab\n"), id="a further column of text"),
        pytest.param(HEADER + "".join(reversed(ROWS.splitlines(keepends=True))), id="rows backwards"),
    ],
)
def test_the_same_table_written_in_other_ways_reads_the_same(
    table: Callable[[str | bytes], Path], content: str | bytes
) -> None:
    tracks = read_csv(table(content))
    assert links(tracks) == {1: -1, 2: 1, 3: 1, 9: -1}
    assert tracks.t.tolist() == [0, 1, 1, 1]


def test_columns_in_another_order_and_a_radius_are_found_by_name(table: Callable[[str], Path]) -> None:
    tracks = read_csv(table("id,parent_id,radius,x,y,z,t\n5,-1,2.5,3,2,1,4\n"), unit_um=2.0)
    assert tracks.zyx_um.tolist() == [[2, 4, 6]]
    assert tracks.radius_um is not None
    assert tracks.radius_um.tolist() == [5]


def test_ids_beyond_the_exact_range_of_floats_are_kept(table: Callable[[str], Path]) -> None:
    big = 2**62 + 1
    assert read_csv(table(HEADER + f"0,1,1,1,{big},-1\n")).id.tolist() == [big]


def test_a_header_alone_gives_no_points_and_says_so(
    table: Callable[[str], Path], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert read_csv(table(HEADER)).n == 0
    assert "holds no points" in caplog.text


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("t,z,y,x,id\n0,1,2,3,1\n", r"lacks the columns parent_id\.\n.*found: t, z, y, x, id"),
        ("0,1,2,3,1,-1\n", r"lacks the columns[^\n]*\n[^\n]*\n  cause:    a table without a header line"),
        ("Copyright\nall rights\n", r"a text that is no table"),
        ("", r"found: nothing"),
        ("t,z,y,x,id,parent_id,x\n0,1,2,3,1,-1,3\n", r"line 1: the column x occurs 2 times"),
        (HEADER + "0,1,,3,1,-1\n", r"line 2: column y is empty"),
        (HEADER + "0,1,2,3,1,-1\n\n1,1,abc,3,2,1\n", r"line 4: column y holds 'abc', expected a number"),
        (HEADER + "0,1,2,3,1,-1\n0,1,nan,3,2,-1\n", r"line 3: the position \(z, y, x\) = \(1, nan, 3\)"),
        (HEADER + "0,1,1e300,3,2,-1\n", r"line 2: the position"),
        (HEADER + "0,1,2,3,1.5,-1\n", r"line 2: column id holds 1\.5, expected a whole number"),
        (HEADER + "0,1,2,3,1e30,-1\n", r"line 2: column id holds 1e\+30, expected a whole number"),
        (HEADER + "0.5,1,2,3,1,-1\n", r"line 2: t is 0\.5, a frame is a whole number"),
        (HEADER + "-1,1,2,3,1,-1\n", r"line 2: t is -1"),
        (HEADER + "nan,1,2,3,1,-1\n", r"line 2: t is nan"),
        (HEADER + "0,1,2,3,1,-1\n0,1,2\n", r"line 3: 3 fields, expected 6"),
        (HEADER + "0,1,5,2,5,3,1,-1\n", r"line 2: 8 fields, expected 6\.\n.*decimal comma"),
        (HEADER + '0,1,2,"3,1,-1\n', r"line 2: a quotation mark that is not closed"),
        (HEADER + "0,1,2,3,1,-1\n1,1,2,3,1,-1\n", r"line 3: the id 1 is already used by line 2"),
        (HEADER + "0,1,2,3,-1,-1\n", r"line 2: the id is -1, which stands for 'no parent'"),
        (HEADER + "1,1,2,3,1,7\n", r"line 2: point 1 names the parent 7, which is not in the file"),
        (HEADER + "1,1,2,3,1,-1\n1,1,2,4,2,1\n", r"line 3: point 2 in frame 1 has its parent 1 in frame 1"),
        (HEADER + ROWS + "1,0,0,1,4,1\n", r"line 6: a third child of point 1 in frame 0"),
    ],
)
def test_a_broken_table_is_refused_where_it_breaks(table: Callable[[str], Path], content: str, said: str) -> None:
    with pytest.raises(TracksError, match=said):
        read_csv(table(content))


def test_points_at_the_origin_are_dropped_and_counted(
    table: Callable[[str], Path], caplog: pytest.LogCaptureFixture
) -> None:
    #  1 (t 0) - 2 (t 1, at the origin) - 3 (t 2)
    with caplog.at_level(logging.WARNING):
        tracks = read_csv(table(HEADER + "0,5,5,5,1,-1\n1,0,0,0,2,1\n2,5,5,5,3,2\n"))
    assert links(tracks) == {1: -1, 3: -1}
    assert "dropped 1 points at exactly (0, 0, 0) and cut their 2 links" in caplog.text


def test_radii_that_are_not_sizes_are_ignored_with_a_warning(
    table: Callable[[str], Path], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        tracks = read_csv(table("t,z,y,x,id,parent_id,radius\n0,1,1,1,1,-1,3\n0,1,1,2,2,-1,0\n"))
    assert tracks.radius_um is None
    assert "1 of 2 radii" in caplog.text


def test_what_is_written_is_sorted_fixed_in_precision_and_the_same_each_time(tmp_path: Path) -> None:
    tracks = Tracks(
        t=np.array([1, 0]),
        zyx_um=np.array([[-1e-9, 1 / 3, 2.0], [10.0, 20.0, 30.0]]),
        id=np.array([5, 4]),
        parent_row=np.array([1, -1]),
    )
    write_csv(tracks, tmp_path / "a.csv", columns={"score": np.array([0.25, 1e-9])})
    assert (tmp_path / "a.csv").read_text() == (
        "t,z,y,x,id,parent_id,score\n0,10.000000,20.000000,30.000000,4,-1,1e-09\n1,0.000000,0.333333,2.000000,5,4,0.25\n"
    )


def test_a_radius_is_written_and_read_again(tmp_path: Path) -> None:
    tracks = Tracks.from_ids([0], [[1, 2, 3]], [1], [-1], radius_um=np.array([4.5]))
    write_csv(tracks, tmp_path / "a.csv")
    again = read_csv(tmp_path / "a.csv")
    assert again.radius_um is not None
    assert again.radius_um.tolist() == [4.5]


def test_a_file_is_not_overwritten_unless_asked(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("precious")
    tracks = Tracks.from_ids([0], [[1, 2, 3]], [1], [-1])
    with pytest.raises(DiskError, match="exists already"):
        write_csv(tracks, path)
    assert path.read_text() == "precious"
    write_csv(tracks, path, overwrite=True)
    assert path.read_text().startswith(HEADER)


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("x", np.zeros(1), "the name is taken"),
        ("my score", np.zeros(1), "signs other than letters"),
        ("score", np.zeros(2), r"shape \(2,\).*expected one number for each of 1 points"),
        ("score", np.array(["a"]), "expected one number"),
    ],
)
def test_further_columns_that_do_not_fit_are_refused(tmp_path: Path, name: str, values: np.ndarray, said: str) -> None:
    with pytest.raises(TracksError, match=said):
        write_csv(Tracks.from_ids([0], [[1, 2, 3]], [1], [-1]), tmp_path / "a.csv", columns={name: values})
    assert list(tmp_path.iterdir()) == []


def test_the_line_named_in_a_long_table_is_the_right_one(table: Callable[[str], Path]) -> None:
    rows = [f"{t},1,1,{t + 1},{t},{t - 1}\n" for t in range(500)]
    rows[321] = "321,1,1,oops,321,320\n"
    with pytest.raises(TracksFormatError, match="line 323: column x holds 'oops'"):
        read_csv(table(HEADER + "".join(rows)))


def outcome(path: Path) -> Tracks | str:
    """What the reader returns, or what it says when it refuses; any other error ends the test."""
    try:
        return read_csv(path)
    except MorulaError as error:
        return str(error)


def test_damaged_tables_are_refused_or_read_right(
    table: Callable[[str | bytes], Path], mutate: Callable[[bytes, int], bytes], mutation_seeds: range
) -> None:
    original = (HEADER.replace("\n", ",radius\n") + ROWS.replace("\n", ",2.5\n") * 1).encode()
    for seed in mutation_seeds:
        path = table(mutate(original, seed))
        result = outcome(path)
        assert isinstance(result, Tracks) or str(path) in result
