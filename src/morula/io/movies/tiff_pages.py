"""Pixels of one page of a TIFF file. Owns reading only the rows, strips or tiles that a box needs.

Uncompressed rows are read straight from the file (no memory map: a file that shrinks would crash the program, not raise
an error); compressed strips and tiles are decoded one by one. Refused are segments whose claimed size no compression
could explain, and segments that end before their data do.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from morula.core.blocks import Box
from morula.errors import ChunkError

_SMALL_BYTES = 2**28
_LARGEST_RATIO = 40_000
"""Beyond what zstd makes of a constant image (about 32 000 to 1)."""


def read_rows(path: Path, offset: int, shape: tuple[int, ...], dtype: np.dtype[Any], box: Box) -> npt.NDArray[Any]:
    """Read a box of an uncompressed array.

    Parameters
    ----------
    path
        File to read.
    offset
        Byte at which the array begins.
    shape
        Shape of the array.
    dtype
        Type in the file, with its byte order.
    box
        Slices inside `shape`; along the first axis only the wanted part is read.

    Raises
    ------
    ChunkError
        If the file ends before the box does.
    """
    first, *rest = box
    row = math.prod(shape[1:])
    count = (first.stop - first.start) * row
    with path.open("rb") as file:
        file.seek(offset + first.start * row * dtype.itemsize)
        raw = file.read(count * dtype.itemsize)
    if len(raw) < count * dtype.itemsize:
        raise short_file(path, count * dtype.itemsize, len(raw))
    rows = np.frombuffer(raw, dtype).reshape(first.stop - first.start, *shape[1:])
    return rows[(slice(None), *rest)]


def read_segments(path: Path, page: tifffile.TiffPage | tifffile.TiffFrame, box: Box) -> npt.NDArray[Any]:
    """Read a box of a page by decoding the strips or tiles that meet it.

    Parameters
    ----------
    path
        File the page lies in.
    page
        Page as tifffile describes it.
    box
        Slices into the five axes of ``page.keyframe.shaped``: separate samples, depth, length, width, samples.

    Raises
    ------
    ChunkError
        If a segment is missing or cut short. Decoders raise errors of their own.
    """
    key = page.keyframe
    out = np.zeros([s.stop - s.start for s in box], key.dtype)
    if not out.size:
        return out
    with path.open("rb") as file:
        for index in _wanted_segments(key, box):
            offset, count = int(page.dataoffsets[index]), int(page.databytecounts[index])
            if count == 0 or offset == 0:
                continue  # a sparse file leaves out segments of zeros
            file.seek(offset)
            raw = file.read(count)
            if len(raw) < count:
                raise short_file(path, count, len(raw))
            pixels, place, _ = key.decode(raw, index, jpegtables=key.jpegtables)
            if pixels is not None:
                _paste(out, box, pixels, place)
    return out


def check_segment_size(page: tifffile.TiffPage, file_bytes: int) -> str:
    """Return a complaint if a page or one of its segments claims to be larger than its file can explain, or ''."""
    segment = _segment_shape(page)
    if not all(isinstance(size, int | np.integer) and size > 0 for size in (*page.shaped, *segment)):
        return f"a page of shape {page.shape} in segments of {segment}"[:200]
    claimed = max(math.prod(map(int, page.shaped)), math.prod(map(int, segment))) * page.dtype.itemsize
    if claimed > max(_SMALL_BYTES, _LARGEST_RATIO * file_bytes):
        return f"a page of shape {page.shape} in segments of {segment}, {file_bytes} bytes in the file"
    return ""


def short_file(path: Path, wanted: int, got: int) -> ChunkError:
    """Describe a file that ends too early."""
    return ChunkError(
        f"{path}: the file ends before its pixels do.",
        measured=f"{wanted} bytes wanted, {got} left",
        cause="a copy or an export that stopped half-way",
        fix="copy the file again from the original; finished blocks are kept",
    )


def _segment_shape(key: tifffile.TiffPage) -> tuple[int, int, int, int]:
    """Return depth, length, width and samples of one strip or tile."""
    _, _, length, width, samples = key.shaped
    if key.is_tiled:
        return key.tiledepth, key.tilelength, key.tilewidth, samples
    return 1, min(key.rowsperstrip, length), width, samples


def _wanted_segments(key: tifffile.TiffPage, box: Box) -> Iterator[int]:
    depth, length, width, _ = _segment_shape(key)
    counts = [math.ceil(size / step) for size, step in zip(key.shaped[1:4], (depth, length, width), strict=True)]
    planes = range(box[0].start, box[0].stop)
    steps = [range(s.start // n, math.ceil(s.stop / n)) for s, n in zip(box[1:4], (depth, length, width), strict=True)]
    for plane in planes:
        for z in steps[0]:
            for y in steps[1]:
                for x in steps[2]:
                    yield ((plane * counts[0] + z) * counts[1] + y) * counts[2] + x


def _paste(out: npt.NDArray[Any], box: Box, pixels: npt.NDArray[Any], place: tuple[int, int, int, int, int]) -> None:
    """Copy the part of a decoded segment (depth, length, width, samples) that lies in the box."""
    target, source = [], []
    for wanted, start, size in zip(box[1:], place[1:], pixels.shape, strict=True):
        low, high = max(wanted.start, start), min(wanted.stop, start + size)
        target.append(slice(low - wanted.start, max(high, low) - wanted.start))
        source.append(slice(low - start, max(high, low) - start))
    out[(place[0] - box[0].start, *target)] = pixels[tuple(source)]
