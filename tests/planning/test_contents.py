"""How many detections to expect: counted blobs, and counts carried over to larger movies."""

from __future__ import annotations

import numpy as np
import pytest

from morula.core.movie import Movie
from morula.detect.params import DetectParams
from morula.io.movies.opening import open_movie
from morula.io.tracks.files import read_tracks
from morula.planning.contents import Contents, guess_contents, scale_contents
from morula.synthesis import SyntheticRequest, write_synthetic


def test_the_nuclei_of_an_embryo_are_counted_to_a_fifth(tmp_path) -> None:
    write_synthetic(SyntheticRequest(cells=60, frames=6), tmp_path)
    guessed = guess_contents(open_movie(tmp_path / "movie.ome.zarr"), 1.7, DetectParams(window_um=2.4))
    assert guessed.detections == pytest.approx(read_tracks(tmp_path / "truth.csv").n, rel=0.2)
    assert guessed.source.endswith("bright blobs a frame in 6 of them, and a detection for each")


def test_counts_grow_with_the_volume_seen_in_all_frames() -> None:
    small = Movie(np.zeros((4, 5, 6, 7), np.uint8), np.array([2.0, 1.0, 1.0]))
    finer = Movie(np.zeros((8, 10, 6, 7), np.uint8), np.array([1.0, 1.0, 1.0]))
    known = Contents(100.0, "100 detections in runs/first")
    assert scale_contents(known, small, small) == known
    scaled = scale_contents(known, small, finer)
    assert scaled.detections == pytest.approx(200.0)
    assert scaled.source == "100 detections in runs/first, scaled by 2 to this movie's size"
