"""A TIFF series: one file per frame, all of one shape. Owns finding the files and their order.

The frame is the one number in the file names that changes, compared as a number (T2 comes before T10). Refused are
names that do not follow one pattern, several changing numbers, a missing number, and files of differing shapes.
"""

from __future__ import annotations

import glob
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from morula.core.blocks import Box
from morula.errors import MovieError, MovieNotFoundError
from morula.io.movies.axes import clip_box
from morula.io.movies.source import MovieOptions, MovieSource
from morula.io.movies.tiff import TiffStack, open_tiff

TIFF_SUFFIXES = (".tif", ".tiff", ".btf", ".tf8")
_NUMBER = re.compile(r"\d+")


def open_tiff_series(pattern: Path, options: MovieOptions, name: str) -> MovieSource:
    """Open a series of TIFF volumes.

    Parameters
    ----------
    pattern
        Folder whose TIFF files are the frames, or a pattern such as ``folder/volume--T*.tif``.
    options
        Axes of one file (a leading T, for the files themselves, may be written or left out).
    name
        What messages call the movie.

    Raises
    ------
    MovieError
        If names or shapes do not make a series.
    MovieNotFoundError
        If no file matches, or one in between is missing; the message names it.
    """
    paths = sort_series(find_series(pattern))
    inner = options.axes.strip().upper().removeprefix("T") if options.axes else None
    first = open_tiff(paths[0], MovieOptions(axes=inner, level=options.level), name)
    axes = inner or first.axes
    if inner is None and len(axes) == 3 and axes[0] in "QI" and axes[1:] == "YX":
        axes = "ZYX"  # a file of the series is one volume, so its planes can only follow one another in z
    if "T" in axes:
        raise MovieError(
            f"{paths[0]}: each file of a series is one frame, this one has a time axis of its own.",
            measured=f"axes {axes}, shape {first.array.shape}",
            cause="a volume saved with its planes as time points, or whole movies in a folder",
            fix="give --axes ZYX if its planes are z, or the path of one movie",
        )
    return MovieSource(
        array=TiffSeries(paths, first.array.shape, first.array.dtype).check(),
        axes="T" + axes,
        name=name,
        voxel_size_um=first.voxel_size_um,
        frame_interval_s=first.frame_interval_s,
        size_note=first.size_note,
    )


