"""linajea's text tables."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from morula.core.tracks import Tracks
from morula.errors import MorulaError, TracksError
from morula.io.tracks.linajea import looks_like_linajea, read_linajea

# one track of three points and its division, times descending, track id −1 throughout
ROWS = (
    "109.000000\t10.5\t20\t30\t4\t2\t-1\n"
    "109.000000\t11.5\t22\t30\t3\t2\t-1\n"
    "108.000000\t10\t20\t30\t2\t1\t-1\n"
    "107.000000\t10\t20\t29\t1\t-1\t-1\n"
)


def write(tmp_path: Path, content: str) -> Path:
    path = tmp_path / "tracks.txt"
    path.write_text(content)
    return path


def test_parents_after_their_children_and_times_with_decimals_are_read(tmp_path: Path) -> None:
    tracks = read_linajea(write(tmp_path, ROWS), unit_um=0.5)
    assert tracks.t.tolist() == [107, 108, 109, 109]
    assert tracks.parent_id.tolist() == [-1, 1, 2, 2]
    assert tracks.zyx_um[0].tolist() == [5, 10, 14.5]


def test_an_eighth_column_of_division_states_is_ignored(tmp_path: Path) -> None:
    assert read_linajea(write(tmp_path, ROWS.replace("\t-1\n", "\t-1\t0\n"))).n == 4


def test_a_link_over_two_frames_is_kept(tmp_path: Path) -> None:
    tracks = read_linajea(write(tmp_path, "3\t1\t1\t1\t1\t-1\t0\n5\t1\t1\t2\t2\t1\t0\n"))
    assert tracks.parent_id.tolist() == [-1, 1]


def test_a_file_without_units_is_taken_in_um_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        read_linajea(write(tmp_path, ROWS))
    assert "states no unit of length; positions are taken as µm" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        read_linajea(write(tmp_path, ROWS), unit_um=0.4)
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            "61\t1\t1\t1\t7\t3\t60\n61\t1\t2\t1\t8\t3\t60\n",
            r"line 1: point 7 names(.|\n)*daughter cells only",
        ),
        (
            ROWS.replace("\t2\t1\t-1", "\t2\t99\t-1"),
            r"line 3: point 2 names(.|\n)*part of a larger table",
        ),
        (ROWS.replace("29", "nan"), r"line 4: the position \(z, y, x\) = \(10, 20, nan\)"),
        (ROWS.replace("29", ""), r"line 4: column x is empty"),
        (ROWS.replace("107.000000", "107.250000"), r"line 4: t is 107\.25"),
        (ROWS.replace("108.000000", "120.000000"), r"line 1: point 4 in frame 109 has its parent 2 in frame 120"),
        (ROWS + "110\t1\t1\n", r"line 5: 3 fields, expected 7"),
        (ROWS.replace("\t", " "), r"the first row has 1 columns parted by tabs"),
    ],
)
def test_a_broken_table_is_refused_where_it_breaks(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(TracksError, match=said):
        read_linajea(write(tmp_path, content))


def test_a_row_of_seven_or_eight_numbers_is_recognised() -> None:
    assert looks_like_linajea(ROWS.splitlines()[0])
    assert not looks_like_linajea("t\tz\ty\tx\tid\tparent_id\ttrack")
    assert not looks_like_linajea("0,1,2,3,4,5,6")


def outcome(path: Path) -> Tracks | str:
    """What the reader returns, or what it says when it refuses; any other error ends the test."""
    try:
        return read_linajea(path)
    except MorulaError as error:
        return str(error)


def test_damaged_tables_are_refused_or_read_right(
    tmp_path: Path, mutate: Callable[[bytes, int], bytes], mutation_seeds: range
) -> None:
    path = tmp_path / "tracks.txt"
    for seed in mutation_seeds:
        path.write_bytes(mutate(ROWS.encode(), seed))
        result = outcome(path)
        assert isinstance(result, Tracks) or str(path) in result
