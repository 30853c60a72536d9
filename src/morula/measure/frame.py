"""Measuring one sampled frame: its blobs, intensities, noise, and the size of annotated nuclei in it.

Owns what is measured in a frame and the small summaries shared by frames; which frames, and what becomes of the
figures, is decided in `morula.measure.movie`.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from morula.core.columns import FloatArray
from morula.measure.measurements import Triple
from morula.measure.samples import Sample
from morula.peaks.blobs import BALL_RADIUS, Blobs, find_blobs, finite_frame
from morula.peaks.maxima import Float32Array
from morula.peaks.profiles import measure_radii

_log = logging.getLogger(__name__)

PERCENTILES = (0.1, 2.0, 20.0, 50.0, 90.0, 99.0, 99.7, 99.9)
BACKGROUND_PERCENTILE = 20.0

_PROFILES_PER_FRAME = 40
_NORMAL_PER_MAD = 1.4826
_ONE_VOXEL = 1.01
_HALF_WIDTH_PER_SIGMA = 1.44
"""Half-width of a Gaussian blob over its best scale: 1.18 times the square root of 3/2."""


@dataclass(frozen=True, slots=True, eq=False)
class FrameFigures:
    """What one sample says.

    Parameters
    ----------
    share
        Volume of the sample over that of the frame.
    points_um
        Annotated points, µm from the sample's first voxel, order z, y, x, shape (n, 3).
    blobs
        All maxima of the blob response, as the threshold is not known yet; positions like those of the points.
    intensity_at_blobs
        Intensity at each blob's centre, shape (blobs,).
    percentiles
        Intensities at `PERCENTILES`.
    noise
        Robust standard deviation of a voxel, units of intensity.
    radii_um
        Half-widths of annotated nuclei, µm, order z, y, x, NaN where there is none, shape (at most 40, 3).
    """

    share: float
    points_um: FloatArray
    blobs: Blobs
    intensity_at_blobs: FloatArray
    percentiles: FloatArray
    noise: float
    radii_um: FloatArray


def has_image(sample: Sample) -> bool:
    """Say whether the sample holds at least two different finite values; warn if not."""
    finite = sample.pixels[np.isfinite(sample.pixels)]
    if len(finite) and finite.min() < finite.max():
        return True
    _log.warning("frame %d is constant or not finite and is left out of the measurements", sample.t)
    return False


def measure_frame(sample: Sample, sigma_um: float, voxel_size_um: FloatArray) -> FrameFigures:
    """Measure one sample with blobs of scale `sigma_um` (µm)."""
    frame = finite_frame(sample.pixels)
    window = np.maximum(BALL_RADIUS * sigma_um, _ONE_VOXEL * voxel_size_um)  # or a nucleus counts in several planes
    blobs = find_blobs(frame, sigma_um=sigma_um, voxel_size_um=voxel_size_um, threshold=0.0, window_um=window)
    centre = np.rint(blobs.zyx_um / voxel_size_um).astype(np.int64)
    some = sample.points_um[:: max(1, -(-len(sample.points_um) // _PROFILES_PER_FRAME))]
    return FrameFigures(
        share=sample.share,
        points_um=sample.points_um,
        blobs=blobs,
        intensity_at_blobs=frame[tuple(centre.T)].astype(np.float64),
        percentiles=np.percentile(frame, PERCENTILES),
        noise=_estimate_noise(frame),
        radii_um=measure_radii(frame, some, voxel_size_um, sigma_um=sigma_um),
    )


def summarise_radii(radii_um: FloatArray, sigma_um: float) -> Triple:
    """Summarise half-widths by their medians, order z, y, x.

    In the plane the result is kept between the half-widths of a Gaussian and of a ball of this scale, beyond which
    profiles have failed. Along z the profile speaks for itself, as the microscope's blur does; where nuclei span all
    planes they are taken to be as deep as wide.
    """
    within = radii_um[:, 1:][np.isfinite(radii_um[:, 1:])]
    low, high = _HALF_WIDTH_PER_SIGMA * sigma_um, BALL_RADIUS * sigma_um
    wide = float(np.clip(np.median(within), low, high)) if len(within) else low
    along = radii_um[:, 0][np.isfinite(radii_um[:, 0])]
    deep = float(np.median(along)) if len(along) and 2 * len(along) >= len(radii_um) else wide
    return min(deep, 2 * wide), wide, wide


def nearest_other(zyx_um: FloatArray) -> FloatArray:
    """Return the distance from each point to the nearest other one; empty for fewer than two points."""
    if len(zyx_um) < 2:
        return np.zeros(0)
    distance, _ = cKDTree(zyx_um).query(zyx_um, k=2)
    return np.asarray(distance, np.float64)[:, 1]


def nearest_place(places_um: FloatArray, points_um: FloatArray) -> FloatArray:
    """Return the distance from each point to the nearest place, infinite if there is none."""
    if not len(places_um) or not len(points_um):
        return np.full(len(points_um), np.inf)
    distance, _ = cKDTree(places_um).query(points_um)
    return np.asarray(distance, np.float64)


def _estimate_noise(frame: Float32Array) -> float:
    """Standard deviation of a voxel, from the median absolute difference of neighbours along x."""
    difference = np.diff(frame, axis=2)
    if not difference.size:
        return 0.0
    spread = float(np.median(np.abs(difference - np.median(difference))))
    return spread * _NORMAL_PER_MAD / float(np.sqrt(2))