class TiffSeries:
    """TIFF volumes stacked along a first axis; a file is open only while it is read.

    Parameters
    ----------
    paths
        Files in the order of time.
    shape, dtype
        What each of them holds.
    """

    def __init__(self, paths: Sequence[Path], shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.paths, self._frame_shape, self.dtype = list(paths), tuple(shape), dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of files, then the shape of one."""
        return len(self.paths), *self._frame_shape

    def check(self) -> TiffSeries:
        """Open every file once (its header only) and compare shapes; a few milliseconds per file."""
        for path in self.paths[1:]:
            self._open(path).close()
        return self

    def __getitem__(self, box: Box, /) -> npt.NDArray[Any]:
        box = clip_box(box, self.shape)
        out = np.empty([s.stop - s.start for s in box], self.dtype)
        for place, t in enumerate(range(box[0].start, box[0].stop)):
            stack = self._open(self.paths[t])
            out[place] = stack[box[1:]]
            stack.close()
        return out

    def _open(self, path: Path) -> TiffStack:
        found = ""
        for squeeze in (True, False):
            stack = TiffStack(path, squeeze=squeeze).open()
            if stack.shape == self._frame_shape and stack.dtype == self.dtype:
                return stack
            found = f"shape {stack.shape}, {stack.dtype}" if squeeze else found
            stack.close()
        raise MovieError(
            f"{path}: this file does not fit the series.",
            measured=f"{found}; the first file has shape {self._frame_shape}, {self.dtype}",
            cause="files of another channel, position or crop in the folder, or an export that stopped half-way",
            fix="give a pattern that matches the files of one movie only, or export this frame again",
        )


def find_series(pattern: Path) -> list[Path]:
    """List the TIFF files of a folder, or those that match a pattern.

    Raises
    ------
    MovieNotFoundError
        If there are none.
    """
    if pattern.is_dir():
        paths = [path for path in pattern.iterdir() if path.suffix.lower() in TIFF_SUFFIXES and path.is_file()]
    else:
        paths = [Path(path) for path in glob.glob(str(pattern)) if Path(path).is_file()]  # noqa: PTH207 - absolute patterns
    paths = [path for path in paths if not path.name.startswith(".")]
    if not paths:
        inside = ", ".join(sorted(path.name for path in pattern.iterdir())[:5]) if pattern.is_dir() else ""
        raise MovieNotFoundError(
            f"{pattern}: {'no movie in this folder' if pattern.is_dir() else 'no TIFF file matches'}.",
            measured=f"neither zarr metadata nor TIFF files; it holds {inside}" if inside else "",
            cause="the path ends one folder above or below the movie" if pattern.is_dir() else "",
            fix="give an OME-Zarr image, a TIFF file, or a pattern such as 'movie/volume_T*.tif' (in quotes)",
        )
    return paths


def sort_series(paths: Sequence[Path]) -> list[Path]:
    """Sort the files of a series by the number that changes in their names.

    Raises
    ------
    MovieError
        If the names do not follow one pattern, or more than one number changes.
    MovieNotFoundError
        If a number in between is missing.

    Examples
    --------
    >>> [path.name for path in sort_series([Path("C0-T10.tif"), Path("C0-T9.tif")])]
    ['C0-T9.tif', 'C0-T10.tif']
    """
    by_pattern: dict[str, list[Path]] = {}
    for path in sorted(paths):
        by_pattern.setdefault(_NUMBER.sub("#", path.name), []).append(path)
    if len(by_pattern) > 1:
        odd = min(by_pattern.values(), key=len)
        raise MovieError(
            f"{paths[0].parent}: {len(paths)} TIFF files whose names do not follow one pattern.",
            measured=", ".join(f"{len(files)} like {files[0].name}" for files in list(by_pattern.values())[:4]),
            cause="files of several movies, or masks and projections beside the volumes",
            fix=f"move {odd[0].name} away, or give a pattern such as 'folder/volume_T*.tif' (in quotes)",
        )
    if len(paths) == 1:
        return list(paths)
    numbers = [[int(number) for number in _NUMBER.findall(path.name)] for path in paths]
    changing = [place for place, column in enumerate(zip(*numbers, strict=True)) if len(set(column)) > 1]
    if len(changing) != 1:
        raise MovieError(
            f"{paths[0].parent}: {len(changing)} numbers change in the names of the files, which one is time?",
            measured=f"for example {paths[0].name} and {paths[-1].name}",
            cause="several channels or views beside one another" if changing else "the same number written in two ways",
            fix="give a pattern in which only the time changes, such as 'folder/C00_T*.tif' (in quotes)",
        )
    frames = [row[changing[0]] for row in numbers]
    order = sorted(range(len(paths)), key=frames.__getitem__)
    _check_gaps([paths[i] for i in order], [frames[i] for i in order], changing[0])
    return [paths[i] for i in order]


def _check_gaps(paths: Sequence[Path], frames: Sequence[int], place: int) -> None:
    """Check that sorted frame numbers follow one another, else name the first file that is missing or double."""
    for path, frame, following in zip(paths, frames, frames[1:], strict=False):
        if following == frame:
            raise MovieError(f"{path}: two files have the number {frame}.", fix="keep one of them")
        if following > frame + 1:
            match = list(_NUMBER.finditer(path.name))[place]
            missing = path.name[: match.start()] + f"{frame + 1:0{len(match[0])}d}" + path.name[match.end() :]
            raise MovieNotFoundError(
                f"{path.parent / missing}: this file of the series is missing.",
                measured=f"numbers {frames[0]} to {frames[-1]}, {len(frames)} files; after {frame} comes {following}",
                cause="an export or a copy that left out a time point",
                fix="bring the file back, or number the files without a gap",
            )
