"""In which pieces a file holds its voxels: whoever wants one voxel reads and decodes the whole piece around it."""

from __future__ import annotations

from morula.core.movie import LazyArray
from morula.io.movies.axes import MOVIE_AXES, TzyxView
from morula.io.movies.zarr_array import ZarrArray

Chunk = tuple[int, int, int, int]


def find_chunk(array: LazyArray) -> Chunk:
    """Return the shape of a movie's pieces, order t, z, y, x: the chunks of zarr, the planes of everything else."""
    _, _, height, width = (int(size) for size in array.shape)
    plane = (1, 1, height, width)
    if isinstance(array, ZarrArray):
        t, z, y, x = array.chunk_shape
        return t, z, y, x
    if isinstance(array, TzyxView) and isinstance(array.source, ZarrArray):
        along = dict(zip(array.axes, array.source.chunk_shape, strict=True))
        t, z, y, x = (along.get(axis, 1) for axis in MOVIE_AXES)
        return t, z, y, x
    return plane
