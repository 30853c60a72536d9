"""Local maxima of a volume: strict, in an ellipsoidal window in µm, one voxel per plateau, the same for any tiling.

Owns the definition of a peak and its sub-voxel refinement. Knows nothing of frames, networks or blocks: the caller
reads a halo of the window plus one voxel and keeps the peaks of its own write region.

A voxel beats another if its value is larger, or equal and its (z, y, x) index comes first; a peak is a voxel that is
above the threshold and beats every other voxel of its window. Being a total order on global indices, this leaves
exactly one peak on a plateau that fits the window, and the answer does not depend on where the volume was cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from morula.core.columns import BoolArray, FloatArray, IntArray, ReadOnlyColumns, column
from morula.errors import ConfigError

Float32Array = npt.NDArray[np.float32]

_SLAB_VOXELS = 1 << 18
"""Voxels looked at together in the first pass: their comparisons stay in the processor's cache."""

_PAIRS_AT_ONCE = 1 << 18
"""Candidate–neighbour pairs compared together in the second pass: a few megabytes."""


@dataclass(frozen=True, slots=True, eq=False)
class Peaks(ReadOnlyColumns):
    """Local maxima of a volume, sorted by voxel index (z, then y, then x).

    Parameters
    ----------
    voxel
        Index of the largest voxel in the whole movie (local index plus origin), order z, y, x, shape (n, 3), int64.
    refined_vox
        Position of the maximum between voxels, same frame of reference, within half a voxel, shape (n, 3), float64.
    value
        Value at the voxel, shape (n,), float32.
    """

    voxel: IntArray
    refined_vox: FloatArray
    value: Float32Array

    def __post_init__(self) -> None:
        n = len(self.value)
        object.__setattr__(self, "voxel", column(self.voxel, np.int64, (n, 3), "voxel"))
        object.__setattr__(self, "refined_vox", column(self.refined_vox, np.float64, (n, 3), "refined_vox"))
        object.__setattr__(self, "value", column(self.value, np.float32, (n,), "value"))

    @property
    def n(self) -> int:
        """Number of peaks."""
        return len(self.value)

    def rows(self, keep: BoolArray) -> Peaks:
        """Return the peaks where `keep` is true."""
        return Peaks(voxel=self.voxel[keep], refined_vox=self.refined_vox[keep], value=self.value[keep])


def find_peaks(
    volume_zyx: npt.NDArray[np.generic],
    *,
    window_um: float | Sequence[float] | FloatArray,
    voxel_size_um: Sequence[float] | FloatArray,
    threshold: float,
    origin_vox: Sequence[int] = (0, 0, 0),
) -> Peaks:
    """Find the voxels that beat every other voxel within an ellipsoid around them.

    Parameters
    ----------
    volume_zyx
        Values, shape (Z, Y, X), compared as float32. Voxels beyond its edges do not count; NaN is never a peak and
        never beats one.
    window_um
        Semi-axes of the ellipsoid in µm, order z, y, x, or one radius. An axis shorter than a voxel compares nothing.
    voxel_size_um
        Voxel size in µm, order z, y, x.
    threshold
        Only values above it are peaks.
    origin_vox
        Index of the volume's first voxel in the movie, added to all positions.

    Returns
    -------
    Peaks
        Sorted by voxel index.

    Raises
    ------
    ConfigError
        If the volume is not three-dimensional, or a window or voxel size is not positive.

    Notes
    -----
    A first pass keeps the voxels that beat their six direct neighbours (about 3 ns per voxel); only those are compared
    with the whole window, nearest voxels first, and leave at the first defeat.

    Examples
    --------
    >>> volume = np.zeros((1, 1, 5), np.float32)
    >>> volume[0, 0, 1:4] = 2, 2, 1
    >>> find_peaks(volume, window_um=2.0, voxel_size_um=(1, 1, 1), threshold=0.5).voxel.tolist()
    [[0, 0, 1]]
    """
    volume = np.ascontiguousarray(volume_zyx, dtype=np.float32)
    if volume.ndim != 3:
        raise ConfigError(f"peaks are sought in a volume with axes z, y, x, not in an array of shape {volume.shape}.")
    offsets = window_offsets(window_um, voxel_size_um)
    reach = tuple(bool((np.abs(offsets[:, axis]) == 1).any()) for axis in range(3))
    flat = _beat_neighbours(volume, threshold, reach)
    flat = _beat_window(volume, flat, offsets)
    local = np.stack(np.unravel_index(flat, volume.shape), axis=1).astype(np.int64)
    voxel = local + np.asarray(origin_vox, np.int64)
    return Peaks(
        voxel=voxel,
        refined_vox=voxel + refine_peaks(volume, local),
        value=volume.ravel()[flat],
    )


