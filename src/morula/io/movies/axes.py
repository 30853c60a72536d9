"""The axes of a file turned into the axes of a movie. Owns order, missing axes and the choice of a channel.

A file may hold its axes in any order and leave out t, c or z; a movie is always T,Z,Y,X. Nothing is copied: a view
turns a box of the movie into a box of the file. Refused are axes without Y and X, unknown axes longer than one, an axis
named twice, axes longer than any camera's or experiment's, and a channel that is not there.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from morula.core.blocks import Box
from morula.core.movie import LazyArray
from morula.errors import MovieError

MOVIE_AXES = "TZYX"
MAX_AXIS_LENGTH = 2**20
"""Longest axis believed; a longer one is taken for damaged metadata."""
_MAX_FRAME_VOXELS = 2**40
_KNOWN_AXES = "TCZYX"


def parse_axes(axes: str, name: str) -> str:
    """Check the axes a user gives, for example ``tzyx`` or ``TCZYX``, and return them in capitals.

    Raises
    ------
    MovieError
        If a letter is unknown or repeated, or Y or X is missing.
    """
    letters = axes.strip().upper()
    if not set("YX") <= set(letters) <= set(_KNOWN_AXES) or len(set(letters)) < len(letters):
        raise MovieError(
            f"{name}: the axes {axes!r} are not understood.",
            cause="axes are letters of T (time), C (channel), Z, Y, X, each at most once, with Y and X among them",
            fix="give --axes in the order of the file, for example TZYX or TCZYX",
        )
    return letters


def fit_axes(given: str, in_file: str, n_axes: int, name: str) -> str:
    """Fit the axes a user gives to an array: drop axes of length one the file left out, add the T a series makes.

    Parameters
    ----------
    given
        Axes as the user wrote them.
    in_file
        Axes by which the file names its array.
    n_axes
        Number of axes of the array.
    name
        Name of the movie, for messages.

    Examples
    --------
    >>> fit_axes("TCZYX", "ZYX", 3, "one volume"), fit_axes("ZYX", "TIYX", 4, "a series")
    ('ZYX', 'TZYX')
    """
    axes = parse_axes(given, name)
    if len(axes) > n_axes and set(in_file) <= set(axes):
        return "".join(axis for axis in axes if axis in in_file)
    if len(axes) == n_axes - 1 and in_file.startswith("T") and "T" not in axes:
        return "T" + axes
    return axes


def view_as_tzyx(array: LazyArray, axes: str, channel: int, name: str) -> LazyArray:
    """View a lazy array of any axes as T,Z,Y,X, one channel.

    Parameters
    ----------
    array
        Lazy array; its axes may come in any order.
    axes
        One letter per axis of `array`: T, C, Z, Y, X; S (samples of a pixel) counts as C where there is no C; other
        letters only for axes of length one. Missing T or Z become axes of length one.
    channel
        Channel to see, counted from 0.
    name
        Name of the movie, for messages.

    Raises
    ------
    MovieError
        If the axes do not fit the array, or the channel does not exist.
    """
    axes = _name_samples(axes)
    shape = tuple(int(size) for size in array.shape)
    _check_axes(axes, shape, name)
    n_channels = shape[axes.index("C")] if "C" in axes else 1
    if not 0 <= channel < n_channels:
        raise MovieError(
            f"{name}: there is no channel {channel}.",
            measured=f"channels in the file: {n_channels}, counted from 0 (axes {axes}, shape {shape})",
            fix=f"give --channel 0{f' to {n_channels - 1}' if n_channels > 1 else ''}",
        )
    return array if axes == MOVIE_AXES else TzyxView(array, axes, channel)


class TzyxView:
    """A lazy array seen as T,Z,Y,X; see `view_as_tzyx`.

    Parameters
    ----------
    source
        Lazy array in the axes of the file.
    axes
        One letter per axis of `source`.
    channel
        Channel to see.
    """

    def __init__(self, source: LazyArray, axes: str, channel: int) -> None:
        self.source, self.axes, self.channel = source, axes, channel

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of t, z, y, x."""
        return tuple(int(self.source.shape[self.axes.index(a)]) if a in self.axes else 1 for a in MOVIE_AXES)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a voxel."""
        return self.source.dtype

    def __getitem__(self, box: Box, /) -> npt.NDArray[Any]:
        wanted = dict(zip(MOVIE_AXES, clip_box(box, self.shape), strict=True))
        wanted["C"] = slice(self.channel, self.channel + 1)
        pixels = self.source[tuple(wanted.get(axis, slice(0, 1)) for axis in self.axes)]
        order = [self.axes.index(axis) for axis in MOVIE_AXES if axis in self.axes]
        rest = [i for i in range(len(self.axes)) if i not in order]
        pixels = np.transpose(pixels, [*rest, *order]).reshape([pixels.shape[i] for i in order])
        for place, axis in enumerate(MOVIE_AXES):
            if axis not in self.axes:
                pixels = np.expand_dims(pixels, place)[(slice(None),) * place + (wanted[axis],)]
        return pixels


def clip_box(box: Box, shape: tuple[int, ...]) -> Box:
    """Return slices with start, stop inside `shape`, as numpy would understand them; steps other than 1 are refused."""
    clipped = []
    for wanted, size in zip(box, shape, strict=True):
        start, stop, step = wanted.indices(size)
        if step != 1:
            raise MovieError(f"a movie is read in boxes without gaps, not with step {step}.")
        clipped.append(slice(start, max(start, stop)))
    return tuple(clipped)


def describe_box(box: Box, axes: str = MOVIE_AXES) -> str:
    """Return a box in words, for messages: ``t 0:1, z 4:8``."""
    return ", ".join(f"{axis.lower()} {s.start}:{s.stop}" for axis, s in zip(axes, box, strict=True))


def _name_samples(axes: str) -> str:
    return axes.replace("S", "C") if axes.count("S") == 1 and "C" not in axes else axes


def _check_axes(axes: str, shape: tuple[int, ...], name: str) -> None:
    long = [axis for axis, size in zip(axes, shape, strict=False) if size > 1 or axis in _KNOWN_AXES]
    if axes and len(axes) != len(shape):
        raise MovieError(
            f"{name}: {len(axes)} axes {axes} for an array of {len(shape)} axes.",
            measured=f"shape {shape}",
            fix=f"give --axes with {len(shape)} letters of T, C, Z, Y, X, in the order of the file",
        )
    if not set("YX") <= set(long) <= set(_KNOWN_AXES) or len(set(long)) < len(long):
        raise MovieError(
            f"{name}: the file does not say which of its axes are T, Z, Y and X.",
            measured=f"shape {shape}, labelled {axes or 'not at all'}",
            cause="the program that wrote the file knew no names for its axes",
            fix="give --axes in the order of the file, for example TZYX or TCZYX",
        )
    frame = math.prod(size for axis, size in zip(axes, shape, strict=True) if axis in "ZYX")
    if max(shape) > MAX_AXIS_LENGTH or frame > _MAX_FRAME_VOXELS:
        raise MovieError(
            f"{name}: the file claims more voxels than any microscope makes.",
            measured=f"shape {shape}, axes {axes}; at most {MAX_AXIS_LENGTH} along an axis are believed",
            cause="the metadata of the file are damaged",
            fix="copy or export the movie again",
        )
