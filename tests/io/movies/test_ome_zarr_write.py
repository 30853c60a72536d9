"""OME-Zarr: what is written is read back, and every legal way to describe an image means the same movie."""

from __future__ import annotations

import errno
import json
import os
import pickle
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import yaozarrs
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from morula.errors import ChunkError, DiskError, MovieError, MovieNotFoundError
from morula.io.movies.ome_zarr_write import ZarrLayout, write_ome_zarr
from morula.io.movies.opening import open_movie

UM = (2.0, 0.5, 0.4)
LAYOUTS = {
    "0.5": ZarrLayout(),
    "0.5, small chunks": ZarrLayout(chunk_zyx=(3, 5, 7)),
    "0.5, shards": ZarrLayout(chunk_zyx=(3, 5, 7), shard=True),
    "0.4": ZarrLayout(version="0.4", chunk_zyx=(3, 5, 7)),
}


def pixels(shape: Sequence[int], dtype: str = "uint16") -> np.ndarray:
    return np.random.default_rng(0).integers(1, 200, shape).astype(dtype)


def write(path: Path, data: np.ndarray, layout: ZarrLayout | None = None, **options: bool) -> Path:
    write_ome_zarr(
        path,
        iter(data),
        shape_tzyx=data.shape,
        dtype=data.dtype,
        voxel_size_um=UM,
        frame_interval_s=90,
        layout=layout,
        **options,
    )
    return path


