"""Opening a movie of any format: the one door through which pixels come in.

    what is there                                   read by
    folder or URL with zarr metadata                ome_zarr_read   (OME-Zarr 0.4 and 0.5, plain zarr arrays)
    a TIFF file                                     tiff            (ImageJ, OME-TIFF, unnamed axes)
    a folder of TIFF files, or a pattern            tiff_series     (one file per frame)

Owns telling these apart, and the mask. Refuses everything else with a word on how to convert it. Nothing but metadata
is read here; pixels are read box by box when asked for.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from morula.core.blocks import Box
from morula.core.movie import LazyArray, Movie
from morula.errors import MovieError, MovieNotFoundError
from morula.io.movies.axes import MOVIE_AXES, clip_box
from morula.io.movies.source import MovieOptions, MovieSource, build_movie, view_source
from morula.io.movies.zarr_metadata import is_url

_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_ZARR_FILES = ("zarr.json", ".zattrs", ".zgroup", ".zarray")


def open_movie(
    path: str | os.PathLike[str],
    *,
    axes: str | None = None,
    channel: int = 0,
    level: int = 0,
    voxel_size_um: Sequence[float] | None = None,
    frame_interval_s: float | None = None,
    mask: str | os.PathLike[str] | None = None,
) -> Movie:
    """Open a movie lazily.

    Parameters
    ----------
    path
        OME-Zarr image or zarr array (folder, http or https address), TIFF stack, folder of TIFF volumes, or a pattern
        such as ``movie/volume_T*.tif``.
    axes
        Axes in the order of the file, letters of T, C, Z, Y, X; needed where the file does not name them, wins over
        the file where it does.
    channel
        Channel to read, counted from 0.
    level
        Resolution level of an OME-Zarr image, 0 is the finest.
    voxel_size_um
        Size of a voxel in µm, order z, y, x; needed where the file does not tell it, wins over the file.
    frame_interval_s
        Time between frames in seconds; wins over the file. Unknown counts as 1 s.
    mask
        Foreground mask in any of these formats, of the movie's shape or of one frame (then it holds for all frames);
        of an OME-Zarr mask the same level is read.

    Raises
    ------
    MovieError
        If the movie cannot be understood: axes or voxel size missing, damaged metadata, no such level or channel.
    MovieNotFoundError
        If there is nothing at this place, or a file of a series is missing.

    Notes
    -----
    Reading pixels later raises `ChunkError` where they cannot be decoded. Frames of a local zarr movie without a single
    stored chunk are legal (fill value) and give a warning.
    """
    options = MovieOptions(axes, channel, level, voxel_size_um, frame_interval_s)
    source = _open_source(path, options)
    movie = build_movie(source, options)
    if mask is None:
        return movie
    return build_movie(source, options, _open_mask(mask, movie.shape, level))


def _open_source(path: str | os.PathLike[str], options: MovieOptions) -> MovieSource:
    """Open whatever lies at a path; the readers are loaded when first needed."""
    text = os.fspath(path)
    name = text.rstrip("/").rpartition("/")[2] or text
    place = Path(text)
    if _is_zarr(text):
        from morula.io.movies.ome_zarr_read import open_ome_zarr

        return open_ome_zarr(text, options, name)
    if place.is_dir() or (not place.exists() and any(sign in text for sign in "*?[")):
        from morula.io.movies.tiff_series import open_tiff_series

        return open_tiff_series(place, options, name)
    if not place.exists():
        raise _not_found(place)
    if not _is_tiff(place):
        raise MovieError(
            f"{place}: this kind of file is not read.",
            measured=f"it begins with {_first_bytes(place)!r}",
            cause="morula reads OME-Zarr folders and TIFF files",
            fix="convert the movie to OME-Zarr or TIFF, for example with Fiji or bioformats2raw",
        )
    from morula.io.movies.tiff import open_tiff

    return open_tiff(place, options, name)


def _open_mask(path: str | os.PathLike[str], shape: tuple[int, int, int, int], level: int) -> LazyArray:
    """Open a mask of the movie's shape; one frame stands for all."""
    level = level if _is_zarr(os.fspath(path)) else 0
    bare = MovieOptions(level=level)
    source = _open_source(path, bare)
    if not source.axes or not set(source.axes) <= set("TCZYX"):  # unnamed axes of a mask are those of the movie
        guesses = {shape: MOVIE_AXES, shape[1:]: MOVIE_AXES[1:]}
        found = tuple(source.array.shape)
        if found not in guesses:
            raise MovieError(
                f"{source.name}: the mask has shape {found}, the movie {shape}.",
                fix="give a mask of the movie's shape, or of one frame of it",
            )
        bare = MovieOptions(axes=guesses[found], level=level)
    if source.array.dtype.kind not in "biuf":
        raise MovieError(
            f"{source.name}: voxels of type {source.array.dtype} make no mask.",
            fix="give the mask as integers or logical values, zero outside",
        )
    mask = view_source(source, bare)
    if tuple(mask.shape) == (1, *shape[1:]) and shape[0] > 1:
        return StillFrame(mask, shape[0])
    return mask


class StillFrame:
    """One frame that holds for a whole movie.

    Parameters
    ----------
    frame
        Lazy array (1, Z, Y, X).
    n_frames
        Number of frames of the movie.
    """

    def __init__(self, frame: LazyArray, n_frames: int) -> None:
        self.frame, self.n_frames = frame, n_frames

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of t, z, y, x."""
        return self.n_frames, *self.frame.shape[1:]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a voxel."""
        return self.frame.dtype

    def __getitem__(self, box: Box, /) -> npt.NDArray[Any]:
        time, *rest = clip_box(box, self.shape)
        return np.repeat(self.frame[(slice(0, 1), *rest)], time.stop - time.start, axis=0)


def _not_found(place: Path) -> MovieNotFoundError:
    beside = sorted(other.name for other in place.parent.iterdir()) if place.parent.is_dir() else []
    near = difflib.get_close_matches(place.name, beside, n=3)
    return MovieNotFoundError(
        f"{place}: there is no movie here.",
        measured=f"in this folder lie {', '.join(near)}" if near else "",
        cause="a typing error, or a disk that is not connected" if beside else "the folder does not exist either",
        fix="check the path",
    )


def _is_zarr(text: str) -> bool:
    return is_url(text) or any((Path(text) / file).is_file() for file in _ZARR_FILES)


def _is_tiff(place: Path) -> bool:
    return place.suffix.lower() in (".tif", ".tiff", ".btf", ".tf8", ".lsm") or _first_bytes(place) in _TIFF_MAGIC


def _first_bytes(place: Path) -> bytes:
    try:
        with place.open("rb") as file:
            return file.read(4)
    except OSError as error:
        raise MovieError(
            f"{place}: the file cannot be read.", measured=str(error), fix="check that you may read it"
        ) from error
