"""Choosing the two numbers blobs need, their scale and their threshold, without dense truth.

Owns these choices only; blobs themselves are in `morula.peaks.blobs`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from morula.core.columns import FloatArray, ReadOnlyColumns, column
from morula.errors import AnnotationError, ConfigError
from morula.peaks.blobs import SIGMA_RATIO, coarse_response

_STEPS_PER_OCTAVE = 4
_REACH_SIGMAS = 4.0
"""Half-width of the box read around a point, in widths of the wide Gaussian."""

_WORTH = 0.5
"""A first maximum over scales counts if it reaches this share of the highest one."""

_LOW_PERCENTILE = 10
_BESIDE = 0.1
"""An annotation with less than this share of the median response does not lie on a nucleus."""

_SOME_ASTRAY = 0.1
"""With a larger share of responses that are not positive, the others are asked for more than to be positive."""

_LEAST_SHARE, _MOST_SHARE = 0.35, 0.8
"""A threshold lies between these shares of the low percentile of the response at annotations."""

_LEAST_GROUP = 3
"""Noise and nuclei are told apart if each has this many maxima."""

_NORMALISING_POWER = 0.2

_MODES_APART = 2.5
"""Two groups of responses are taken for noise and nuclei only if their medians differ by this factor at least."""


@dataclass(frozen=True, slots=True, eq=False)
class BlobScale(ReadOnlyColumns):
    """The scale fitted at annotated points, with the series it was chosen from.

    Parameters
    ----------
    sigma_um
        The scale in µm.
    response
        Response of each annotated point at this scale (at the nearest scale of the series), shape (n,).
    series_um
        Scales tried in µm, shape (k,).
    median_response
        Median over the points of the response relative to each point's own largest one, shape (k,).
    """

    sigma_um: float
    response: FloatArray
    series_um: FloatArray
    median_response: FloatArray

    def __post_init__(self) -> None:
        k = len(self.series_um)
        object.__setattr__(self, "response", column(self.response, np.float64, (None,), "response"))
        object.__setattr__(self, "series_um", column(self.series_um, np.float64, (k,), "series_um"))
        object.__setattr__(self, "median_response", column(self.median_response, np.float64, (k,), "median_response"))


def fit_blob_scale(
    frames: Iterable[tuple[npt.NDArray[np.generic], FloatArray]],
    *,
    voxel_size_um: Sequence[float] | FloatArray,
    min_sigma_um: float,
    max_sigma_um: float,
) -> BlobScale:
    """Choose the scale at which annotated points look most like blobs.

    Parameters
    ----------
    frames
        Pairs of a frame (Z, Y, X) and the annotated points in it (µm from its first voxel, order z, y, x,
        shape (n, 3)). Read once, one at a time.
    voxel_size_um
        Voxel size in µm, order z, y, x.
    min_sigma_um, max_sigma_um
        Range of the scales tried, four per octave. The upper end is the cap that keeps a blob from swallowing its
        neighbours: about the half-width of a nucleus (`morula.peaks.profiles.measure_radii`).

    Returns
    -------
    BlobScale
        The *first* maximum over scales of the median response that comes near the highest one: the highest may belong
        to a clump of cells or to the whole embryo.

    Raises
    ------
    AnnotationError
        If there is no point.
    ConfigError
        If the range of scales is empty.
    """
    if not 0 < min_sigma_um <= max_sigma_um:
        raise ConfigError(f"no blob scale lies between {min_sigma_um} and {max_sigma_um} µm.")
    steps = int(np.ceil(np.log2(max_sigma_um / min_sigma_um) * _STEPS_PER_OCTAVE)) + 1
    series = np.geomspace(min_sigma_um, max_sigma_um, steps)
    rows = [
        np.stack([sample_response(frame, points, sigma, voxel_size_um) for sigma in series], axis=1)
        for frame, points in frames
        if len(points)
    ]
    if not rows:
        raise AnnotationError(
            "no annotated point lies in the frames looked at, so the size of nuclei cannot be measured.",
            fix="give annotations in µm of the same movie",
        )
    responses = np.concatenate(rows)
    own = np.maximum(responses.max(axis=1, keepdims=True), np.finfo(np.float32).tiny)
    median = np.median(responses / own, axis=0)
    best = _first_maximum(median)
    return BlobScale(
        sigma_um=_refine_scale(series, median, best),
        response=responses[:, best],
        series_um=series,
        median_response=median,
    )


def sample_response(
    frame_zyx: npt.NDArray[np.generic],
    points_um: FloatArray,
    sigma_um: float,
    voxel_size_um: Sequence[float] | FloatArray,
) -> FloatArray:
    """Return the blob response at points (µm from the frame's first voxel), interpolated linearly, shape (n,).

    Only a box around each point is filtered unless the boxes together exceed the frame, so that a few annotations in a
    large frame cost little.
    """
    voxel = np.asarray(voxel_size_um, np.float64)
    points = np.asarray(points_um, np.float64).reshape(-1, 3) / voxel
    reach = np.ceil(_REACH_SIGMAS * np.sqrt(SIGMA_RATIO) * sigma_um / voxel).astype(np.int64)
    shape = np.array(frame_zyx.shape)
    if len(points) * np.prod(np.minimum(2 * reach + 1, shape)) > np.prod(shape):
        return _interpolate(frame_zyx, points, sigma_um, voxel)
    sampled = np.zeros(len(points))
    for row, point in enumerate(points):
        centre = np.clip(np.rint(point).astype(np.int64), 0, shape - 1)
        low, high = np.maximum(centre - reach, 0), np.minimum(centre + reach + 1, shape)
        box = frame_zyx[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
        sampled[row] = _interpolate(box, point[None] - low, sigma_um, voxel)[0]
    return sampled


def pick_blob_threshold(at_annotations: FloatArray, all_maxima: FloatArray | None = None) -> float:
    """Choose the least response of a blob from annotated points, which are a sample of all nuclei.

    Parameters
    ----------
    at_annotations
        Response at annotated points (`BlobScale.response`).
    all_maxima
        Responses of all maxima of some frames (`find_blobs` with threshold 0), if known: where noise reaches far up,
        the split between noise and nuclei raises the threshold.

    Returns
    -------
    float
        0.35 of the tenth percentile at annotations (those that lie beside nuclei left out), or the split of all maxima
        if that is higher, at most 0.8 of the percentile. 0.35 keeps a mitotic nucleus at a quarter of its neighbours'
        brightness (CTC Fluo-N3DH-CHO, 02).

    Raises
    ------
    AnnotationError
        If there is no point, if half of them have no positive response, or if more than a tenth have none and the
        median is one of noise: around half of the background answers a little by chance.
    """
    split = 0.0 if all_maxima is None else split_blob_responses(all_maxima)
    middle = float(np.median(at_annotations)) if len(at_annotations) else 0.0
    astray = float(np.mean(np.asarray(at_annotations) <= 0)) if len(at_annotations) else 1.0
    if not middle > 0 or (astray > _SOME_ASTRAY and middle < split):
        raise AnnotationError(
            "the annotated points do not lie on bright blobs of the image.",
            measured=f"{int((np.asarray(at_annotations) <= 0).sum())} of {len(at_annotations)} points have no positive "
            "blob response",
            cause="annotations of another movie or channel, another unit or axis order, or dark nuclei",
            fix="check the movie's channel and voxel size against the annotation tool",
        )
    level = float(np.percentile(at_annotations[at_annotations > _BESIDE * middle], _LOW_PERCENTILE))
    return float(np.clip(split, _LEAST_SHARE * level, _MOST_SHARE * level))


def split_blob_responses(response: FloatArray) -> float:
    """Return the response between noise and nuclei, from the responses of all maxima of some frames.

    Minimum-error thresholding (Kittler and Illingworth 1986): noise and nuclei are taken for two normal distributions
    of unequal number and width, and the cut with the least expected error is returned. On rendered embryos with 0.8 to
    80 % nuclei among the maxima its F1 was 0.01 below that of the best threshold (0.07 at worst); Otsu's split, made
    for groups of like size, lost nearly everything where nuclei were rare. The fifth root brings both groups close to
    normal. Where they lie closer than a factor of 2.5 there is only one, and everything is kept: half the smallest
    response is returned. Returns 0 if no response is positive.
    """
    positive = np.sort(np.asarray(response, np.float64)[np.asarray(response) > 0])
    if len(positive) < 2 * _LEAST_GROUP:
        return float(positive[0] / 2) if len(positive) else 0.0
    value = positive**_NORMALISING_POWER
    below = np.arange(1, len(value))
    above = len(value) - below
    narrowest = (1e-2 * (value[-1] - value[0])) ** 2 + np.finfo(np.float64).tiny
    variance_below = np.maximum(_running_variance(value), narrowest)
    variance_above = np.maximum(_running_variance(value[::-1])[::-1], narrowest)
    share = below / len(value)
    cost = share * np.log(variance_below / share**2) + (1 - share) * np.log(variance_above / (1 - share) ** 2)
    cost[(below < _LEAST_GROUP) | (above < _LEAST_GROUP)] = np.inf
    cut = int(np.argmin(cost)) + 1
    if np.median(positive[cut:]) < _MODES_APART * np.median(positive[:cut]):
        return float(positive[0] / 2)
    return float(((value[cut - 1] + value[cut]) / 2) ** (1 / _NORMALISING_POWER))


def _running_variance(values: FloatArray) -> FloatArray:
    """Variance of the first k values, k = 1 .. n − 1."""
    centred = values - values.mean()
    k = np.arange(1, len(values))
    variance: FloatArray = np.cumsum(centred**2)[:-1] / k - (np.cumsum(centred)[:-1] / k) ** 2
    return variance


def _interpolate(frame: npt.NDArray[np.generic], points: FloatArray, sigma_um: float, voxel: FloatArray) -> FloatArray:
    response, cell = coarse_response(frame, sigma_um, voxel)
    place = (points - (cell - 1) / 2) / cell
    sampled: FloatArray = ndimage.map_coordinates(response, place.T, order=1, mode="nearest", output=np.float64)
    return sampled


def _first_maximum(curve: FloatArray) -> int:
    """Index of the first local maximum that reaches `_WORTH` of the highest value."""
    padded = np.concatenate([[-np.inf], curve, [-np.inf]])
    local = (curve >= padded[:-2]) & (curve > padded[2:]) & (curve >= _WORTH * curve.max())
    return int(np.flatnonzero(local)[0]) if local.any() else int(curve.argmax())


def _refine_scale(series: FloatArray, curve: FloatArray, best: int) -> float:
    """Place the top between the scales by a parabola over their logarithm."""
    if not 0 < best < len(series) - 1:
        return float(series[best])
    before, top, after = curve[best - 1 : best + 2]
    bend = 2 * top - before - after
    shift = float(np.clip(0.5 * (after - before) / bend, -0.5, 0.5)) if bend > 0 else 0.0
    return float(series[best] * (series[best + 1] / series[best]) ** shift)
