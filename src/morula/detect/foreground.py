"""Where a frame may hold nuclei at all: a coarse, smoothed look at pixels that are read anyway.

The movie is laid out in cells of about a nucleus' radius, counted from its first voxel, so that every block sees the
same cells. A cell is empty if the image around it, averaged over two cells on each axis, hardly varies. Owns that rule;
what is left out because of it is for others to say.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import maximum_filter, minimum_filter

from morula.core.columns import BoolArray, IntArray

Float32Array = npt.NDArray[np.float32]

_AROUND = 3
"""Cells on each side, so far as their averages are compared."""


@dataclass(frozen=True, slots=True, eq=False)
class Foreground:
    """Cells of a part of one frame.

    Parameters
    ----------
    cell_vox
        Voxels per cell, order z, y, x, shape (3,).
    first
        Number of the first cell, counted from the movie's first voxel, shape (3,).
    holds
        Whether a cell may hold something, shape (z, y, x).
    """

    cell_vox: IntArray
    first: IntArray
    holds: BoolArray

    def at(self, voxel: IntArray) -> BoolArray:
        """Say which voxels of the movie, shape (n, 3), lie in cells that may hold something."""
        z, y, x = (voxel // self.cell_vox - self.first).T
        held: BoolArray = self.holds[z, y, x]
        return held

    def any_within(self, start: IntArray, stop: IntArray) -> bool:
        """Say whether a cell that reaches into this region of the movie may hold something."""
        first, last = start // self.cell_vox - self.first, -(-stop // self.cell_vox) - self.first
        return bool(self.holds[tuple(slice(a, b) for a, b in zip(first, last, strict=True))].any())


def choose_cell_vox(radius_um: float, voxel_size_um: npt.NDArray[np.float64]) -> IntArray:
    """Choose the size of a cell: about the radius of a nucleus, whole voxels, order z, y, x, shape (3,)."""
    return np.maximum(1, np.rint(radius_um / voxel_size_um)).astype(np.int64)


def find_reach_vox(cell_vox: IntArray) -> IntArray:
    """Return how far from a voxel pixels can decide whether its cell is empty, voxels on each side, shape (3,)."""
    return (_AROUND + 1) * cell_vox


def find_foreground(
    intensity: Float32Array, start: IntArray, shape: tuple[int, ...], cell_vox: IntArray, contrast: float
) -> Foreground:
    """Find the cells of a part of a frame that are not empty; right for voxels `find_reach_vox` inside the part.

    Parameters
    ----------
    intensity
        Normalised, linear intensities of the part, shape (z, y, x), inside the movie.
    start
        First voxel of the part, order z, y, x.
    shape
        Voxels of the movie, same order; its last cells may be smaller.
    cell_vox
        From `choose_cell_vox`.
    contrast
        Least difference between the largest and the smallest average around a cell that is not empty.
    """
    stop = start + intensity.shape
    first = -(-start // cell_vox)
    last = np.where(stop >= shape, -(-stop // cell_vox), stop // cell_vox)
    means, counts = intensity.astype(np.float64), np.ones(1)
    for axis in range(3):
        edges = np.arange(first[axis], last[axis]) * cell_vox[axis] - start[axis]
        end = min(int(last[axis] * cell_vox[axis]), shape[axis]) - int(start[axis])
        means = np.add.reduceat(means.take(np.arange(end), axis=axis), edges, axis=axis)
        sizes = np.diff(np.append(edges, end)).reshape([-1 if i == axis else 1 for i in range(3)])
        counts = counts * sizes
    smooth = means / counts
    for axis in range(3):
        after = smooth.take(np.minimum(np.arange(smooth.shape[axis]) + 1, smooth.shape[axis] - 1), axis=axis)
        smooth = 0.5 * (smooth + after)
    size = 2 * _AROUND
    varies = maximum_filter(smooth, size, mode="nearest") - minimum_filter(smooth, size, mode="nearest")
    return Foreground(cell_vox, first, varies >= contrast)
