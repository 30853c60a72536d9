"""The pieces a file is read in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile
import zarr

from morula.io.movies.chunks import find_chunk
from morula.io.movies.opening import open_movie


def test_zarr_tells_its_chunks_in_the_order_of_the_movie(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "a.zarr", shape=(4, 9, 20, 30), chunks=(2, 3, 20, 10), dtype="uint16")
    zarr.create_array(tmp_path / "b.zarr", shape=(9, 2, 4, 20, 30), chunks=(3, 1, 2, 20, 10), dtype="uint16")
    plain = open_movie(tmp_path / "a.zarr", axes="TZYX", voxel_size_um=(1, 1, 1))
    turned = open_movie(tmp_path / "b.zarr", axes="ZCTYX", channel=1, voxel_size_um=(1, 1, 1))
    assert find_chunk(plain.tzyx) == (2, 3, 20, 10)
    assert find_chunk(turned.tzyx) == (2, 3, 20, 10)


def test_everything_else_is_read_in_planes(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "m.tif", np.zeros((3, 4, 16, 17), np.uint8), imagej=True, metadata={"axes": "TZYX"})
    movie = open_movie(tmp_path / "m.tif", voxel_size_um=(1, 1, 1))
    assert find_chunk(movie.tzyx) == find_chunk(np.zeros((3, 4, 16, 17))) == (1, 1, 16, 17)