def window_offsets(
    window_um: float | Sequence[float] | FloatArray, voxel_size_um: Sequence[float] | FloatArray
) -> IntArray:
    """List the voxel offsets inside an ellipsoid, nearest first, the centre left out; shape (k, 3), order z, y, x.

    Raises
    ------
    ConfigError
        If a semi-axis or voxel size is not positive and finite.
    """
    voxel = np.broadcast_to(np.asarray(voxel_size_um, np.float64), 3)
    semi_axes = np.broadcast_to(np.asarray(window_um, np.float64), 3) / voxel
    if not (np.isfinite(semi_axes).all() and (semi_axes > 0).all() and (voxel > 0).all()):
        raise ConfigError(
            f"a peak window of {window_um} µm cannot be laid on voxels of {voxel.tolist()} µm.",
            fix="give positive lengths in µm",
        )
    extent = np.floor(semi_axes + 1e-9).astype(np.int64)
    grid = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in extent), indexing="ij"), axis=-1).reshape(-1, 3)
    inside = (((grid / semi_axes) ** 2).sum(axis=1) <= 1 + 1e-9) & grid.any(axis=1)
    offsets: IntArray = grid[inside].astype(np.int64)
    distance = ((offsets * voxel) ** 2).sum(axis=1)
    return offsets[np.argsort(distance, kind="stable")]


def refine_peaks(volume: Float32Array, voxel: IntArray) -> FloatArray:
    """Return the offset of a parabola's top from each voxel, per axis, shape (n, 3), between −0.5 and 0.5 voxels.

    Zero where the neighbours of an axis do not both exist, are flat or higher than the voxel, or are not finite.
    """
    offset = np.zeros(voxel.shape)
    top = volume[tuple(voxel.T)].astype(np.float64)
    for axis in range(3):
        inner = np.flatnonzero((voxel[:, axis] > 0) & (voxel[:, axis] < volume.shape[axis] - 1))
        step = np.eye(3, dtype=np.int64)[axis]
        before = volume[tuple((voxel[inner] - step).T)].astype(np.float64)
        after = volume[tuple((voxel[inner] + step).T)].astype(np.float64)
        centre = top[inner]
        curved = np.isfinite(before) & np.isfinite(after) & (before <= centre) & (after <= centre)
        curved &= before + after < 2 * centre
        before, after, centre = before[curved], after[curved], centre[curved]
        offset[inner[curved], axis] = 0.5 * (after - before) / (2 * centre - before - after)
    return np.clip(offset, -0.5, 0.5)


def _beat_neighbours(volume: Float32Array, threshold: float, reach: tuple[bool, ...]) -> IntArray:
    """Flat indices of the voxels above the threshold that beat their direct neighbours along the axes in `reach`.

    Comparisons are negated so that a NaN neighbour, which compares false with everything, beats nobody.
    """
    depth, plane = volume.shape[0], volume.shape[1] * volume.shape[2]
    step = max(1, _SLAB_VOXELS // max(plane, 1))
    kept = [np.zeros(0, np.int64)]
    for start in range(0, depth, step):
        stop = min(start + step, depth)
        slab = volume[start:stop]
        mask = slab > threshold
        if not mask.any():
            continue
        if reach[2]:
            mask[:, :, 1:] &= ~(slab[:, :, 1:] <= slab[:, :, :-1])
            mask[:, :, :-1] &= ~(slab[:, :, :-1] < slab[:, :, 1:])
        if reach[1]:
            mask[:, 1:] &= ~(slab[:, 1:] <= slab[:, :-1])
            mask[:, :-1] &= ~(slab[:, :-1] < slab[:, 1:])
        if reach[0]:
            above, below = max(start, 1), min(stop, depth - 1)
            mask[above - start :] &= ~(volume[above:stop] <= volume[above - 1 : stop - 1])
            mask[: below - start] &= ~(volume[start:below] < volume[start + 1 : below + 1])
        kept.append(np.flatnonzero(mask) + start * plane)
    return np.concatenate(kept)


def _beat_window(volume: Float32Array, flat: IntArray, offsets: IntArray) -> IntArray:
    """Keep the candidates that no voxel at `offsets` beats; the work per step grows as the candidates get fewer."""
    values, shape = volume.ravel(), volume.shape
    first = 0
    while first < len(offsets) and len(flat):
        last = first + max(1, min(first, _PAIRS_AT_ONCE // len(flat)))
        batch = offsets[first:last]
        parts = np.array_split(flat, max(1, len(flat) // _PAIRS_AT_ONCE))
        flat = np.concatenate([part[_unbeaten(values, shape, part, batch)] for part in parts])
        first = last
    return flat


def _unbeaten(values: Float32Array, shape: tuple[int, ...], flat: IntArray, offsets: IntArray) -> BoolArray:
    """Say which candidates no voxel at `offsets` beats.

    Indices are clipped at the volume's edge: a clipped neighbour lies nearer on every axis, thus also in the window (or
    is the candidate itself, which does not beat itself).
    """
    other = np.zeros((len(flat), len(offsets)), np.int64)
    for index, shift, size in zip(np.unravel_index(flat, shape), offsets.T, shape, strict=True):
        other *= size
        other += np.clip(index[:, None] + shift, 0, size - 1)
    here, there = values[flat][:, None], values[other]
    beaten = (there > here) | ((there == here) & (other < flat[:, None]))
    unbeaten: BoolArray = ~beaten.any(axis=1)
    return unbeaten