def make_image(
    path: Path, data: np.ndarray, axes: Sequence[dict[str, str]], scale: Sequence[float], *, zarr_format: int = 3
) -> Path:
    """Write an image of any axes, one level, directly with zarr."""
    datasets = [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": list(scale)}]}]
    image = {"axes": list(axes), "datasets": datasets}
    attributes = {"multiscales": [image]} if zarr_format == 2 else {"ome": {"version": "0.5", "multiscales": [image]}}
    group = zarr.open_group(path, mode="w", zarr_format=zarr_format, attributes=attributes)
    group.create_array("0", shape=data.shape, chunks=[min(4, n) for n in data.shape], dtype=data.dtype)[...] = data
    return path


def edit(path: Path, change: object) -> None:
    """Edit the image metadata of an OME-Zarr 0.5 group in place."""
    node = json.loads((path / "zarr.json").read_text())
    change(node["attributes"]["ome"]["multiscales"][0])
    (path / "zarr.json").write_text(json.dumps(node))


AXIS = {
    "T": {"name": "t", "type": "time", "unit": "second"},
    "C": {"name": "c", "type": "channel"},
    **{axis: {"name": axis.lower(), "type": "space", "unit": "micrometer"} for axis in "ZYX"},
}
STEP = {"T": 90.0, "C": 1.0, **dict(zip("ZYX", UM, strict=True))}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
def test_a_movie_written_is_read_back(tmp_path: Path, layout: str, dtype: str) -> None:
    data = pixels((3, 5, 11, 9), dtype)
    movie = open_movie(write(tmp_path / "movie.ome.zarr", data, LAYOUTS[layout]))
    assert movie.tzyx.dtype == np.dtype(dtype)
    assert movie.voxel_size_um.tolist() == list(UM)
    assert movie.frame_interval_s == 90.0
    assert movie.name == "movie.ome.zarr"
    np.testing.assert_array_equal(np.stack([movie.frame(t) for t in range(3)]), data)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_is_written_meets_the_specification(tmp_path: Path, layout: str) -> None:
    path = write(tmp_path / "movie.ome.zarr", pixels((2, 5, 11, 9)), LAYOUTS[layout])
    yaozarrs.validate_zarr_store(path)
    assert sorted(tmp_path.iterdir()) == [path]


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_box_equals_the_array_cut(data: st.DataObject) -> None:
    shape = data.draw(st.tuples(*[st.integers(1, 9)] * 4))
    layout = LAYOUTS[data.draw(st.sampled_from(sorted(LAYOUTS)))]
    voxels = pixels(shape)
    box = tuple(slice(*sorted(data.draw(st.tuples(*[st.integers(0, size)] * 2)))) for size in shape)
    with tempfile.TemporaryDirectory() as folder:
        movie = open_movie(write(Path(folder) / "movie", voxels, layout))
        np.testing.assert_array_equal(movie.tzyx[box], voxels[box])


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("axes", ["TCZYX", "TZYX", "CZYX", "TCYX", "ZYX", "YX", "TXYZ", "XYZ"])
def test_axes_may_be_left_out_or_ordered_otherwise(tmp_path: Path, axes: str, zarr_format: int) -> None:
    sizes = {"T": 3, "C": 2, "Z": 5, "Y": 6, "X": 7}
    data = pixels([sizes[axis] for axis in axes])
    path = make_image(tmp_path / "i", data, [AXIS[a] for a in axes], [STEP[a] for a in axes], zarr_format=zarr_format)
    movie = open_movie(path, channel=1 if "C" in axes else 0)
    expected = np.einsum(f"{axes}->{''.join(a for a in 'CTZYX' if a in axes)}", data)
    expected = expected[1] if "C" in axes else expected
    shape = tuple(sizes[axis] if axis in axes else 1 for axis in "TZYX")
    np.testing.assert_array_equal(movie.tzyx[:, :, :, :], expected.reshape(shape))
    np.testing.assert_array_equal(movie.tzyx[0:1, 1:3, 2:9, 3:5], expected.reshape(shape)[0:1, 1:3, 2:9, 3:5])
    assert movie.frame_interval_s == (90.0 if "T" in axes else 1.0)
    assert movie.voxel_size_um.tolist() == ([2.0 if "Z" in axes else 0.5, 0.5, 0.4])


@pytest.mark.parametrize(
    ("unit", "factor"), [("nanometer", 1e-3), ("millimeter", 1e3), ("angstrom", 1e-4), ("meter", 1e6)]
)
def test_lengths_become_micrometres(tmp_path: Path, unit: str, factor: float) -> None:
    axes = [AXIS["T"], *({**AXIS[axis], "unit": unit} for axis in "ZYX")]
    movie = open_movie(make_image(tmp_path / "i", pixels((2, 3, 4, 5)), axes, [1, *UM]))
    np.testing.assert_allclose(movie.voxel_size_um, np.array(UM) * factor)


@pytest.mark.parametrize(
    ("unit", "seconds"), [("minute", 90.0), ("hour", 5400.0), ("millisecond", 0.0015), (None, 1.0)]
)
def test_times_become_seconds_and_unknown_becomes_one(tmp_path: Path, unit: str | None, seconds: float) -> None:
    time = {"name": "t", "type": "time"} | ({"unit": unit} if unit else {})
    axes = [time, *(AXIS[axis] for axis in "ZYX")]
    movie = open_movie(make_image(tmp_path / "i", pixels((2, 3, 4, 5)), axes, [1.5, *UM]))
    assert movie.frame_interval_s == pytest.approx(seconds)


def add_levels(path: Path, data: np.ndarray, n_levels: int) -> None:
    """Add coarser levels by taking every second voxel of y and x, shifted as pyramids are."""
    group = zarr.open_group(path, mode="r+")
    datasets = []
    for level in range(n_levels):
        step = 2**level
        group.create_array(str(level), data=data[:, :, ::step, ::step], overwrite=True)
        scale, shift = [90.0, UM[0], UM[1] * step, UM[2] * step], [0, 0, UM[1] * (step - 1) / 2, UM[2] * (step - 1) / 2]
        transforms = [{"type": "scale", "scale": scale}, {"type": "translation", "translation": shift}]
        datasets.append({"path": str(level), "coordinateTransformations": transforms})
    edit(path, lambda image: image.update(datasets=datasets))


def test_a_coarser_level_has_larger_voxels(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = pixels((2, 3, 16, 12))
    path = write(tmp_path / "movie", data)
    add_levels(path, data, 3)
    movie = open_movie(path, level=2)
    assert movie.voxel_size_um.tolist() == [2.0, 2.0, 1.6]
    np.testing.assert_array_equal(movie.frame(1), data[1, :, ::4, ::4])
    assert not caplog.records, "the shift of a pyramid is no reason to warn"
    with pytest.raises(MovieError, match=r"(?s)no resolution level 3.*3 levels.*--level 0 to 2"):
        open_movie(path, level=3)


def test_transformations_of_image_and_level_are_chained(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(tmp_path / "movie", pixels((2, 3, 4, 5)))
    outer = [{"type": "scale", "scale": [2, 3, 3, 3]}, {"type": "translation", "translation": [0, 0, 100, 0]}]
    edit(path, lambda image: image.update(coordinateTransformations=outer))
    movie = open_movie(path)
    np.testing.assert_allclose(movie.voxel_size_um, np.array(UM) * 3)
    assert movie.frame_interval_s == 180.0
    assert "first voxel at z 0, y 100, x 0 µm" in caplog.text


def test_what_is_given_wins_over_the_file_with_a_note(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    path = write(tmp_path / "movie", pixels((2, 3, 4, 5)))
    assert open_movie(path, axes="ztyx", voxel_size_um=(3, 1, 1)).shape == (3, 2, 4, 5)
    assert "axes ZTYX as given, the file says TZYX" in caplog.text
    movie = open_movie(path, voxel_size_um=(3, 1, 1), frame_interval_s=7)
    assert (movie.voxel_size_um.tolist(), movie.frame_interval_s) == ([3, 1, 1], 7)
    assert "voxel size [3.0, 1.0, 1.0] µm as given, the file says [2.0, 0.5, 0.4] µm" in caplog.text
    assert "frame interval 7 s as given, the file says 90 s" in caplog.text


@pytest.mark.parametrize("scale", [[1, 0, 0.5, 0.5], [1, -2, 0.5, 0.5], None])
def test_a_voxel_size_of_zero_or_none_is_asked_for(tmp_path: Path, scale: list[float] | None) -> None:
    path = write(tmp_path / "movie", pixels((2, 3, 4, 5)))
    steps = [] if scale is None else [{"type": "scale", "scale": scale}]
    edit(path, lambda image: image["datasets"][0].update(coordinateTransformations=steps))
    with pytest.raises(MovieError, match=r"(?s)voxel size is not known.*--voxel-size-um"):
        open_movie(path)
    assert open_movie(path, voxel_size_um=UM).voxel_size_um.tolist() == list(UM)


def test_a_scale_without_units_is_not_taken_for_micrometres(tmp_path: Path) -> None:
    axes = [{key: value for key, value in AXIS[axis].items() if key != "unit"} for axis in "TZYX"]
    path = make_image(tmp_path / "i", pixels((2, 3, 4, 5)), axes, [1, *UM])
    with pytest.raises(MovieError, match=r"(?s)scale \(1.0, 2.0, 0.5, 0.4\) with units \[None"):
        open_movie(path)


def test_a_plain_array_needs_axes_and_voxel_size(tmp_path: Path) -> None:
    data = pixels((5, 3, 6, 7))
    zarr.create_array(tmp_path / "plain.zarr", data=data, chunks=(2, 2, 2, 2), zarr_format=2)
    with pytest.raises(MovieError, match=r"(?s)which of its axes.*labelled not at all.*--axes"):
        open_movie(tmp_path / "plain.zarr", voxel_size_um=UM)
    with pytest.raises(MovieError, match="voxel size is not known"):
        open_movie(tmp_path / "plain.zarr", axes="ZTYX")
    movie = open_movie(tmp_path / "plain.zarr", axes="ZTYX", voxel_size_um=UM)
    np.testing.assert_array_equal(movie.frame(2), data[:, 2])


def test_a_plain_array_may_name_its_axes(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "plain.zarr", data=pixels((5, 3, 6, 7)), dimension_names=["t", "z", "y", "x"])
    assert open_movie(tmp_path / "plain.zarr", voxel_size_um=UM).shape == (5, 3, 6, 7)


@pytest.mark.parametrize("dtype", ["bool", "complex64"])
def test_logical_and_complex_voxels_are_refused(tmp_path: Path, dtype: str) -> None:
    zarr.create_array(tmp_path / "plain.zarr", data=pixels((2, 3, 4, 5)).astype(dtype), zarr_format=2)
    with pytest.raises(MovieError, match="are not intensities"):
        open_movie(tmp_path / "plain.zarr", axes="TZYX", voxel_size_um=UM)


def test_a_channel_that_is_not_there_is_refused(tmp_path: Path) -> None:
    path = make_image(tmp_path / "i", pixels((2, 2, 3, 4, 5)), [AXIS[a] for a in "TCZYX"], [STEP[a] for a in "TCZYX"])
    with pytest.raises(MovieError, match=r"(?s)no channel 2.*channels in the file: 2.*--channel 0 to 1"):
        open_movie(path, channel=2)


@pytest.mark.parametrize(
    ("attributes", "fix"),
    [({"bioformats2raw.layout": 3}, "g.zarr/0"), ({"plate": {}}, "A/1/0"), ({}, "inside lie raw")],
)
def test_a_group_without_an_image_says_where_to_look(tmp_path: Path, attributes: dict[str, object], fix: str) -> None:
    group = zarr.open_group(tmp_path / "g.zarr", mode="w", attributes=attributes)
    group.create_array("raw", shape=(2, 2), dtype="u1")
    with pytest.raises(MovieError, match=rf"(?s)holds no OME image.*{fix}"):
        open_movie(tmp_path / "g.zarr")


def test_an_image_whose_array_was_not_copied_is_not_found(tmp_path: Path) -> None:
    path = write(tmp_path / "movie", pixels((2, 3, 4, 5)))
    shutil.rmtree(path / "0")
    with pytest.raises(MovieNotFoundError, match=r"(?s)movie/0: there is no zarr array"):
        open_movie(path)


def test_a_path_that_leaves_the_image_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "movie", pixels((2, 3, 4, 5)))
    edit(path, lambda image: image["datasets"][0].update(path="../elsewhere"))
    with pytest.raises(MovieError, match="does not lie in the image"):
        open_movie(path)


def test_a_shape_beyond_belief_is_refused_without_allocating_it(tmp_path: Path) -> None:
    path = write(tmp_path / "movie", pixels((2, 3, 4, 5)))
    node = json.loads((path / "0/zarr.json").read_text())
    node["shape"] = [10**12, 3, 4, 5]
    (path / "0/zarr.json").write_text(json.dumps(node))
    with pytest.raises(MovieError, match="more voxels than any microscope makes"):
        open_movie(path)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_chunk_that_cannot_be_decoded_is_named_and_others_still_read(tmp_path: Path, layout: str) -> None:
    data = pixels((3, 5, 11, 9))
    path = write(tmp_path / "movie", data, LAYOUTS[layout])
    folder = path / "0" / ("1" if layout == "0.4" else "c/1")
    chunk = next(file for file in sorted(folder.rglob("*")) if file.is_file())
    chunk.write_bytes(chunk.read_bytes()[: chunk.stat().st_size // 2])
    movie = open_movie(path)
    with pytest.raises(
        ChunkError, match=rf"(?s)movie/0: voxels \[1:2, 0:5.*{chunk.relative_to(path)}.*finished blocks"
    ):
        movie.frame(1)
    np.testing.assert_array_equal(movie.frame(2), data[2])


def test_a_movie_opened_in_another_process_reads_the_same(tmp_path: Path) -> None:
    movie = open_movie(write(tmp_path / "movie", pixels((2, 3, 4, 5))))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(movie)).frame(1), movie.frame(1))


def test_a_movie_of_one_frame_opens(tmp_path: Path) -> None:
    assert open_movie(write(tmp_path / "movie", pixels((1, 3, 4, 5)))).n_frames == 1


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_frame_that_was_never_stored_reads_as_fill_value_with_a_warning(
    tmp_path: Path, layout: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path / "movie", pixels((4, 5, 11, 9)), LAYOUTS[layout])
    open_movie(path)
    assert not caplog.records
    shutil.rmtree(path / "0" / ("2" if layout == "0.4" else "c/2"))
    movie = open_movie(path)
    assert "1 of 4 frames have no chunk on disk" in caplog.text
    assert "(frames 2)" in caplog.text
    assert not movie.frame(2).any()


# --- writing ---------------------------------------------------------------------------------------------------------


def test_only_one_frame_is_held(tmp_path: Path) -> None:
    alive: list[int] = []

    def frames() -> Iterator[np.ndarray]:
        for t in range(4):
            done = len(list((next(tmp_path.glob(".movie*.partial")) / "0/c").glob("*"))) if t else 0
            alive.append(t - done)
            yield pixels((3, 4, 5))

    write_ome_zarr(
        tmp_path / "movie", frames(), shape_tzyx=(4, 3, 4, 5), dtype="uint16", voxel_size_um=UM, frame_interval_s=1
    )
    assert alive == [0, 0, 0, 0], "each frame is on disk before the next is asked for"


def test_what_exists_is_kept_unless_overwriting_is_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "movie", pixels((2, 3, 4, 5)))
    with pytest.raises(MovieError, match="something is there already"):
        write(path, pixels((1, 3, 4, 5)))
    assert open_movie(path).n_frames == 2
    write(path, pixels((1, 3, 4, 5)), overwrite=True)
    assert open_movie(path).n_frames == 1
    assert sorted(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ([np.ones((3, 4, 5), "u2")], "only 1 of 2 frames"),
        ([np.ones((3, 4, 5), "u2")] * 3, "frame 2 does not fit"),
        ([np.ones((3, 4, 6), "u2")], "frame 0 does not fit"),
        ([np.ones((3, 4, 5), "f4")], "frame 0 does not fit"),
    ],
)
def test_frames_that_do_not_fit_leave_nothing_behind(tmp_path: Path, frames: list[np.ndarray], message: str) -> None:
    with pytest.raises(MovieError, match=message):
        write_ome_zarr(
            tmp_path / "m", frames, shape_tzyx=(2, 3, 4, 5), dtype="u2", voxel_size_um=UM, frame_interval_s=1
        )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("size", "interval"), [((0, 1, 1), 1), ((1, 1, np.nan), 1), ((1, 1, 1), 0)])
