"""From what a file says and what the user says to a movie. Owns which of the two wins, and what must be known.

A reader returns a `MovieSource`: pixels in the axes of the file, and the little its metadata tell. `build_movie` lets
the arguments win over the file (and logs that they did), asks for a voxel size nobody gave, and takes an unknown frame
interval as 1 s. Refused are voxels that are no real numbers and axes that cannot be known.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from morula.core.movie import LazyArray, Movie
from morula.errors import MovieError
from morula.io.movies.axes import fit_axes, view_as_tzyx

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MovieOptions:
    """What the user says about a movie; None where nothing was said.

    Parameters
    ----------
    axes
        Axes in the order of the file, letters of T, C, Z, Y, X.
    channel
        Channel to read, counted from 0.
    level
        Resolution level of an OME-Zarr image, 0 is the finest.
    voxel_size_um
        Size of a voxel in µm, order z, y, x.
    frame_interval_s
        Time between frames in seconds.
    """

    axes: str | None = None
    channel: int = 0
    level: int = 0
    voxel_size_um: Sequence[float] | None = None
    frame_interval_s: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class MovieSource:
    """What a reader found: lazy pixels and the metadata of the file.

    Parameters
    ----------
    array
        Lazy array in the axes of the file.
    axes
        One letter per axis of `array`; other letters than T, C, Z, Y, X mean unknown, empty means no names at all.
    name
        What messages call the movie.
    voxel_size_um
        Voxel size in µm by axis letter (Z, Y, X), where the file tells it.
    frame_interval_s
        Time between frames in seconds, where the file tells it.
    size_note
        What the file says about sizes that could not be used, for the message that asks for them.
    """

    array: LazyArray
    axes: str
    name: str
    voxel_size_um: Mapping[str, float] = field(default_factory=dict)
    frame_interval_s: float | None = None
    size_note: str = ""


def build_movie(source: MovieSource, options: MovieOptions, mask_tzyx: LazyArray | None = None) -> Movie:
    """Join file and arguments into a movie.

    Raises
    ------
    MovieError
        If voxels are not real numbers, or axes or voxel size are unknown or make no sense.
    """
    if source.array.dtype.kind not in "iuf":
        raise MovieError(
            f"{source.name}: voxels of type {source.array.dtype} are not intensities.",
            cause="a logical image or a Fourier transform in the place of the movie",
            fix="give the movie as integers or floating-point numbers (a logical image can be its mask)",
        )
    return Movie(
        tzyx=view_source(source, options),
        voxel_size_um=np.array(_choose_voxel_size(source, options)),
        frame_interval_s=_choose_interval(source, options),
        mask_tzyx=mask_tzyx,
        name=source.name,
    )


def view_source(source: MovieSource, options: MovieOptions) -> LazyArray:
    """View the pixels of a source as T,Z,Y,X, in the axes of the arguments or else of the file."""
    axes = source.axes
    if options.axes is not None:
        axes = fit_axes(options.axes, source.axes, len(source.array.shape), source.name)
        if axes != source.axes:
            logger.info("%s: axes %s as given, the file says %s", source.name, axes, source.axes or "nothing")
    return view_as_tzyx(source.array, axes, options.channel, source.name)


def _choose_voxel_size(source: MovieSource, options: MovieOptions) -> list[float]:
    in_file = [source.voxel_size_um.get(axis) for axis in "ZYX"]
    if options.voxel_size_um is not None:
        given = [float(size) for size in options.voxel_size_um]
        if any(b is not None and not math.isclose(a, b, rel_tol=1e-3) for a, b in zip(given, in_file, strict=False)):
            logger.info("%s: voxel size %s µm as given, the file says %s µm", source.name, given, in_file)
        return given
    if in_file[0] is None and "Z" not in (options.axes or source.axes).upper():
        in_file[0] = in_file[1]  # a movie of single planes has no z step; any positive number does
    known = [size for size in in_file if size is not None and math.isfinite(size) and size > 0]
    if len(known) < 3:
        said = ", ".join(
            f"{axis} {'unknown' if size is None else size}" for axis, size in zip("zyx", in_file, strict=True)
        )
        raise MovieError(
            f"{source.name}: the voxel size is not known.",
            measured=f"in the file, in µm: {said}" + (f"; {source.size_note}" if source.size_note else ""),
            cause="the program that wrote the file did not store it, or stored a zero",
            fix="give --voxel-size-um Z Y X in µm (the distance of two planes, then the size of a pixel)",
        )
    return known


def _choose_interval(source: MovieSource, options: MovieOptions) -> float:
    in_file = source.frame_interval_s
    if options.frame_interval_s is not None:
        given = float(options.frame_interval_s)
        if in_file is not None and not math.isclose(given, in_file, rel_tol=1e-3):
            logger.info("%s: frame interval %g s as given, the file says %g s", source.name, given, in_file)
        return given
    if in_file is not None and not (math.isfinite(in_file) and in_file > 0):
        logger.warning("%s: the frame interval in the file, %g s, makes no sense; 1 s is used", source.name, in_file)
        return 1.0
    return 1.0 if in_file is None else in_file
