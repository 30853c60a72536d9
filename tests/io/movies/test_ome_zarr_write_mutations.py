"""Damaged OME-Zarr files: a clear error or a valid movie, never anything else."""

from __future__ import annotations

import resource
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from morula.errors import MorulaError
from morula.io.movies.ome_zarr_write import ZarrLayout, write_ome_zarr
from morula.io.movies.opening import open_movie

KINDS = {
    "0.5": (ZarrLayout(chunk_zyx=(2, 8, 8)), ["zarr.json", "0/zarr.json", "0/c/0/0/0/0"]),
    "0.5 shards": (ZarrLayout(chunk_zyx=(2, 8, 8), shard=True), ["0/zarr.json", "0/c/0/0/0/0"]),
    "0.4": (ZarrLayout(version="0.4", chunk_zyx=(2, 8, 8)), [".zattrs", ".zgroup", "0/.zarray", "0/0/0/0/0"]),
}
MEMORY_BOUND_KIB = 700 * 1024


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_ome_zarr_gives_a_clear_error_or_a_valid_movie(
    tmp_path: Path, kind: str, mutate: Callable[[bytes, int], bytes], mutation_seeds: range
) -> None:
    layout, names = KINDS[kind]
    data = np.random.default_rng(0).integers(0, 99, (2, 3, 20, 24)).astype("uint16")
    path = tmp_path / "embryo"
    write_ome_zarr(
        path, data, shape_tzyx=data.shape, dtype="u2", voxel_size_um=(2, 1, 1), frame_interval_s=9, layout=layout
    )
    whole = {name: (path / name).read_bytes() for name in names}
    outcomes, unnamed = {"read": 0, "refused": 0}, 0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for seed in mutation_seeds[list(KINDS).index(kind) :: len(KINDS)]:
        name = names[seed % len(names)]
        (path / name).write_bytes(mutate(whole[name], seed))
        try:
            movie = open_movie(path)
            shape = tuple(min(size, 40) for size in movie.shape)
            assert movie.read((0, 0, 0, 0), shape).shape == shape
            outcomes["read"] += 1
        except MorulaError as error:
            outcomes["refused"] += 1
            unnamed += path.name not in str(error)
        (path / name).write_bytes(whole[name])
    shutil.rmtree(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MEMORY_BOUND_KIB
    assert not unnamed, "an error does not say which movie"
    assert min(outcomes.values()) > 0, "the mutations never, or always, hurt"
