"""TIFF series: one file per frame, in the order of their numbers, none missing, all alike."""

from __future__ import annotations

import pickle
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from morula.errors import ChunkError, MovieError, MovieNotFoundError
from morula.io.movies.opening import open_movie
from morula.io.movies.tiff_series import sort_series

UM = (2.0, 0.5, 0.4)


def write_series(folder: Path, names: Sequence[str], shape: tuple[int, ...] = (3, 8, 9)) -> np.ndarray:
    folder.mkdir(exist_ok=True)
    data = np.random.default_rng(0).integers(0, 99, (len(names), *shape)).astype("uint16")
    for name, volume in zip(names, data, strict=True):
        tifffile.imwrite(folder / name, volume, photometric="minisblack", metadata=None)
    return data


def test_files_are_ordered_by_number_not_by_letter(tmp_path: Path) -> None:
    data = write_series(tmp_path / "s", [f"vol-C00-T{t}.tif" for t in range(8, 12)])
    movie = open_movie(tmp_path / "s", voxel_size_um=UM)
    assert movie.shape == (4, 3, 8, 9)
    np.testing.assert_array_equal(np.stack([movie.frame(t) for t in range(4)]), data)
    np.testing.assert_array_equal(movie.tzyx[1:3, 1:2, 2:5, 3:4], data[1:3, 1:2, 2:5, 3:4])


@given(st.integers(0, 10_000), st.integers(1, 30), st.sampled_from(["t{}.tif", "C1_t{:05d}_3.tif", "{}"]), st.randoms())
def test_any_run_of_numbers_sorts_whatever_the_listing_order(first, n, name, chance) -> None:
    paths = [Path("folder") / name.format(number) for number in range(first, first + n)]
    shuffled = chance.sample(paths, n)
    assert sort_series(shuffled) == paths


@pytest.mark.parametrize("axes", [None, "ZYX", "TZYX"])
def test_axes_may_be_those_of_one_file_or_of_the_movie(tmp_path: Path, axes: str | None) -> None:
    write_series(tmp_path / "s", ["T1.tif", "T2.tif"])
    assert open_movie(tmp_path / "s", axes=axes, voxel_size_um=UM).shape == (2, 3, 8, 9)


def test_a_pattern_chooses_among_channels(tmp_path: Path) -> None:
    names = [f"C{c}_T{t}.tif" for c in range(2) for t in range(3)]
    data = write_series(tmp_path / "s", names)
    movie = open_movie(tmp_path / "s" / "C1_T*.tif", voxel_size_um=UM)
    np.testing.assert_array_equal(movie.frame(0), data[3])
    with pytest.raises(MovieError, match=r"(?s)2 numbers change.*several channels.*give a pattern"):
        open_movie(tmp_path / "s", voxel_size_um=UM)


def test_channels_inside_the_files_are_chosen_too(tmp_path: Path) -> None:
    for t in range(2):
        volume = np.full((3, 2, 8, 9), t, "uint16")
        volume[:, 1] += 10
        metadata = {"axes": "ZCYX", "spacing": 2.0, "unit": "um"}
        tifffile.imwrite(tmp_path / f"T{t}.tif", volume, imagej=True, resolution=(2, 2), metadata=metadata)
    movie = open_movie(tmp_path, channel=1)
    assert movie.shape == (2, 3, 8, 9)
    assert movie.voxel_size_um.tolist() == [2.0, 0.5, 0.5]
    assert movie.frame(1).max() == 11


def test_a_missing_number_names_the_file(tmp_path: Path) -> None:
    write_series(tmp_path / "s", ["vol_T0008.tif", "vol_T0009.tif", "vol_T0011.tif"])
    with pytest.raises(MovieNotFoundError, match=r"(?s)vol_T0010\.tif: this file of the series is missing.*8 to 11, 3"):
        open_movie(tmp_path / "s", voxel_size_um=UM)


def test_a_number_twice_is_refused(tmp_path: Path) -> None:
    write_series(tmp_path / "s", ["T1.tif", "T01.tif", "T2.tif"])
    with pytest.raises(MovieError, match="two files have the number 1"):
        open_movie(tmp_path / "s", voxel_size_um=UM)


def test_a_stranger_among_the_files_is_named(tmp_path: Path) -> None:
    write_series(tmp_path / "s", ["T1.tif", "T2.tif", "projection.tif"])
    with pytest.raises(MovieError, match=r"(?s)do not follow one pattern.*move projection\.tif away"):
        open_movie(tmp_path / "s", voxel_size_um=UM)


def test_a_file_of_another_shape_is_named(tmp_path: Path) -> None:
    write_series(tmp_path / "s", ["T1.tif", "T2.tif", "T3.tif"])
    write_series(tmp_path / "s", ["T2.tif"], (2, 8, 9))
    with pytest.raises(
        MovieError, match=r"(?s)T2\.tif: this file does not fit.*\(2, 8, 9\).*first file has shape \(3, 8, 9\)"
    ):
        open_movie(tmp_path / "s", voxel_size_um=UM)


def test_files_with_a_time_axis_are_no_frames(tmp_path: Path) -> None:
    for t in range(2):
        tifffile.imwrite(tmp_path / f"T{t}.tif", np.zeros((3, 8, 9), "u2"), imagej=True, metadata={"axes": "TYX"})
    with pytest.raises(MovieError, match="has a time axis of its own"):
        open_movie(tmp_path, voxel_size_um=UM)
    assert open_movie(tmp_path, axes="ZYX", voxel_size_um=UM).shape == (2, 3, 8, 9)


def test_a_file_that_vanishes_or_breaks_later_is_named(tmp_path: Path) -> None:
    write_series(tmp_path / "s", ["T1.tif", "T2.tif", "T3.tif"])
    movie = pickle.loads(pickle.dumps(open_movie(tmp_path / "s", voxel_size_um=UM)))
    (tmp_path / "s/T2.tif").unlink()
    with pytest.raises(MovieNotFoundError, match=r"T2\.tif"):
        movie.frame(1)
    broken = tmp_path / "s/T3.tif"
    with tifffile.TiffFile(broken, mode="r+b") as file:
        file.pages[1].tags["StripOffsets"].overwrite(10**6)
    with pytest.raises(ChunkError, match=r"(?s)T3\.tif.*ends before its pixels"):
        movie.frame(2)
    assert movie.frame(0).shape == (3, 8, 9)


def test_nothing_that_matches_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(MovieNotFoundError, match=re.escape("T*.tif: no TIFF file matches")):
        open_movie(tmp_path / "T*.tif", voxel_size_um=UM)


def test_the_real_series_of_microglia_opens(real_data: Path) -> None:
    movie = open_movie(real_data / "microglia", voxel_size_um=(2, 1, 1))
    assert movie.shape == (8, 58, 110, 191)
    expected = tifffile.imread(real_data / "microglia/volume--C00--T3.tif")
    np.testing.assert_array_equal(movie.frame(2), expected)
    np.testing.assert_array_equal(movie.read((2, 5, 30, 60), (3, 9, 90, 120))[0], expected[5:9, 30:90, 60:120])
