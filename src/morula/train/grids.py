"""The grids of a training crop, centred at zero, in µm: what the network is shown, and where it answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from morula.core.columns import FloatArray
from morula.core.movie import Movie
from morula.network.spec import NetworkSpec

Float32Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """A regular grid: coordinates of its voxels along z, y and x, µm, ascending, float32."""

    axes: tuple[Float32Array, Float32Array, Float32Array]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along each axis."""
        z, y, x = (len(axis) for axis in self.axes)
        return z, y, x

    @property
    def reach_um(self) -> FloatArray:
        """Largest coordinate along each axis, shape (3,)."""
        return np.array([np.abs(axis).max() for axis in self.axes], np.float64)

    def points_um(self) -> Float32Array:
        """Position of every voxel, shape (z, y, x, 3)."""
        return np.stack(np.meshgrid(*self.axes, indexing="ij"), axis=-1)

    def every(self, step: tuple[int, int, int]) -> Grid:
        """Return the coarser grid of the centres of `step` voxels each."""
        z, y, x = (axis.reshape(-1, n).mean(axis=1) for axis, n in zip(self.axes, step, strict=True))
        return Grid((z, y, x))


@dataclass(frozen=True, slots=True, eq=False)
class Geometry:
    """Grids of a crop.

    Parameters
    ----------
    crop_vox
        Input voxels for which the network answers, a multiple of the strides, order z, y, x.
    inputs
        What the network is shown: more than that, if it does not pad.
    outputs, vectors
        Where it says the indicator, and where movement and events.
    """

    crop_vox: tuple[int, int, int]
    inputs: Grid
    outputs: Grid
    vectors: Grid

    @classmethod
    def of(cls, movie: Movie, spec: NetworkSpec, crop_outputs: tuple[int, int, int]) -> Geometry:
        """Lay out a crop of about this many voxels of the vectors' grid; no larger than the movie needs."""
        total = np.array(spec.total_stride)
        wanted = np.minimum(np.array(crop_outputs) * spec.vector_stride, movie.shape[1:])
        vox = -(-wanted // total) * total
        answered = _lay_out(vox, movie.voxel_size_um)
        z, y, x = (int(n) for n in vox)
        return cls(
            crop_vox=(z, y, x),
            inputs=_lay_out(vox + 2 * np.array(spec.trim_vox), movie.voxel_size_um),
            outputs=answered.every(spec.output_stride),
            vectors=answered.every(spec.vector_stride),
        )


def _lay_out(size: np.ndarray, voxel_um: np.ndarray) -> Grid:
    z, y, x = (((np.arange(n) - (n - 1) / 2) * step).astype(np.float32) for n, step in zip(size, voxel_um, strict=True))
    return Grid((z, y, x))