def test_sizes_that_make_no_sense_are_refused(tmp_path: Path, size: tuple[float, ...], interval: float) -> None:
    with pytest.raises(MovieError, match="must be positive"):
        write_ome_zarr(
            tmp_path / "m", [], shape_tzyx=(2, 3, 4, 5), dtype="u2", voxel_size_um=size, frame_interval_s=interval
        )


def test_a_full_disk_keeps_the_old_movie_and_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "movie", pixels((2, 3, 4, 5)))

    def fill_up(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("zarr.storage._local._put", fill_up)
    with pytest.raises(DiskError, match=r"(?s)movie: the disk is full.*No space left.*free some space"):
        write(path, pixels((3, 3, 4, 5)), overwrite=True)
    monkeypatch.undo()
    assert open_movie(path).n_frames == 2
    assert sorted(tmp_path.iterdir()) == [path]


def test_an_error_of_the_frames_themselves_is_not_called_a_disk_error(tmp_path: Path) -> None:
    def frames() -> Iterator[np.ndarray]:
        raise ChunkError("block 3 cannot be read.")
        yield

    with pytest.raises(ChunkError, match="block 3"):
        write_ome_zarr(
            tmp_path / "m", frames(), shape_tzyx=(2, 3, 4, 5), dtype="u2", voxel_size_um=UM, frame_interval_s=1
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"version": "0.3"}, "0.3"),
        ({"version": "0.4", "shard": True}, "shards need"),
        ({"chunk_zyx": (1, 0, 1)}, "chunk"),
    ],
)
def test_an_impossible_layout_cannot_be_built(options: dict[str, object], message: str) -> None:
    with pytest.raises(MovieError, match=message):
        ZarrLayout(**options)
