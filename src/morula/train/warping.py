"""Pixels of a crop, sampled through a warp. Knows no labels.

Crops that are only mirrored, transposed and shifted by whole voxels are cut out of the frame. The others are
interpolated: where each voxel comes from is a plane plus waves, and a wave over a regular grid is a product of one
factor along z and y with one along x, so that the whole grid is a small matrix product.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from morula.core.columns import FloatArray, IntArray
from morula.core.movie import Movie
from morula.train.augment import Warp
from morula.train.grids import Geometry

Float32Array = npt.NDArray[np.float32]
_ON_A_VOXEL = 1e-6


class BoxReader(Protocol):
    """Reads boxes of one movie, as `morula.train.sampling.FrameReader` does."""

    movie: Movie

    def read(self, t: int, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
        """Read a box of frame `t`, replicated beyond the edges, float32 (z, y, x)."""


def sample_warped(reader: BoxReader, t: int, warp: Warp, geometry: Geometry) -> Float32Array:
    """Sample the frames around t through a warp, shape (frames, *geometry.inputs.shape), float32.

    Linear interpolation; whole voxels are taken as they are where the warp lays voxels on voxels.
    """
    first = t - warp.n_frames // 2
    starts = _whole_voxels(warp, geometry.inputs.shape, reader.movie.voxel_size_um)
    if starts is not None:
        return np.stack([_cut_out(reader, first + i, start, warp, geometry) for i, start in enumerate(starts)])
    return interpolate_crop(reader, first, warp, geometry)


def _whole_voxels(warp: Warp, crop_vox: tuple[int, int, int], voxel_um: FloatArray) -> IntArray | None:
    """Lowest movie voxel of the crop in each frame, shape (frames, 3), or None if it does not lie on voxels."""
    if not warp.is_exact:
        return None
    source = np.abs(warp.matrix).argmax(axis=1)  # the crop axis that each axis of the movie follows
    half = (np.array(crop_vox)[source] - 1) / 2
    start = (warp.centre_um + warp.shift_um) / voxel_um - half
    same_size = np.allclose(voxel_um[source], voxel_um)
    whole = np.rint(start).astype(np.int64)
    return whole if same_size and np.abs(start - whole).max() < _ON_A_VOXEL else None


def _cut_out(reader: BoxReader, t: int, start: IntArray, warp: Warp, geometry: Geometry) -> Float32Array:
    source = np.abs(warp.matrix).argmax(axis=1)
    mirrored = warp.matrix.sum(axis=1) < 0
    box = reader.read(t, start, start + np.array(geometry.inputs.shape)[source])
    crop: Float32Array = box[tuple(slice(None, None, -1 if m else 1) for m in mirrored)].transpose(np.argsort(source))
    return crop


def interpolate_crop(reader: BoxReader, first: int, warp: Warp, geometry: Geometry) -> Float32Array:
    """Sample a crop by linear interpolation whatever the warp; `first` is its first frame.

    Returns
    -------
    array
        Shape (frames, *geometry.inputs.shape), float32.
    """
    voxel = reader.movie.voxel_size_um
    middle = map_grid(warp, geometry.inputs.axes) / voxel[:, None, None, None]
    lowest, highest = middle.min(axis=(1, 2, 3)), middle.max(axis=(1, 2, 3))
    corner = np.floor(lowest)
    near = (middle - corner[:, None, None, None]).astype(np.float32)
    where = np.empty((*near.shape[1:], 3), np.float32)
    frames = []
    for i, shift_um in enumerate(warp.shift_um):
        shift = shift_um / voxel
        start = np.floor(lowest + shift).astype(int)
        stop = np.ceil(highest + shift).astype(int) + 2
        box = torch.from_numpy(np.ascontiguousarray(reader.read(first + i, start, stop)))[None, None]
        for axis in range(3):  # the grid is asked for in the order x, y, z, from −1 to 1
            step = 2.0 / (box.shape[2 + axis] - 1)
            offset = (corner[axis] + shift[axis] - start[axis]) * step - 1.0
            np.multiply(near[axis], np.float32(step), out=where[..., 2 - axis])
            where[..., 2 - axis] += np.float32(offset)
        crop = functional.grid_sample(box, torch.from_numpy(where)[None], align_corners=True, padding_mode="border")
        frames.append(crop[0, 0].numpy())
    return np.stack(frames)


def map_grid(warp: Warp, axes_um: tuple[np.ndarray, np.ndarray, np.ndarray]) -> FloatArray:
    """Movie positions of all points of a regular grid before the shift of any frame: `Warp.to_movie`, fast.

    Parameters
    ----------
    warp
        The map.
    axes_um
        Coordinates along z, y and x.

    Returns
    -------
    array
        Positions in µm, shape (3, z, y, x).
    """
    z, y, x = (np.asarray(axis, np.float64) for axis in axes_um)
    plane = np.stack(np.meshgrid(z, y, indexing="ij"), axis=-1).reshape(-1, 2)
    flat = plane @ warp.matrix[:, :2].T + warp.centre_um  # (zy, 3)
    slow = plane @ warp.wave_vectors[:, :2].T + warp.wave_phases  # (zy, waves)
    fast = np.multiply.outer(warp.wave_vectors[:, 2], x)  # (waves, x)
    ones = np.ones((1, len(x)))
    right = np.concatenate([np.sin(fast), np.cos(fast), ones, x[None]])  # sin(a + b) = cos a sin b + sin a cos b
    waves = np.concatenate([np.cos(slow), np.sin(slow)], axis=1)
    height = np.concatenate([warp.wave_um, warp.wave_um])
    positions = []
    for axis in range(3):
        slope = np.full((len(plane), 1), warp.matrix[axis, 2])
        left = np.concatenate([waves * height[:, axis], flat[:, axis : axis + 1], slope], axis=1)
        positions.append((left @ right).reshape(len(z), len(y), len(x)))
    return np.stack(positions)
