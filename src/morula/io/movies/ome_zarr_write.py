"""Writing a movie as OME-Zarr, 0.5 (zarr 3) or 0.4 (zarr 2). Owns layout on disk, metadata, and all-or-nothing.

Frames come one at a time and only one is held. Everything is written beside the target and renamed when complete, so a
movie that is there is whole. One resolution level is written. Refused are frames that do not fit the announced shape or
dtype, and a target that exists (unless overwriting is asked for).
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import zarr
from yaozarrs import v04, v05
from zarr.codecs import BloscCodec

from morula.errors import DiskError, MovieError
from morula.io.atomic import exchange_folders, name_temporary, remove_until_gone

_AXES = (("t", "time", "second"), *((axis, "space", "micrometer") for axis in "zyx"))
_CHUNK_ZYX = (32, 128, 128)


@dataclass(frozen=True, slots=True, kw_only=True)
class ZarrLayout:
    """How a movie lies on disk.

    Parameters
    ----------
    version
        OME-Zarr version: ``0.5`` on zarr 3, ``0.4`` on zarr 2 (for older programs).
    chunk_zyx
        Largest chunk in voxels, order z, y, x; a chunk never spans frames. None means 32×128×128, 1 MiB at 16 bit.
    shard
        Whether to put the chunks of a frame into one file (version 0.5 only); kinder to file systems.
    name
        Name stored in the metadata; None means the folder's name.
    """

    version: Literal["0.4", "0.5"] = "0.5"
    chunk_zyx: Sequence[int] | None = None
    shard: bool = False
    name: str | None = None

    def __post_init__(self) -> None:
        if self.version not in ("0.4", "0.5"):
            raise MovieError(f"OME-Zarr version {self.version!r} is not written.", fix="choose 0.5, or 0.4")
        if self.shard and self.version != "0.5":
            raise MovieError("shards need OME-Zarr 0.5.", fix="choose version 0.5, or no shards")
        if self.chunk_zyx is not None and (len(self.chunk_zyx) != 3 or min(self.chunk_zyx) < 1):
            raise MovieError(f"a chunk has three positive sizes z, y, x, not {self.chunk_zyx}.")


def write_ome_zarr(
    path: str | os.PathLike[str],
    frames: Iterable[npt.NDArray[Any]],
    *,
    shape_tzyx: Sequence[int],
    dtype: npt.DTypeLike,
    voxel_size_um: Sequence[float],
    frame_interval_s: float,
    layout: ZarrLayout | None = None,
    overwrite: bool = False,
) -> None:
    """Write a movie frame by frame.

    Parameters
    ----------
    path
        Folder to make, by custom ending in ``.ome.zarr``.
    frames
        Frames in order, each of shape (Z, Y, X) and of `dtype`; taken one at a time.
    shape_tzyx
        Number of frames and voxels.
    dtype
        Type of the voxels: integer or floating point.
    voxel_size_um
        Size of a voxel in µm, order z, y, x.
    frame_interval_s
        Time between frames in seconds.
    layout
        Version, chunks and shards; None means OME-Zarr 0.5, chunks of 1 MiB, no shards.
    overwrite
        Whether to replace what is there, once the new movie is complete.

    Raises
    ------
    MovieError
        If the target exists, or shape, sizes or a frame do not fit; nothing is left behind.
    DiskError
        If the disk is full or cannot be written to; nothing is left behind.
    """
    target, layout = Path(path), layout or ZarrLayout()
    shape = _check_geometry(target, shape_tzyx, np.dtype(dtype), voxel_size_um, frame_interval_s)
    with _disk_errors(target):
        beside = name_temporary(target, ".partial")
    if target.exists() and not overwrite:
        raise MovieError(f"{target}: something is there already.", fix="give another path, or ask to overwrite it")
    attributes = _describe(layout, layout.name or target.name, voxel_size_um, frame_interval_s)
    try:
        with _disk_errors(target):
            beside.mkdir(parents=True)
            array = _create_array(beside, layout, shape, np.dtype(dtype), attributes)
        _write_frames(array, frames, target)
        with _disk_errors(target):
            _put_in_place(beside, target)
    except BaseException:
        remove_until_gone(beside)
        raise


def _check_geometry(
    target: Path, shape_tzyx: Sequence[int], dtype: np.dtype[Any], voxel_size_um: Sequence[float], interval_s: float
) -> tuple[int, ...]:
    shape = tuple(int(size) for size in shape_tzyx)
    sizes = np.array([*voxel_size_um, interval_s], float)
    if len(shape) != 4 or min(shape) < 1 or len(sizes) != 4 or dtype.kind not in "iuf":
        raise MovieError(
            f"{target}: no movie can be written like this.",
            measured=f"shape {shape}, dtype {dtype}, voxel size {list(voxel_size_um)} µm",
            fix="a movie has four axes T,Z,Y,X with at least one voxel each, real voxels, and a size per z, y, x",
        )
    if not (np.isfinite(sizes).all() and (sizes > 0).all()):
        raise MovieError(
            f"{target}: voxel size and frame interval must be positive.",
            measured=f"z, y, x = {list(voxel_size_um)} µm, interval {interval_s} s",
            fix="give the voxel size in µm and the interval in seconds (1 if unknown)",
        )
    return shape


def _describe(layout: ZarrLayout, name: str, voxel_size_um: Sequence[float], interval_s: float) -> dict[str, Any]:
    """Return the attributes of the image group, checked against the specification by yaozarrs."""
    scale = [float(interval_s), *map(float, voxel_size_um)]
    image = {
        "name": name,
        "axes": [{"name": axis, "type": kind, "unit": unit} for axis, kind, unit in _AXES],
        "datasets": [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": scale}]}],
    }
    if layout.version == "0.4":
        old = v04.Image.model_validate({"multiscales": [{"version": "0.4", **image}]})
        return dict(old.model_dump(mode="json", exclude_none=True))
    new = v05.Image.model_validate({"version": "0.5", "multiscales": [image]})
    return {"ome": new.model_dump(mode="json", exclude_none=True)}


def _create_array(
    folder: Path, layout: ZarrLayout, shape: tuple[int, ...], dtype: np.dtype[Any], attributes: dict[str, Any]
) -> zarr.Array:
    chunk = [min(want, size) for want, size in zip(layout.chunk_zyx or _CHUNK_ZYX, shape[1:], strict=True)]
    shard = [-(-size // step) * step for size, step in zip(shape[1:], chunk, strict=True)]
    new = layout.version == "0.5"
    group = zarr.open_group(folder, mode="w", zarr_format=3 if new else 2, attributes=attributes)
    return group.create_array(
        "0",
        shape=shape,
        dtype=dtype,
        chunks=(1, *chunk),
        shards=(1, *shard) if layout.shard else None,
        compressors=_compressor(new),
        dimension_names=[axis for axis, _, _ in _AXES] if new else None,
        chunk_key_encoding={"name": "default" if new else "v2", "separator": "/"},
        fill_value=0,
    )


def _compressor(new: bool) -> BloscCodec | dict[str, Any]:
    """LZ4 on bit planes: noisy frames as small as with zarr's own choice (2.1 to 1), written and read twice as fast."""
    if new:
        return BloscCodec(cname="lz4", clevel=5, shuffle="bitshuffle")
    return {"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 2, "blocksize": 0}


def _write_frames(array: zarr.Array, frames: Iterable[npt.NDArray[Any]], target: Path) -> None:
    n_frames, *frame_shape = array.shape
    written = 0
    for frame in frames:
        if (
            written == n_frames
            or frame.shape != tuple(frame_shape)
            or not np.can_cast(frame.dtype, array.dtype, "safe")
        ):
            raise MovieError(
                f"{target}: frame {written} does not fit the movie.",
                measured=f"frame of shape {frame.shape}, {frame.dtype}; movie {array.shape}, {array.dtype}",
                fix="give as many frames as announced, all of one shape and type",
            )
        with _disk_errors(target):
            array[written] = frame
        written += 1
    if written < n_frames:
        raise MovieError(f"{target}: only {written} of {n_frames} frames came.", fix="give as many frames as announced")


def _put_in_place(beside: Path, target: Path) -> None:
    """Rename the finished folder; what was there is moved aside first and deleted last."""
    if target.is_dir():
        exchange_folders(beside, target)
    else:
        beside.replace(target)


@contextmanager
def _disk_errors(target: Path) -> Iterator[None]:
    """Translate what the operating system says; zarr lets its errors through as they are."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise DiskError(
            f"{target}: {'the disk is full' if full else 'the movie cannot be written'}.",
            measured=str(error),
            cause="no space left, or the quota is used up" if full else "no permission to write, or a failing disk",
            fix="free some space or choose another disk" if full else "check the folder, or choose another one",
        ) from error
