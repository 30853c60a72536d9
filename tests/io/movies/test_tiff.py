"""TIFF stacks: axes, sizes, and reading only what is asked for, compared with tifffile's own reading."""

from __future__ import annotations

import pickle
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from morula.errors import ChunkError, MovieError, MovieNotFoundError
from morula.io.movies.opening import open_movie
from morula.io.movies.tiff import TiffStack

UM = (2.0, 0.5, 0.4)
LAYOUTS = {
    "rows": {},
    "deflate": {"compression": "zlib", "predictor": 2},
    "lzw in strips": {"compression": "lzw", "rowsperstrip": 7},
    "tiles": {"compression": "zstd", "tile": (16, 16)},
    "big-endian": {"byteorder": ">"},
    "big-endian tiles": {"byteorder": ">", "tile": (16, 32)},
    "BigTIFF": {"bigtiff": True, "rowsperstrip": 5},
    "one page per plane": {"contiguous": False, "metadata": None},
}


def pixels(shape: tuple[int, ...], dtype: str = "uint16") -> np.ndarray:
    return np.random.default_rng(0).integers(0, 200, shape).astype(dtype)


def imagej_movie(path: Path, data: np.ndarray, axes: str = "TZYX", **metadata: object) -> Path:
    known = {"axes": axes, "spacing": UM[0], "unit": "um", "finterval": 90.0, **metadata}
    tifffile.imwrite(path, data, imagej=True, resolution=(1 / UM[2], 1 / UM[1]), metadata=known)
    return path


@pytest.fixture(scope="module")
def layouts(tmp_path_factory: pytest.TempPathFactory) -> tuple[np.ndarray, dict[str, Path]]:
    folder, data = tmp_path_factory.mktemp("layouts"), pixels((3, 4, 33, 37))
    paths = {name: folder / f"{name}.tif" for name in LAYOUTS}
    for name, layout in LAYOUTS.items():
        tifffile.imwrite(paths[name], data, photometric="minisblack", **layout)
    return data, paths


@pytest.mark.parametrize("layout", LAYOUTS)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_any_box_of_any_layout_equals_the_whole_file_cut(layouts, layout: str, data: st.DataObject) -> None:
    expected, paths = layouts
    stack = TiffStack(paths[layout], squeeze=False)
    expected = expected.reshape(stack.shape)
    edges = [sorted(data.draw(st.tuples(*[st.integers(0, size)] * 2))) for size in expected.shape]
    box = tuple(slice(start, stop) for start, stop in edges)
    read = stack[box]
    stack.close()
    assert read.dtype == expected.dtype
    np.testing.assert_array_equal(read, expected[box])


@pytest.mark.parametrize(
    "dtype", ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "float16", "float32", "float64"]
)
def test_every_real_type_is_read(tmp_path: Path, dtype: str) -> None:
    data = pixels((2, 3, 8, 9), dtype)
    tifffile.imwrite(tmp_path / "movie.tif", data, byteorder=">", photometric="minisblack")
    movie = open_movie(tmp_path / "movie.tif", axes="TZYX", voxel_size_um=UM)
    assert movie.tzyx.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(movie.frame(1), data[1])


@pytest.mark.parametrize("dtype", ["complex64", "bool"])
def test_complex_and_logical_voxels_are_refused(tmp_path: Path, dtype: str) -> None:
    tifffile.imwrite(tmp_path / "movie.tif", pixels((2, 3, 8, 16)).astype(dtype), photometric="minisblack")
    with pytest.raises(MovieError, match="are not intensities"):
        open_movie(tmp_path / "movie.tif", axes="TZYX", voxel_size_um=UM)


def test_imagej_metadata_give_axes_sizes_and_interval(tmp_path: Path) -> None:
    data = pixels((3, 2, 4, 8, 9))
    movie = open_movie(imagej_movie(tmp_path / "movie.tif", data, "TZCYX"), channel=2)
    np.testing.assert_allclose(movie.voxel_size_um, UM, rtol=1e-6)
    assert movie.frame_interval_s == 90.0
    np.testing.assert_array_equal(movie.frame(2), data[2, :, 2])


@pytest.mark.parametrize(("unit", "factor"), [("micron", 1), ("\\u00B5m", 1), ("nm", 1e-3), ("mm", 1e3)])
def test_imagej_units_become_micrometres(tmp_path: Path, unit: str, factor: float) -> None:
    movie = open_movie(imagej_movie(tmp_path / "movie.tif", pixels((3, 2, 8, 9)), unit=unit))
    np.testing.assert_allclose(movie.voxel_size_um, np.array(UM) * factor, rtol=1e-6)


def test_an_imagej_file_in_pixels_asks_for_the_voxel_size(tmp_path: Path) -> None:
    path = imagej_movie(tmp_path / "movie.tif", pixels((3, 2, 8, 9)), unit="pixel")
    with pytest.raises(MovieError, match=r"(?s)voxel size is not known.*'pixel'.*--voxel-size-um"):
        open_movie(path)


