"""Movies that stand in for the one planned: noise where it is not there yet, an excerpt where it is large."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from morula.core.blocks import Box
from morula.core.movie import LazyArray, Movie
from morula.errors import ConfigError


class NoisePixels:
    """Lazy pixels of a movie nobody has recorded yet: noise, so that what is timed on it has something to look at.

    Parameters
    ----------
    shape
        Lengths of t, z, y, x.
    dtype
        Type of a voxel.
    """

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self._shape, self._dtype = shape, dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of t, z, y, x."""
        return self._shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a voxel."""
        return self._dtype

    def __getitem__(self, box: Box, /) -> npt.NDArray[Any]:
        size = tuple(len(range(*side.indices(n))) for side, n in zip(box, self._shape, strict=True))
        seed = [side.start or 0 for side in box]
        return np.random.default_rng(seed).integers(80, 120, size).astype(self._dtype)


def make_blank_movie(shape: tuple[int, ...], voxel_size_um: tuple[float, float, float], dtype: str) -> Movie:
    """Make the movie that is planned for.

    Raises
    ------
    ConfigError
        If `dtype` names no type of numbers.
    MovieError
        If an axis is empty or a voxel size is not positive.
    """
    try:
        kind = np.dtype(dtype)
    except TypeError:
        kind = np.dtype(object)
    if kind.kind not in "iuf":
        raise ConfigError(f"--dtype {dtype}: this is no type of voxels.", fix="for example uint8, uint16 or float32")
    return Movie(NoisePixels(shape, kind), np.array(voxel_size_um), name="planned movie")


class Excerpt:
    """A box of lazy pixels, seen as pixels of their own.

    Parameters
    ----------
    whole
        Lazy array (T, Z, Y, X).
    start, size
        First voxel and number of voxels, order t, z, y, x.
    """

    def __init__(self, whole: LazyArray, start: Sequence[int], size: Sequence[int]) -> None:
        self._whole, self._start, self._size = whole, tuple(start), tuple(size)

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of t, z, y, x."""
        return self._size

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a voxel."""
        return self._whole.dtype

    def __getitem__(self, box: Box, /) -> npt.NDArray[Any]:
        inner = [side.indices(n)[:2] for side, n in zip(box, self._size, strict=True)]
        return self._whole[tuple(slice(a + s, max(a, b) + s) for (a, b), s in zip(inner, self._start, strict=True))]


def cut_excerpt(movie: Movie, frames: int, megavoxels: float) -> Movie:
    """Cut a few frames out of the middle of a movie, and of large frames a box out of their middle."""
    size = np.array(movie.shape)
    size[0] = min(frames, movie.n_frames)
    while np.prod(size[1:]) > megavoxels * 1e6:
        axis = 1 + int(np.argmax(size[1:] * movie.voxel_size_um))
        size[axis] = (size[axis] + 1) // 2
    start = (np.array(movie.shape) - size) // 2
    return Movie(Excerpt(movie.tzyx, start.tolist(), size.tolist()), movie.voxel_size_um, name=movie.name)
