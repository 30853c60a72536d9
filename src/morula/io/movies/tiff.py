"""TIFF stacks: one file with all planes of a movie or of a volume. Owns opening them and reading boxes lazily.

What a page is and how planes follow one another is tifffile's knowledge; which bytes are read is ours. Files of
ImageJ and OME-TIFF name their axes and sizes, others need them given. Refused are files whose claimed size the bytes
on the disk cannot explain, and planes that a multi-file OME-TIFF lists but that are not there.
"""

from __future__ import annotations

import logging
import math
import threading
import weakref
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from morula.core.blocks import Box
from morula.errors import ChunkError, MorulaError, MovieError, MovieNotFoundError
from morula.io.movies.axes import clip_box, describe_box
from morula.io.movies.source import MovieOptions, MovieSource
from morula.io.movies.tiff_complaints import TiffComplaints, check_directories
from morula.io.movies.tiff_metadata import read_sizes
from morula.io.movies.tiff_pages import check_segment_size, read_rows, read_segments, short_file

logger = logging.getLogger(__name__)


def open_tiff(path: Path, options: MovieOptions, name: str) -> MovieSource:
    """Open a TIFF stack.

    Parameters
    ----------
    path
        File to read.
    options
        Axes in the order of the file, where it lacks them; a level other than 0 does not exist.
    name
        What messages call the movie.

    Raises
    ------
    MovieError
        If the file is no TIFF, its header is damaged, or its pixels are not all there.
    MovieNotFoundError
        If there is no such file.
    """
    if options.level != 0:
        raise MovieError(
            f"{name}: there is no resolution level {options.level} in a TIFF file.",
            fix="leave out --level, or convert the movie to OME-Zarr with resolution levels",
        )
    stack = TiffStack(path).open()
    if options.axes is not None and len(options.axes.strip()) == len(stack.full_shape) > len(stack.shape):
        stack = TiffStack(path, squeeze=False).open()
    sizes = read_sizes(stack.file)
    return MovieSource(
        array=stack,
        axes=stack.axes,
        name=name,
        voxel_size_um=sizes.voxel_size_um,
        frame_interval_s=sizes.frame_interval_s,
        size_note=sizes.note,
    )


class TiffStack:
    """The first image series of a TIFF file as a lazy array, in the axes of the file.

    Opened when first used, also after it was sent to another process.

    Parameters
    ----------
    path
        File to read.
    squeeze
        Whether to leave out axes of length one, as tifffile does.

    Raises
    ------
    MovieError
        If the file cannot be understood; raised by `open`, or by the first use.
    """

    def __init__(self, path: Path, *, squeeze: bool = True) -> None:
        self.path, self.squeeze = Path(path), squeeze
        self._file: tifffile.TiffFile | None = None
        self._series: tifffile.TiffPageSeries | None = None
        self._lock = threading.RLock()

    def __reduce__(self) -> tuple[object, ...]:
        return _unpickle, (self.path, self.squeeze)

    def open(self) -> TiffStack:
        """Open now, to find out about errors."""
        with self._lock:
            if self._file is None:
                self._file, self._series = _open_series(self.path)
                self._close = weakref.finalize(self, self._file.close)
        return self

    def close(self) -> None:
        """Close the file; it opens again when used."""
        with self._lock:
            if self._file is not None:
                self._close()
                self._file = self._series = None

    @property
    def file(self) -> tifffile.TiffFile:
        """The opened file."""
        return self.open()._file

    @property
    def series(self) -> tifffile.TiffPageSeries:
        """The image series that is read."""
        return self.open()._series

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes, in the order of the file."""
        return tuple(int(size) for size in self.series.get_shape(self.squeeze))

    @property
    def full_shape(self) -> tuple[int, ...]:
        """Lengths of all axes, those of length one included."""
        return tuple(int(size) for size in self.series.get_shape(False))

    @property
    def axes(self) -> str:
        """One letter per axis, as tifffile names them."""
        return str(self.series.get_axes(self.squeeze))

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a voxel, in this machine's byte order."""
        dtype: np.dtype[Any] = np.dtype(self.series.dtype).newbyteorder("=")
        return dtype

    def __getitem__(self, box: Box, /) -> npt.NDArray[Any]:
        box = clip_box(box, self.shape)
        try:
            return self._read(box)
        except MorulaError:
            raise
        except Exception as error:
            raise ChunkError(
                f"{self.path}: {describe_box(box, self.axes)} cannot be read.",
                measured=f"{type(error).__name__}: {error}"[:300],
                cause="damaged pixels, or a compression that is not known here",
                fix="copy the file again from the original, or save it uncompressed; finished blocks are kept",
            ) from error

    def _read(self, box: Box) -> npt.NDArray[Any]:
        """Read page by page: the leading axes count pages, the others lie in one page."""
        split = _split_axes(self.shape, self.series.keyframe.shape)
        leading, inner = self.shape[:split], box[split:]
        out = np.empty([s.stop - s.start for s in box], self.dtype)
        if out.size:
            for place in product(*(range(s.start, s.stop) for s in box[:split])):
                number = int(np.ravel_multi_index(place, leading)) if place else 0
                target = tuple(i - s.start for i, s in zip(place, box[:split], strict=True))
                out[target] = self._read_page(number, self.shape[split:], inner)
        return out

    def _read_page(self, number: int, shape: tuple[int, ...], box: Box) -> npt.NDArray[Any]:
        key = self.series.keyframe
        stored = key.dtype.newbyteorder(key.parent.byteorder)
        start = self.series.dataoffset
        if start is not None:
            return read_rows(self.path, start + number * key.nbytes, shape, stored, box)
        with self._lock:
            page = self.series[number]
        if page is None:
            raise MovieNotFoundError(
                f"{self.path}: plane {number} is listed in the file but stored nowhere.",
                cause="one file of a multi-file OME-TIFF is missing",
                fix="put all files of the set into one folder",
            )
        path = Path(page.parent.filehandle.path)
        if page.is_final:
            return read_rows(path, int(page.dataoffsets[0]), shape, stored, box)
        wanted = iter(s for s, size in zip(box, shape, strict=True) if size > 1)
        five = tuple(next(wanted) if size > 1 else slice(0, 1) for size in key.shaped)
        return read_segments(path, page, five).reshape([s.stop - s.start for s in box])