def test_ome_metadata_give_axes_sizes_and_interval(tmp_path: Path) -> None:
    data = pixels((3, 2, 4, 8, 9))
    metadata = {"axes": "TCZYX", "TimeIncrement": 1.5, "TimeIncrementUnit": "min"}
    metadata |= {f"PhysicalSize{axis}": size for axis, size in zip("ZYX", (2000, 500, 400), strict=True)}
    metadata |= {f"PhysicalSize{axis}Unit": "nm" for axis in "ZYX"}
    tifffile.imwrite(tmp_path / "movie.ome.tif", data, metadata=metadata)
    movie = open_movie(tmp_path / "movie.ome.tif", channel=1)
    np.testing.assert_allclose(movie.voxel_size_um, UM)
    assert movie.frame_interval_s == 90.0
    np.testing.assert_array_equal(movie.frame(2), data[2, 1])


def test_axes_that_the_file_labels_wrongly_are_overridden(tmp_path: Path) -> None:
    data = pixels((4, 5, 8, 9))
    tifffile.imwrite(tmp_path / "movie.tif", data, compression="zlib", photometric="minisblack")
    with pytest.raises(MovieError, match=r"(?s)does not say which.*labelled QQYX.*--axes"):
        open_movie(tmp_path / "movie.tif", voxel_size_um=UM)
    movie = open_movie(tmp_path / "movie.tif", axes="ztyx", voxel_size_um=UM)
    assert movie.shape == (5, 4, 8, 9)
    np.testing.assert_array_equal(movie.frame(3), data[:, 3])


def test_samples_of_a_colour_image_are_channels(tmp_path: Path) -> None:
    data = pixels((2, 3, 8, 9, 3), "uint8")
    tifffile.imwrite(tmp_path / "movie.tif", data, photometric="rgb", metadata={"axes": "TZYXS"})
    movie = open_movie(tmp_path / "movie.tif", channel=2, voxel_size_um=UM)
    np.testing.assert_array_equal(movie.frame(1), data[1, ..., 2])


def test_axes_of_length_one_may_be_named_or_left_out(tmp_path: Path) -> None:
    data = pixels((1, 4, 8, 9))
    tifffile.imwrite(tmp_path / "one.tif", data, photometric="minisblack")
    assert open_movie(tmp_path / "one.tif", axes="TZYX", voxel_size_um=UM).shape == (1, 4, 8, 9)
    assert open_movie(tmp_path / "one.tif", axes="ZYX", voxel_size_um=UM).shape == (1, 4, 8, 9)
    imagej_movie(tmp_path / "named.tif", data[0], "ZYX")
    assert open_movie(tmp_path / "named.tif", axes="TZYX").shape == (1, 4, 8, 9)


def test_a_single_plane_movie_needs_no_plane_distance(tmp_path: Path) -> None:
    movie = open_movie(imagej_movie(tmp_path / "movie.tif", pixels((3, 8, 9)), "TYX"))
    assert movie.shape == (3, 1, 8, 9)
    np.testing.assert_allclose(movie.voxel_size_um[1:], UM[1:], rtol=1e-6)


OME = """<?xml version="1.0" encoding="UTF-8"?>
<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:{own}"><Image ID="Image:0">
<Pixels ID="Pixels:0" DimensionOrder="XYZTC" Type="uint16" SizeX="9" SizeY="8" SizeZ="2" SizeT="2" SizeC="1"
PhysicalSizeX="0.4" PhysicalSizeY="0.5" PhysicalSizeZ="2"><Channel ID="Channel:0:0" SamplesPerPixel="1"/>
<TiffData FirstT="0" IFD="0" PlaneCount="2"><UUID FileName="t0.ome.tif">urn:uuid:{first}</UUID></TiffData>
<TiffData FirstT="1" IFD="0" PlaneCount="2"><UUID FileName="t1.ome.tif">urn:uuid:{second}</UUID></TiffData>
</Pixels></Image></OME>"""


def test_an_ome_tiff_in_several_files_is_one_movie_and_needs_them_all(tmp_path: Path) -> None:
    data, ids = pixels((2, 2, 8, 9)), [f"00000000-0000-0000-0000-00000000000{t}" for t in range(2)]
    for t in range(2):
        text = OME.format(own=ids[t], first=ids[0], second=ids[1])
        tifffile.imwrite(tmp_path / f"t{t}.ome.tif", data[t], description=text, metadata=None, photometric="minisblack")
    movie = open_movie(tmp_path / "t0.ome.tif")
    np.testing.assert_array_equal(np.stack([movie.frame(0), movie.frame(1)]), data)
    assert movie.voxel_size_um.tolist() == list(UM)
    (tmp_path / "t1.ome.tif").unlink()
    with pytest.raises(MovieError, match=r"(?s)t0\.ome\.tif: planes of the TIFF file are missing"):
        open_movie(tmp_path / "t0.ome.tif")


