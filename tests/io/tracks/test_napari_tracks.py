"""Tracks for napari."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from morula.core.tracks import Tracks
from morula.errors import DiskError
from morula.io.tracks.napari_tracks import napari_tracks, write_napari_tracks

#  1 (t 0) - 2 (t 1)          6 (t 1, alone)
#            /    \
#       3 (t 2)  4 (t 2)
#          |
#       5 (t 4)
TRACKS = Tracks.from_ids(
    [0, 1, 2, 2, 4, 1],
    [[1, 2, 3], [1, 2, 4], [1, 2, 5], [1, 2, 6], [1, 2, 7], [9, 9, 9]],
    [1, 2, 3, 4, 5, 6],
    [-1, 1, 2, 2, 3, -1],
)


def test_a_division_ends_one_track_and_begins_two() -> None:
    data, graph = napari_tracks(TRACKS)
    mother, alone, first, second = 0, 1, 2, 3
    assert data[:, :2].tolist() == [[mother, 0], [mother, 1], [alone, 1], [first, 2], [first, 4], [second, 2]]
    assert data[0].tolist() == [0, 0, 1, 2, 3]
    assert graph == {first: [mother], second: [mother]}


def test_the_folder_holds_what_the_docs_say_loads_in_napari(tmp_path: Path) -> None:
    write_napari_tracks(TRACKS, tmp_path / "lineages")
    data = np.loadtxt(tmp_path / "lineages/tracks.csv", delimiter=",", skiprows=1)
    graph = {int(k): v for k, v in json.loads((tmp_path / "lineages/graph.json").read_text()).items()}
    expected = napari_tracks(TRACKS)
    np.testing.assert_allclose(data, expected[0])
    assert graph == expected[1]
    assert (tmp_path / "lineages/tracks.csv").read_text().startswith("track_id,t,z,y,x\n0,0,1.000000,2.000000,3.000")


def test_no_points_give_empty_files(tmp_path: Path) -> None:
    write_napari_tracks(TRACKS.rows(np.zeros(6, np.bool_)), tmp_path / "none")
    assert (tmp_path / "none/tracks.csv").read_text() == "track_id,t,z,y,x\n"
    assert json.loads((tmp_path / "none/graph.json").read_text()) == {}


def test_only_a_folder_of_its_own_kind_is_overwritten(tmp_path: Path) -> None:
    write_napari_tracks(TRACKS, tmp_path / "lineages")
    with pytest.raises(DiskError, match="exists already"):
        write_napari_tracks(TRACKS, tmp_path / "lineages")
    write_napari_tracks(TRACKS, tmp_path / "lineages", overwrite=True)
    (tmp_path / "lineages/notes.txt").touch()
    with pytest.raises(DiskError, match="is something else"):
        write_napari_tracks(TRACKS, tmp_path / "lineages", overwrite=True)