def _unpickle(path: Path, squeeze: bool) -> TiffStack:
    return TiffStack(path, squeeze=squeeze)


def _open_series(path: Path) -> tuple[tifffile.TiffFile, tifffile.TiffPageSeries]:
    if not path.is_file():
        raise MovieNotFoundError(f"{path}: there is no such file.", fix="check the path")
    file = None
    try:
        check_directories(path)
        with TiffComplaints() as complaints:
            file = tifffile.TiffFile(path)
            series = _check_series(path, file)
        complaints.raise_damage(path)
    except MorulaError:
        _close(file)
        raise
    except Exception as error:
        _close(file)
        raise MovieError(
            f"{path}: this is not a TIFF file that can be read.",
            measured=f"{type(error).__name__}: {error}"[:300],
            cause="a damaged or half-copied header, or another kind of file",
            fix="copy the file again from the original, or export the movie as OME-Zarr or TIFF",
        ) from error
    return file, series


def _close(file: tifffile.TiffFile | None) -> None:
    if file is not None:
        file.close()


def _check_series(path: Path, file: tifffile.TiffFile) -> tifffile.TiffPageSeries:
    """Return the first series after comparing what it claims with the bytes there are."""
    if not file.series:
        raise MovieError(f"{path}: the TIFF file holds no image.", fix="copy the file again from the original")
    series = file.series[0]
    if len(file.series) > 1:
        others = ", ".join(str(other.shape) for other in file.series[1:4])
        logger.warning(
            "%s: %d image series; the first, %s, is read, not %s", path, len(file.series), series.shape, others
        )
    key, file_bytes = series.keyframe, path.stat().st_size
    if key.dtype is None or 0 in key.shaped or series.dtype != key.dtype or series.transform is not None:
        raise MovieError(
            f"{path}: voxels of this kind cannot be read.",
            measured=f"{key.bitspersample} bits, sample format {key.sampleformat}, shape {key.shape}",
            cause="damaged metadata, or a rare pixel format",
            fix="save the movie as 8, 16 or 32 bit TIFF or as OME-Zarr",
        )
    _split_axes(series.shape, key.shape)
    needed = math.prod(series.shape) * key.dtype.itemsize
    if series.dataoffset is not None and series.dataoffset + needed > file_bytes:
        raise short_file(path, series.dataoffset + needed, file_bytes)
    complaint = check_segment_size(key, file_bytes)
    if complaint:
        raise MovieError(
            f"{path}: the file claims more pixels than it can hold.",
            measured=complaint,
            cause="damaged metadata",
            fix="copy the file again from the original",
        )
    return series


def _split_axes(shape: tuple[int, ...], page_shape: tuple[int, ...]) -> int:
    """Return how many leading axes count pages.

    Raises
    ------
    ValueError
        If the pages do not fill the last axes exactly.
    """
    page = math.prod(page_shape)
    inside = [size for size in page_shape if size > 1]
    for split in range(len(shape) + 1):
        if math.prod(shape[split:]) == page and [size for size in shape[split:] if size > 1] == inside:
            return split
    raise ValueError(f"pages of shape {page_shape} do not make an image of shape {shape}")
