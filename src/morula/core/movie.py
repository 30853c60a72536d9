"""A movie: a lazy T,Z,Y,X array with its voxel size. Owns geometry and replicated borders; reads no file itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from morula.core.columns import FloatArray, IntArray, ReadOnlyColumns, column
from morula.core.drift import MovieDrift
from morula.errors import MovieError


class LazyArray(Protocol):
    """What a movie needs from a file: a shape, a dtype and reading of one box at a time."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a voxel."""

    def __getitem__(self, box: tuple[slice, ...], /) -> npt.NDArray[Any]: ...


@dataclass(frozen=True, slots=True, eq=False)
class Movie(ReadOnlyColumns):
    """A lazy movie; voxel i has its centre at i × voxel size.

    Parameters
    ----------
    tzyx
        Lazy array (T, Z, Y, X), one channel, any real dtype.
    voxel_size_um
        Size of a voxel in µm, order z, y, x, shape (3,).
    frame_interval_s
        Time between frames in seconds; 1.0 where unknown.
    mask_tzyx
        Optional lazy foreground mask of the same shape; zero means nothing to see.
    name
        What messages and the report call the movie.
    drift
        How far the image moves as a whole between frames, where that was measured; None counts as not at all. It
        changes what the network is shown, never a position.

    Raises
    ------
    MovieError
        If the array is not four-dimensional or empty, a voxel size or interval is not positive, or the drift is that of
        another movie.
    """

    tzyx: LazyArray
    voxel_size_um: FloatArray
    frame_interval_s: float = 1.0
    mask_tzyx: LazyArray | None = None
    name: str = "movie"
    drift: MovieDrift | None = None

    def __post_init__(self) -> None:
        shape = tuple(self.tzyx.shape)
        if len(shape) != 4 or min(shape) < 1:
            raise MovieError(
                f"{self.name}: a movie has four axes T,Z,Y,X with at least one voxel each, this one has shape {shape}.",
                cause="axes missing in the file, or channels stored as an axis",
                fix="give --axes, for example TZYX or TCZYX with --channel 0",
            )
        try:
            size = column(self.voxel_size_um, np.float64, (3,), "voxel_size_um")
        except ValueError as error:
            raise MovieError(f"{self.name}: {error}.", fix="give --voxel-size-um Z Y X in µm") from None
        if not (size > 0).all():
            raise MovieError(
                f"{self.name}: the voxel size must be positive.",
                measured=f"z, y, x = {size.tolist()} µm",
                cause="the file carries no voxel size, or a zero",
                fix="give --voxel-size-um Z Y X in µm",
            )
        if not self.frame_interval_s > 0:
            raise MovieError(
                f"{self.name}: the frame interval must be positive, not {self.frame_interval_s} s.",
                fix="give --frame-interval-s, or leave it out if unknown",
            )
        if self.mask_tzyx is not None and tuple(self.mask_tzyx.shape) != shape:
            raise MovieError(
                f"{self.name}: the mask has shape {tuple(self.mask_tzyx.shape)}, the movie {shape}.",
                fix="give a mask of the movie's shape and level",
            )
        if self.drift is not None and (self.drift.n_frames != shape[0] or (self.drift.voxel_size_um != size).any()):
            raise MovieError(
                f"{self.name}: this drift was measured on another movie.",
                measured=f"{self.drift.n_frames} frames of {self.drift.voxel_size_um.tolist()} µm voxels there, "
                f"{shape[0]} of {size.tolist()} µm here",
                fix="measure it again",
            )
        object.__setattr__(self, "voxel_size_um", size)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Number of frames and voxels, order t, z, y, x."""
        frames, depth, height, width = self.tzyx.shape
        return int(frames), int(depth), int(height), int(width)

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return self.shape[0]

    @property
    def extent_um(self) -> FloatArray:
        """Centre of the last voxel in µm, order z, y, x, shape (3,): the largest position inside the movie."""
        last: FloatArray = (np.array(self.shape[1:]) - 1) * self.voxel_size_um
        return last

    def offset_vox(self, t: int, steps: int) -> IntArray:
        """Return where to look, in whole voxels, `steps` frames away for what lies in frame `t`, shape (3,)."""
        return np.zeros(3, np.int64) if self.drift is None else self.drift.offset_vox(t, steps)

    def drift_um(self, t: int) -> FloatArray:
        """Return how far the image moves from frame t − 1 to `t`, µm, shape (3,); zero where that is not known."""
        return np.zeros(3) if self.drift is None else self.drift.step_um[t]

    def frame(self, t: int) -> npt.NDArray[Any]:
        """Read one whole frame, shape (Z, Y, X), in the movie's own dtype."""
        pixels: npt.NDArray[Any] = np.asarray(self.tzyx[t : t + 1, :, :, :])[0]
        return pixels

    def read(self, start: tuple[int, ...], stop: tuple[int, ...]) -> npt.NDArray[np.float32]:
        """Read a box, replicating the outermost frames and voxels where it reaches beyond the movie.

        Parameters
        ----------
        start, stop
            First and one-past-last index, order t, z, y, x; both may lie outside the movie.

        Returns
        -------
        array
            float32, shape ``stop - start``.
        """
        return read_replicated(self.tzyx, start, stop)


def read_replicated(array: LazyArray, start: tuple[int, ...], stop: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Read the box [start, stop) of a lazy array as float32; beyond its edges the outermost values repeat."""
    inner = tuple(
        slice(min(max(a, 0), size - 1), max(min(b, size), 1))
        for a, b, size in zip(start, stop, array.shape, strict=True)
    )
    box = np.asarray(array[inner]).astype(np.float32)
    for axis, (a, b, s) in enumerate(zip(start, stop, inner, strict=True)):
        if (a, b) != (s.start, s.stop):
            box = box.take(np.clip(np.arange(a, b), s.start, s.stop - 1) - s.start, axis=axis)
    return box
