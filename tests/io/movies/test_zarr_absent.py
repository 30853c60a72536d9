"""Frames without a single chunk are found by listing, for every way zarr names its chunks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr

from morula.io.movies.zarr_absent import find_absent_frames
from morula.io.movies.zarr_array import ZarrArray

KEYS = {
    "v2 flat": (2, {"name": "v2", "separator": "."}),
    "v2 nested": (2, {"name": "v2", "separator": "/"}),
    "v3 nested": (3, {"name": "default", "separator": "/"}),
    "v3 flat": (3, {"name": "default", "separator": "."}),
    "v3 with v2 keys": (3, {"name": "v2", "separator": "."}),
}


def write(path: Path, keys: str, shape: tuple[int, ...], chunks: tuple[int, ...]) -> tuple[zarr.Array, ZarrArray]:
    zarr_format, encoding = KEYS[keys]
    array = zarr.create_array(
        path, shape=shape, chunks=chunks, dtype="u1", zarr_format=zarr_format, chunk_key_encoding=encoding
    )
    return array, ZarrArray(str(path), zarr_format)


@pytest.mark.parametrize("keys", KEYS)
def test_absent_frames_are_found_for_every_kind_of_chunk_key(tmp_path: Path, keys: str) -> None:
    array, lazy = write(tmp_path / "a", keys, (12, 4, 6, 6), (1, 2, 3, 3))
    for t in (0, 2, 11):
        array[t, 2:, :3, :3] = 1
    assert find_absent_frames(lazy, "TZYX") == [1, *range(3, 11)]


@pytest.mark.parametrize("keys", KEYS)
def test_only_the_chunks_of_the_channel_count(tmp_path: Path, keys: str) -> None:
    array, lazy = write(tmp_path / "a", keys, (3, 2, 4, 6, 6), (1, 1, 2, 3, 3))
    array[:, 0] = 1
    array[1, 1] = 1
    assert find_absent_frames(lazy, "TCZYX", 0) == []
    assert find_absent_frames(lazy, "TCZYX", 1) == [0, 2]


def test_chunks_over_several_frames_stand_for_all_of_them(tmp_path: Path) -> None:
    array, lazy = write(tmp_path / "a", "v3 nested", (7, 2, 6, 6), (3, 2, 6, 6))
    array[3] = 1
    assert find_absent_frames(lazy, "TZYX") == [0, 1, 2, 6]


def test_what_cannot_be_told_cheaply_is_not_told(tmp_path: Path) -> None:
    _, nested = write(tmp_path / "a", "v3 nested", (4, 7, 6, 6), (1, 1, 6, 6))
    assert find_absent_frames(nested, "ZTYX") is None
    assert find_absent_frames(ZarrArray("http://127.0.0.1:9/a", 3), "TZYX") is None
    array, flat = write(tmp_path / "b", "v2 flat", (4, 7, 6, 6), (1, 1, 6, 6))
    array[:, 3] = 1
    assert find_absent_frames(flat, "ZTYX") == [0, 1, 2, 4, 5, 6]


def test_an_absent_chunk_reads_as_the_fill_value(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "a", shape=(2, 2), chunks=(1, 2), dtype="u2", fill_value=7)
    np.testing.assert_array_equal(ZarrArray(str(tmp_path / "a"), 3)[0:2, 0:2], np.full((2, 2), 7))
