"""The identity of a movie: the same wherever and however it is stored, another when its pixels change."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile

from morula.core.movie import Movie
from morula.io.movies.fingerprint import fingerprint_movie, is_same_movie
from morula.io.movies.ome_zarr_write import ZarrLayout, write_ome_zarr
from morula.io.movies.opening import open_movie

UM = (2.0, 0.5, 0.5)


def write(path: Path, data: np.ndarray, layout: ZarrLayout | None = None) -> Path:
    write_ome_zarr(
        path, data, shape_tzyx=data.shape, dtype=data.dtype, voxel_size_um=UM, frame_interval_s=90, layout=layout
    )
    return path


@pytest.fixture
def data() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 999, (20, 6, 40, 30)).astype("uint16")


def test_the_fingerprint_outlives_moving_copying_and_another_format(tmp_path: Path, data: np.ndarray) -> None:
    first = fingerprint_movie(open_movie(write(tmp_path / "a", data)))
    shutil.move(tmp_path / "a", tmp_path / "b")
    tifffile.imwrite(tmp_path / "c.tif", data, byteorder=">", photometric="minisblack")
    others = [
        open_movie(tmp_path / "b"),
        open_movie(write(tmp_path / "d", data, ZarrLayout(chunk_zyx=(2, 9, 7), shard=True))),
        open_movie(tmp_path / "c.tif", axes="TZYX", voxel_size_um=UM, frame_interval_s=90),
    ]
    assert [fingerprint_movie(movie) for movie in others] == [first] * 3


def test_the_fingerprint_changes_with_pixels_shape_size_type_and_mask(data: np.ndarray) -> None:
    plain = Movie(data, np.array(UM))
    others = [
        Movie(data + 1, np.array(UM)),
        Movie(data[::-1].copy(), np.array(UM)),
        Movie(data[:-1], np.array(UM)),
        Movie(data, np.array(UM) * 2),
        Movie(data, np.array(UM), frame_interval_s=2),
        Movie(data.astype("int32"), np.array(UM)),
        Movie(data, np.array(UM), mask_tzyx=data),
        Movie(data, np.array(UM), mask_tzyx=data + 1),
    ]
    prints = {fingerprint_movie(movie) for movie in (plain, *others)}
    assert len(prints) == 1 + len(others)
    assert not any(is_same_movie(fingerprint_movie(plain), fingerprint_movie(movie)) for movie in others)


def test_a_repaired_chunk_does_not_make_another_movie(tmp_path: Path, data: np.ndarray) -> None:
    path = write(tmp_path / "a", data)
    whole = fingerprint_movie(open_movie(path))
    chunk = path / "0/c/0/0/0/0"
    chunk.write_bytes(chunk.read_bytes()[:20])
    damaged = fingerprint_movie(open_movie(path))
    assert damaged != whole
    assert is_same_movie(damaged, whole)
