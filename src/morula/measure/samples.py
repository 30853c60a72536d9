"""Which frames to look at, and how much of each: a few annotated frames, each a box of bounded size.

Owns the sampling; measures nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from morula.core.columns import BoolArray, FloatArray, FrameArray, IntArray
from morula.core.movie import Movie
from morula.errors import ChunkError

_log = logging.getLogger(__name__)

MOST_FRAMES = 8

_MOST_VOXELS = 16_000_000
"""A larger frame is not read whole: this much holds thousands of nuclei."""


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A box of one frame and the points in it.

    Parameters
    ----------
    t
        Frame.
    start_vox
        First voxel of the box, order z, y, x, shape (3,).
    pixels
        Intensities, shape (Z, Y, X), the movie's dtype.
    points_um
        Points in µm from the box's first voxel, order z, y, x, shape (n, 3).
    share
        Volume of the box over that of the frame.
    """

    t: int
    start_vox: IntArray
    pixels: npt.NDArray[Any]
    points_um: FloatArray
    share: float


def find_inside(movie: Movie, t: FrameArray, zyx_um: FloatArray, *, tolerance_vox: float = 0.5) -> BoolArray:
    """Say which points lie in a frame of the movie and within its faces, give or take `tolerance_vox` voxels."""
    tolerance = tolerance_vox * movie.voxel_size_um + 1e-6
    faces = (zyx_um >= -tolerance) & (zyx_um <= movie.extent_um + tolerance)
    return np.asarray(faces.all(axis=1) & (t >= 0) & (t < movie.n_frames), bool)


def choose_frames(t: FrameArray, most: int = MOST_FRAMES) -> list[int]:
    """Choose at most `most` of the frames that hold points, spread evenly from the first to the last."""
    frames = np.unique(t)
    if len(frames) > most:
        frames = frames[np.unique(np.linspace(0, len(frames) - 1, most).round().astype(int))]
    return [int(frame) for frame in frames]


def read_samples(movie: Movie, t: FrameArray, zyx_um: FloatArray, frames: list[int]) -> Iterator[Sample]:
    """Read one frame after the other with the points that lie in it.

    Parameters
    ----------
    movie
        The movie.
    t, zyx_um
        Frame and position (µm, order z, y, x) of points inside the movie.
    frames
        Frames to read. Of frames above 16 megavoxels only a box around the middle of the points is read; frames that
        cannot be read are left out with a warning.

    Raises
    ------
    ChunkError
        If none of the frames can be read.
    """
    unreadable = 0
    for frame in frames:
        points = zyx_um[t == frame]
        start, size = choose_box(movie, points)
        try:
            pixels = read_box(movie, frame, start, size)
        except ChunkError as error:
            unreadable += 1
            if unreadable == len(frames):
                raise
            _log.warning("frame %d is left out of the measurements: %s", frame, error.what)
            continue
        local = points - start * movie.voxel_size_um
        place = local / movie.voxel_size_um
        inside = ((place > -0.5) & (place < np.array(pixels.shape) - 0.5)).all(axis=1)
        share = float(np.prod(pixels.shape) / np.prod(movie.shape[1:]))
        yield Sample(t=frame, start_vox=start, pixels=pixels, points_um=local[inside], share=share)


def choose_box(movie: Movie, points_um: FloatArray) -> tuple[IntArray, IntArray]:
    """Choose the part of a frame to read: all of it up to 16 megavoxels, else a box around the middle of the points.

    Returns
    -------
    tuple
        First voxel and number of voxels, order z, y, x.
    """
    shape = np.array(movie.shape[1:])
    size = shape.copy()
    while np.prod(size) > _MOST_VOXELS:
        longest = int(np.argmax(size * movie.voxel_size_um))
        size[longest] = (size[longest] + 1) // 2
    middle = (shape - 1) / 2
    if len(points_um):
        distance = np.linalg.norm(points_um - np.median(points_um, axis=0), axis=1)
        middle = points_um[np.argmin(distance)] / movie.voxel_size_um
    return np.clip(np.rint(middle - size / 2).astype(np.int64), 0, shape - size), size


def read_box(movie: Movie, t: int, start_vox: IntArray, size_vox: IntArray) -> npt.NDArray[Any]:
    """Read a box of one frame, shape (Z, Y, X), in the movie's own dtype."""
    box = tuple(slice(int(a), int(a + n)) for a, n in zip(start_vox, size_vox, strict=True))
    pixels: npt.NDArray[Any] = np.asarray(movie.tzyx[(slice(t, t + 1), *box)])[0]
    return pixels
