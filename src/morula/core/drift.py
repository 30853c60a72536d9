"""Drift of a whole movie: how far the image moved between consecutive frames, where that is certain.

Holds the shifts and how they are applied, in whole voxels, so that a shifted frame is read without interpolation and
cutting into blocks leaves no trace. Estimates nothing (that is `morula.measure.drift`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from morula.core.columns import FloatArray, IntArray, ReadOnlyColumns, column
from morula.errors import MovieError


@dataclass(frozen=True, slots=True, eq=False)
class MovieDrift(ReadOnlyColumns):
    """Shift of the whole image from each frame to the next.

    Parameters
    ----------
    step_vox
        Movement from frame t − 1 to frame t in whole voxels, order z, y, x, shape (frames, 3), int64: what lies at
        voxel v of frame t − 1 lies at ``v + step_vox[t]`` of frame t, but for its own movement. Zeros in row 0, and
        wherever no shift is certain.
    voxel_size_um
        Voxel size in µm, order z, y, x, shape (3,).

    Raises
    ------
    MovieError
        If a shape is wrong, a step is not a whole number, or the first frame has a step.

    Examples
    --------
    >>> jump = MovieDrift.from_um(np.array([[0, 0, 0], [0, 0, 0], [0, 12.3, 0.2]]), np.array([2.0, 0.8, 0.8]))
    >>> jump.step_vox[2].tolist(), jump.step_um[2].tolist()
    ([0, 15, 0], [0.0, 12.0, 0.0])
    """

    step_vox: IntArray
    voxel_size_um: FloatArray

    def __post_init__(self) -> None:
        try:
            step = column(self.step_vox, np.int64, (None, 3), "step_vox")
            size = column(self.voxel_size_um, np.float64, (3,), "voxel_size_um")
        except ValueError as error:
            raise MovieError(f"drift: {error}.", fix="measure it again") from None
        if not len(step) or step[0].any():
            raise MovieError(
                "drift: the first frame has no earlier one to be shifted against.",
                measured=f"{len(step)} frames, first step {step[:1].tolist()} voxels",
                fix="give one row per frame, zeros in the first",
            )
        object.__setattr__(self, "step_vox", step)
        object.__setattr__(self, "voxel_size_um", size)

    @classmethod
    def none(cls, n_frames: int, voxel_size_um: FloatArray) -> MovieDrift:
        """Return no drift."""
        return cls(np.zeros((n_frames, 3), np.int64), voxel_size_um)

    @classmethod
    def from_um(cls, step_um: FloatArray, voxel_size_um: FloatArray) -> MovieDrift:
        """Round shifts in µm, shape (frames, 3), to whole voxels."""
        return cls(np.rint(np.asarray(step_um) / voxel_size_um).astype(np.int64), voxel_size_um)

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return len(self.step_vox)

    @property
    def step_um(self) -> FloatArray:
        """Movement from frame t − 1 to frame t as applied, µm, order z, y, x, shape (frames, 3)."""
        step: FloatArray = self.step_vox * self.voxel_size_um
        return step

    @property
    def shifted_frames(self) -> IntArray:
        """Frames that are shifted against the one before."""
        return np.flatnonzero(self.step_vox.any(axis=1))

    def offset_vox(self, t: int, steps: int) -> IntArray:
        """Return where to look in another frame for what lies in frame `t`.

        Parameters
        ----------
        t
            Frame.
        steps
            Which other frame: −1 for the one before, 0 for itself, 1 for the one after, ...

        Returns
        -------
        array
            Whole voxels to add to a place of frame `t`, order z, y, x, shape (3,). Beyond the movie's ends the
            outermost frame repeats, and so does its offset.
        """
        other = min(max(t + steps, 0), self.n_frames - 1)
        first, last = min(t, other), max(t, other)
        moved: IntArray = self.step_vox[first + 1 : last + 1].sum(axis=0)
        return moved if other >= t else -moved

    def to_plain(self) -> dict[str, list[int]]:
        """Return the steps that are not zero, by frame, as plain values for JSON and fingerprints."""
        return {str(int(t)): self.step_vox[t].tolist() for t in self.shifted_frames}
