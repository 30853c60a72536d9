"""The size of nuclei along each axis: half-widths of intensity profiles through given centres.

Owns one measurement. It is not misled by close neighbours, as a profile ends at the valley before them, nor by the
texture of a nucleus, as it is averaged across over a part of the blob scale.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from morula.core.columns import FloatArray
from morula.peaks.blobs import finite_frame

_STEPS_PER_SIGMA = 8
_REACH_SIGMAS = 6.0
"""A ball of radius R has its best scale at R / 1.73: profiles reach three and a half radii."""

_ACROSS_SIGMAS = 0.35
"""Width of the Gaussian bundle of rays that is averaged: it widens a Gaussian blob's profile by four percent."""

_VALLEY_RISE = 0.3
"""A profile that climbs again by this share of the depth reached so far has left its nucleus."""

_LEAST_DEPTH = 0.3
"""A profile must fall by this share of the object's contrast before a climb counts, or texture would end it."""


def measure_radii(
    frame_zyx: npt.NDArray[np.generic],
    points_um: FloatArray,
    voxel_size_um: Sequence[float] | FloatArray,
    *,
    sigma_um: float,
) -> FloatArray:
    """Measure the half-width of the bright object at each point along z, y and x.

    Parameters
    ----------
    frame_zyx
        Intensities, shape (Z, Y, X).
    points_um
        Centres in µm from the frame's first voxel, order z, y, x, shape (n, 3).
    voxel_size_um
        Voxel size in µm, order z, y, x.
    sigma_um
        Blob scale in µm (`morula.peaks.scale.fit_blob_scale`); profiles reach six times as far.

    Returns
    -------
    array
        Half width at half height in µm, order z, y, x, shape (n, 3): 1.18 sigma for a Gaussian blob, the radius for a
        ball. NaN along an axis where the intensity does not fall to half within the frame, as where a nucleus spans
        all planes.

    Notes
    -----
    From the centre outwards in both directions; half height is midway between the largest value near the centre and
    the lowest one before the profile climbs again. The two directions are averaged, so a click beside the centre does
    not matter.
    """
    voxel = np.asarray(voxel_size_um, np.float64)
    frame = finite_frame(frame_zyx)
    radii = np.full((len(points_um), 3), np.nan)
    for row, point in enumerate(np.asarray(points_um, np.float64).reshape(-1, 3)):
        radii[row] = _measure_point(frame, point, voxel, sigma_um)
    return radii


def _measure_point(frame: npt.NDArray[np.float32], point: FloatArray, voxel: FloatArray, sigma_um: float) -> FloatArray:
    rays = [[_sample_ray(frame, point, axis, sign, voxel, sigma_um) for sign in (-1, 1)] for axis in range(3)]
    sides = [side for pair in rays for side in pair]
    near = _STEPS_PER_SIGMA // 2 + 1
    top = max(float(side[:near].max()) for side in sides)
    lowest = min(float(side.min()) for side in sides)
    radii = np.full(3, np.nan)
    for axis, pair in enumerate(rays):
        steps = [_find_half_height(side, top, lowest) for side in pair]
        found = [step for step in steps if np.isfinite(step)]
        if found:
            radii[axis] = np.mean(found) * sigma_um / _STEPS_PER_SIGMA
    return radii


def _sample_ray(
    frame: npt.NDArray[np.float32], point: FloatArray, axis: int, sign: int, voxel: FloatArray, sigma_um: float
) -> FloatArray:
    """Intensities from the point outwards to the reach or the frame's face, averaged over a bundle of parallel rays."""
    step_um = sigma_um / _STEPS_PER_SIGMA
    to_face = point[axis] if sign < 0 else (frame.shape[axis] - 1) * voxel[axis] - point[axis]
    steps = int(np.clip(to_face / step_um, 0, _REACH_SIGMAS * _STEPS_PER_SIGMA)) + 1
    grid = np.linspace(-2, 2, 7)
    first, second = (a for a in range(3) if a != axis)
    bundle = np.zeros((grid.size**2, 1, 3))
    bundle[:, 0, first] = np.repeat(grid, grid.size) * _ACROSS_SIGMAS * sigma_um
    bundle[:, 0, second] = np.tile(grid, grid.size) * _ACROSS_SIGMAS * sigma_um
    place = point + bundle + np.zeros((1, steps, 3))
    place[:, :, axis] += sign * step_um * np.arange(steps)
    samples = ndimage.map_coordinates(frame, (place / voxel).reshape(-1, 3).T, order=1, mode="nearest")
    weight = np.outer(np.exp(-(grid**2) / 2), np.exp(-(grid**2) / 2)).ravel()
    profile: FloatArray = weight @ samples.reshape(-1, steps).astype(np.float64) / weight.sum()
    return profile


def _find_half_height(profile: FloatArray, top: float, lowest: float) -> float:
    """Step (fractional) at which the profile falls through half height before its first valley; NaN if it does not."""
    floor = np.minimum.accumulate(profile)
    climbed = (profile - floor > _VALLEY_RISE * (top - floor)) & (top - floor > _LEAST_DEPTH * (top - lowest))
    end = int(np.argmax(climbed)) if climbed.any() else len(profile)
    half = (top + floor[end - 1]) / 2
    inside = np.flatnonzero(profile[:end] >= half)
    if not len(inside) or inside[-1] + 1 >= end or top - floor[end - 1] <= _LEAST_DEPTH * (top - lowest):
        return float("nan")
    last = int(inside[-1])
    return last + float((profile[last] - half) / (profile[last] - profile[last + 1]))
