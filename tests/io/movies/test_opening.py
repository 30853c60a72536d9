"""The one door for movies: what lies at a path decides how it is read, from a disk or from a web server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr

from morula.errors import ChunkError, MovieError, MovieNotFoundError
from morula.io.movies.ome_zarr_write import ZarrLayout, write_ome_zarr
from morula.io.movies.opening import open_movie

UM = (2.0, 0.5, 0.4)


def write(path: Path, data: np.ndarray, layout: ZarrLayout | None = None) -> Path:
    write_ome_zarr(
        path, data, shape_tzyx=data.shape, dtype=data.dtype, voxel_size_um=UM, frame_interval_s=90, layout=layout
    )
    return path


def pixels(shape: tuple[int, ...] = (3, 4, 10, 12)) -> np.ndarray:
    return np.random.default_rng(0).integers(1, 200, shape).astype("uint16")


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves a folder; answers 500 for a path that ends in ``broken``."""

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        if self.path.startswith("/forbidden"):
            self.send_error(403)
        else:
            super().do_GET()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=tmp_path)) as served:
        thread = threading.Thread(target=served.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{served.server_address[1]}"
        served.shutdown()
        thread.join()


@pytest.mark.parametrize(
    "layout", [ZarrLayout(), ZarrLayout(shard=True, chunk_zyx=(2, 5, 5)), ZarrLayout(version="0.4")]
)
def test_a_movie_on_a_web_server_reads_like_a_local_one(tmp_path: Path, server: str, layout: ZarrLayout) -> None:
    data = pixels()
    write(tmp_path / "movie.ome.zarr", data, layout)
    movie = open_movie(f"{server}/movie.ome.zarr")
    assert movie.name == "movie.ome.zarr"
    assert movie.voxel_size_um.tolist() == list(UM)
    np.testing.assert_array_equal(movie.tzyx[1:3, :, 2:9, :], data[1:3, :, 2:9, :])


def test_a_chunk_missing_on_a_server_is_the_fill_value_and_a_damaged_one_an_error(tmp_path: Path, server: str) -> None:
    write(tmp_path / "movie.ome.zarr", pixels())
    (tmp_path / "movie.ome.zarr/0/c/0/0/0/0").unlink()
    (tmp_path / "movie.ome.zarr/0/c/1/0/0/0").write_bytes(b"no chunk")
    movie = open_movie(f"{server}/movie.ome.zarr/")
    assert not movie.frame(0).any()
    with pytest.raises(ChunkError, match=r"(?s)http.*voxels \[1:2.*cannot be read"):
        movie.frame(1)


def test_nothing_at_an_address_is_not_found(server: str) -> None:
    with pytest.raises(MovieNotFoundError, match="no zarr image here"):
        open_movie(f"{server}/movie.ome.zarr")


def test_a_server_that_refuses_or_does_not_answer_is_named(server: str) -> None:
    with pytest.raises(MovieError, match=r"(?s)forbidden.*HTTP Error 403"):
        open_movie(f"{server}/forbidden.zarr")
    with pytest.raises(MovieError, match=r"(?s)127\.0\.0\.1:9/movie.*a server that does not answer"):
        open_movie("http://127.0.0.1:9/movie.zarr")


def test_a_typing_error_suggests_what_lies_there(tmp_path: Path) -> None:
    write(tmp_path / "embryo.ome.zarr", pixels())
    with pytest.raises(MovieNotFoundError, match=r"(?s)embyro\.ome\.zarr: there is no movie here.*embryo\.ome\.zarr"):
        open_movie(tmp_path / "embyro.ome.zarr")


def test_a_folder_without_a_movie_says_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(MovieNotFoundError, match=r"(?s)no movie in this folder.*holds notes\.txt"):
        open_movie(tmp_path)


def test_another_kind_of_file_says_how_to_convert_it(tmp_path: Path) -> None:
    (tmp_path / "movie.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    with pytest.raises(MovieError, match=r"(?s)kind of file is not read.*x89HDF.*convert"):
        open_movie(tmp_path / "movie.h5")


def test_axes_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "movie", pixels())
    for axes in ("TZY", "TZYXQ", "TZYY", "", "TYX"):
        with pytest.raises(MovieError, match="axes"):
            open_movie(path, axes=axes)


@pytest.mark.parametrize("size", [(1, 1), (0, 1, 1), (1, -1, 1), (1, 1, float("nan")), (1, float("inf"), 1)])
def test_a_voxel_size_that_makes_no_sense_is_refused(tmp_path: Path, size: tuple[float, ...]) -> None:
    with pytest.raises(MovieError, match=r"(?s)movie: .*voxel.size.*--voxel-size-um"):
        open_movie(write(tmp_path / "movie", pixels()), voxel_size_um=size)


def test_a_mask_of_the_movies_shape_goes_with_it(tmp_path: Path) -> None:
    data = pixels()
    mask = write(tmp_path / "mask", (data > 100).astype("uint8"))
    movie = open_movie(write(tmp_path / "movie", data), mask=mask)
    assert movie.mask_tzyx is not None
    np.testing.assert_array_equal(movie.mask_tzyx[1:2, :, :, :], data[1:2] > 100)


def test_a_mask_of_one_frame_holds_for_all(tmp_path: Path) -> None:
    data = pixels()
    tifffile.imwrite(tmp_path / "mask.tif", (data[0] > 100).astype("uint8"), photometric="minisblack")
    movie = open_movie(write(tmp_path / "movie", data), mask=tmp_path / "mask.tif")
    assert movie.mask_tzyx is not None
    assert movie.mask_tzyx.shape == movie.shape
    np.testing.assert_array_equal(movie.mask_tzyx[1:3, 1:3, 2:8, 3:9], np.stack([data[0] > 100] * 2)[:, 1:3, 2:8, 3:9])


def test_a_tiff_mask_goes_with_a_coarser_level(tmp_path: Path) -> None:
    data = pixels()
    path = write(tmp_path / "movie", data)
    group = zarr.open_group(path, mode="r+")
    group.create_array("1", data=data[:, :, ::2, ::2])
    scale = [90.0, 2.0, 1.0, 0.8]
    ome = dict(group.attrs["ome"])
    ome["multiscales"][0]["datasets"].append(
        {"path": "1", "coordinateTransformations": [{"type": "scale", "scale": scale}]}
    )
    group.attrs["ome"] = ome
    tifffile.imwrite(tmp_path / "mask.tif", np.ones((4, 5, 6), "uint8"), photometric="minisblack")
    movie = open_movie(path, level=1, mask=tmp_path / "mask.tif")
    assert movie.shape == (3, 4, 5, 6)
    assert movie.mask_tzyx is not None


def test_a_movie_far_larger_than_memory_opens_and_reads_a_box(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    array = zarr.create_array(
        tmp_path / "huge", shape=(100_000, 500, 2000, 2000), chunks=(1, 8, 16, 16), dtype="u2", zarr_format=2
    )
    array[70_000, 96:98, 1600:1604, 800:803] = 7
    movie = open_movie(tmp_path / "huge", axes="TZYX", voxel_size_um=UM)
    assert movie.read((69_999, 95, 1600, 800), (70_002, 97, 1604, 803)).sum() == 7 * 12
    assert "99999 of 100000 frames have no chunk" in caplog.text


def test_a_logical_mask_is_read_and_one_of_another_shape_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "movie", pixels())
    zarr.create_array(tmp_path / "mask.zarr", data=pixels() > 100)
    assert open_movie(path, mask=tmp_path / "mask.zarr").mask_tzyx is not None
    with pytest.raises(MovieError, match=r"mask has shape \(2, 4, 10, 12\)"):
        open_movie(path, mask=write(tmp_path / "short", pixels((2, 4, 10, 12))))
    with pytest.raises(MovieNotFoundError, match="no movie here"):
        open_movie(path, mask=tmp_path / "gone.zarr")


def test_the_real_tiff_stack_opens(real_data: Path) -> None:
    movie = open_movie(real_data / "tgmm_mini_crop/movie.tif", voxel_size_um=(2.03, 0.41, 0.41), frame_interval_s=60)
    assert movie.shape == (5, 29, 40, 70)
    np.testing.assert_array_equal(movie.frame(4), tifffile.imread(real_data / "tgmm_mini_crop/movie.tif")[4])
