"""Damaged TIFF files: a clear error or a valid movie, never anything else."""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from morula.errors import MorulaError
from morula.io.movies.opening import open_movie

KINDS = ("imagej", "deflate strips", "lzw tiles", "ome")
MEMORY_BOUND_KIB = 700 * 1024


def write(kind: str, path: Path) -> None:
    data = np.random.default_rng(0).integers(0, 99, (2, 3, 20, 24)).astype("uint16")
    if kind == "imagej":
        tifffile.imwrite(path, data, imagej=True, metadata={"axes": "TZYX", "spacing": 2.0, "unit": "um"})
    elif kind == "deflate strips":
        tifffile.imwrite(path, data, compression="zlib", predictor=2, rowsperstrip=9, photometric="minisblack")
    elif kind == "lzw tiles":
        tifffile.imwrite(path, data, compression="lzw", tile=(16, 16), byteorder=">", photometric="minisblack")
    else:
        tifffile.imwrite(path, data, ome=True, metadata={"axes": "TZYX", "PhysicalSizeZ": 2.0}, rowsperstrip=8)


def test_a_damaged_file_of_a_series_gives_a_clear_error_or_a_valid_movie(
    tmp_path: Path, mutate: Callable[[bytes, int], bytes], mutation_seeds: range
) -> None:
    data = np.random.default_rng(0).integers(0, 99, (3, 4, 20, 24)).astype("uint16")
    paths = [tmp_path / f"embryo_T{t}.tif" for t in range(3)]
    for path, volume in zip(paths, data, strict=True):
        tifffile.imwrite(path, volume, compression="lzw", photometric="minisblack", metadata=None)
    whole, refused = paths[1].read_bytes(), 0
    for seed in mutation_seeds:
        paths[1].write_bytes(mutate(whole, seed))
        try:
            movie = open_movie(tmp_path, voxel_size_um=(2, 1, 1))
            assert movie.shape == data.shape
            np.testing.assert_array_equal(movie.frame(2), data[2])
            assert movie.frame(1).shape == data[1].shape
        except MorulaError:
            refused += 1
    assert 0 < refused < len(mutation_seeds)


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_tiff_gives_a_clear_error_or_a_valid_movie(
    tmp_path: Path, kind: str, mutate: Callable[[bytes, int], bytes], mutation_seeds: range
) -> None:
    path = tmp_path / "movie.tif"
    write(kind, path)
    whole, outcomes = path.read_bytes(), {"read": 0, "refused": 0}
    unnamed = 0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for seed in mutation_seeds[KINDS.index(kind) :: len(KINDS)]:
        path.write_bytes(mutate(whole, seed))
        try:
            movie = open_movie(path, axes="TZYX", voxel_size_um=(2, 1, 1))
            box = movie.read((0, 0, 0, 0), tuple(min(size, 40) for size in movie.shape))
            assert box.dtype == np.float32
            assert box.shape == tuple(min(size, 40) for size in movie.shape)
            outcomes["read"] += 1
        except MorulaError as error:
            outcomes["refused"] += 1
            unnamed += path.name not in str(error)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MEMORY_BOUND_KIB
    assert not unnamed, "an error does not say which file"
    assert min(outcomes.values()) > 0, "the mutations never, or always, hurt"