def test_reading_a_box_of_a_large_file_holds_only_the_box(tmp_path: Path) -> None:
    stored = tifffile.memmap(tmp_path / "large.tif", shape=(2, 128, 1024, 1024), dtype="uint16")
    stored[1, 100, 500:510, 600:610] = 9
    stored.flush()
    del stored
    tracemalloc.start()
    movie = open_movie(tmp_path / "large.tif", axes="TZYX", voxel_size_um=UM)
    assert movie.read((1, 99, 500, 600), (2, 102, 510, 610)).sum() == 900
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6, "the file holds 512 MiB"


def test_a_movie_opened_in_another_process_reads_the_same(tmp_path: Path) -> None:
    movie = open_movie(imagej_movie(tmp_path / "movie.tif", pixels((3, 2, 8, 9))))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(movie)).frame(2), movie.frame(2))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_file_cut_short_is_refused_and_never_a_shorter_movie(layouts, tmp_path: Path, layout: str) -> None:
    whole = layouts[1][layout].read_bytes()
    (tmp_path / "cut.tif").write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(MovieError, match=r"(?s)cut\.tif.*copy the file again"):
        open_movie(tmp_path / "cut.tif", axes="TYX" if layout == "one page per plane" else "TZYX", voxel_size_um=UM)


def test_an_imagej_file_cut_short_is_refused(tmp_path: Path) -> None:
    path = imagej_movie(tmp_path / "movie.tif", pixels((3, 2, 64, 64)))
    path.write_bytes(path.read_bytes()[:-9000])
    with pytest.raises(MovieError, match=r"(?s)movie\.tif: planes of the TIFF file are missing.*copy"):
        open_movie(path)


def test_pixels_that_cannot_be_decoded_name_file_and_box(tmp_path: Path) -> None:
    path = tmp_path / "movie.tif"
    tifffile.imwrite(path, pixels((3, 2, 64, 64)), compression="zlib", photometric="minisblack")
    with tifffile.TiffFile(path) as file:
        offset = file.pages[3].dataoffsets[0]
    damaged = bytearray(path.read_bytes())
    damaged[offset : offset + 40] = b"\xff" * 40
    path.write_bytes(damaged)
    movie = open_movie(path, axes="TZYX", voxel_size_um=UM)
    assert movie.frame(0).shape == (2, 64, 64)
    with pytest.raises(ChunkError, match=r"(?s)movie\.tif.*1:2.*cannot be read.*finished blocks are kept"):
        movie.frame(1)


def test_a_claimed_size_that_the_file_cannot_hold_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "movie.tif"
    tifffile.imwrite(path, pixels((2, 16, 16)), compression="zlib", photometric="minisblack", metadata=None)
    with tifffile.TiffFile(path, mode="r+b") as file:
        for page in file.pages:
            page.tags["ImageWidth"].overwrite(100_000)
            page.tags["ImageLength"].overwrite(100_000)
    with pytest.raises(MovieError, match="claims more pixels than it can hold"):
        open_movie(path, axes="ZYX", voxel_size_um=UM)


@pytest.mark.parametrize("bigtiff", [False, True])
def test_a_directory_that_leads_in_a_circle_is_refused(tmp_path: Path, bigtiff: bool) -> None:
    path = tmp_path / "movie.tif"
    tifffile.imwrite(path, pixels((3, 16, 16)), photometric="minisblack", metadata=None, bigtiff=bigtiff)
    with tifffile.TiffFile(path) as file:
        offsets, n_tags = [page.offset for page in file.pages], len(file.pages[2].tags)
    damaged = bytearray(path.read_bytes())
    end = offsets[2] + (8 + 20 * n_tags if bigtiff else 2 + 12 * n_tags)
    struct.pack_into("<Q" if bigtiff else "<I", damaged, end, offsets[1])
    path.write_bytes(damaged)
    with pytest.raises(MovieError, match=r"(?s)leads in a circle.*page 3 points back"):
        open_movie(path, axes="ZYX", voxel_size_um=UM)


def test_a_text_file_with_a_tiff_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "movie.tif").write_text("no pixels here")
    with pytest.raises(MovieError, match="not a TIFF file that can be read"):
        open_movie(tmp_path / "movie.tif", axes="TZYX", voxel_size_um=UM)


def test_a_tiff_has_no_resolution_levels(tmp_path: Path) -> None:
    with pytest.raises(MovieError, match="no resolution level 1"):
        open_movie(imagej_movie(tmp_path / "movie.tif", pixels((3, 2, 8, 9))), level=1)


def test_a_file_that_vanished_is_named(tmp_path: Path) -> None:
    with pytest.raises(MovieNotFoundError, match=r"gone\.tif"):
        TiffStack(tmp_path / "gone.tif").open()
