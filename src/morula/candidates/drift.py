"""Rigid drift between two frames: what is left, for all cells together, after the predicted movement.

Owns the estimate and the decision whether to believe it. It knows points only, no images and no frames, and refuses to
correct what does not clearly bring more cells close to a possible parent. The learned movement already carries the
motion seen in training, therefore only the *residual* is estimated; subtracting image drift would count it twice.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter, maximum_filter
from scipy.spatial import cKDTree

from morula.candidates.neighbours import find_chance_radius, find_one_nearest, list_offsets
from morula.core.columns import FloatArray

MIN_POINTS = 8
"""Fewer matched points say nothing about a common shift."""

_CHANCE = 0.2  # "close" is the distance at which one random place in five has a cell
_TRUSTED_SHARE = 0.6  # with so many cells close, the search for a jump cannot find anything better
_STANDARD_ERRORS = 4.0
_JUMP_DEVIATIONS = 6.0
_MAX_VOTERS = 1000
_MAX_PEAKS = 10


def estimate_drift_um(
    predicted_um: FloatArray, earlier_um: FloatArray, *, max_distance_um: float, max_drift_um: float = 40.0
) -> FloatArray:
    """Estimate the rigid shift of predicted earlier positions against the cells that are there.

    Parameters
    ----------
    predicted_um
        Positions of one frame plus their movement vectors, µm, order z, y, x, shape (n, 3).
    earlier_um
        Positions in the earlier frame, µm, shape (m, 3).
    max_distance_um
        Largest distance at which a pair counts as a possible link.
    max_drift_um
        Largest jump searched for; 0 leaves only the fine estimate.

    Returns
    -------
    array
        Shift in µm, order z, y, x, shape (3,): ``predicted_um - shift`` lies over `earlier_um`. Zeros where no shift is
        significant.

    Notes
    -----
    The fine estimate iterates the median of the residuals to the nearest cell and is kept when it exceeds four of its
    standard errors and lowers the mean (truncated) distance. It follows small shifts only: from about half the spacing
    of cells on, nearest cells are the wrong ones. If few cells lie close to one, the offsets of all pairs of points
    vote in a histogram first; its best peaks are refined, and one is accepted if it brings a quarter of the points, and
    five standard deviations, more close to a cell than no shift does.

    Examples
    --------
    >>> earlier = np.random.default_rng(0).uniform(0, 60, (40, 3))
    >>> estimate_drift_um(earlier + [0, 0, 18], earlier, max_distance_um=10.0).round(3).tolist()
    [0.0, 0.0, 18.0]
    """
    if min(len(predicted_um), len(earlier_um)) < MIN_POINTS:
        return np.zeros(3)
    tree = cKDTree(earlier_um)
    start = _find_jump(predicted_um, tree, max_distance_um, max_drift_um)
    shift = _refine(predicted_um, tree, start, max_distance_um)
    before = _truncated_mean(predicted_um - start, tree, max_distance_um)
    if _truncated_mean(predicted_um - shift, tree, max_distance_um) < before:
        return shift
    return start


def _refine(predicted: FloatArray, tree: cKDTree, start: FloatArray, radius: float) -> FloatArray:
    """Iterate the median residual from `start`; return `start` if the change is not significant."""
    shift = start.copy()
    for _ in range(20):
        distance, row = find_one_nearest(predicted - shift, tree, radius)
        near = np.flatnonzero(np.isfinite(distance))
        if len(near) < MIN_POINTS:
            return start
        residual = predicted[near] - shift - tree.data[row[near]]
        step = np.median(residual, axis=0)
        shift = shift + step
        deviation = np.median(np.abs(residual - step), axis=0)
        error = 1.2533 * 1.4826 * deviation / np.sqrt(len(near))  # standard error of a median of normal residuals
        if (np.abs(shift - start) <= _STANDARD_ERRORS * error).all():
            return start
        if (np.abs(step) <= 0.1 * error).all():
            break
    return shift


def _find_jump(predicted: FloatArray, tree: cKDTree, max_distance: float, max_drift: float) -> FloatArray:
    """Search the shifts up to `max_drift` for one that brings clearly more points close to a cell; zeros if none."""
    none = np.zeros(3)
    n = len(predicted)
    close = min(max_distance, find_chance_radius(_sample(tree.data), tree, _CHANCE))
    at_rest = _count_close(predicted, tree, close)
    if max_drift <= 0 or close <= 0 or at_rest >= _TRUSTED_SHARE * min(n, tree.n):
        return none
    best, found = none, at_rest
    for peak in _vote(predicted, tree, max_drift, close):
        shift = _refine(predicted, tree, peak, 1.5 * close)
        count = _count_close(predicted - shift, tree, close)
        if count > found:
            best, found = shift, count
    share = max(at_rest / n, _CHANCE)
    needed = max(MIN_POINTS, at_rest + _JUMP_DEVIATIONS * np.sqrt(n * share * (1 - share)))
    return best if found >= needed else none


def _vote(predicted: FloatArray, tree: cKDTree, max_drift: float, close: float) -> FloatArray:
    """Return the most voted offsets between any predicted and any earlier point, shape (p, 3), best first."""
    offset = list_offsets(_sample(predicted), tree, max_drift)
    half = max(1, min(32, int(np.ceil(2 * max_drift / close))))
    width = max_drift / half
    cell = np.floor(offset / width + 0.5).astype(np.int64) + half
    shape = (2 * half + 1,) * 3
    votes = np.bincount(np.ravel_multi_index(tuple(cell.T), shape), minlength=shape[0] ** 3).reshape(shape)
    smooth = gaussian_filter(votes.astype(np.float64), 1.0, mode="constant")
    peak = np.flatnonzero((smooth == maximum_filter(smooth, 3)) & (smooth > 0))
    peak = peak[np.argsort(-smooth.ravel()[peak], kind="stable")[:_MAX_PEAKS]]
    peaks: FloatArray = (np.stack(np.unravel_index(peak, shape), axis=1) - half) * np.float64(width)
    return peaks


def _sample(points: FloatArray) -> FloatArray:
    """Return at most `_MAX_VOTERS` points, evenly spread over the rows."""
    rows = np.linspace(0, len(points) - 1, min(len(points), _MAX_VOTERS)).astype(np.int64)
    chosen: FloatArray = points[rows]
    return chosen


def _count_close(points: FloatArray, tree: cKDTree, radius: float) -> int:
    return int(np.isfinite(find_one_nearest(points, tree, radius)[0]).sum())


def _truncated_mean(points: FloatArray, tree: cKDTree, radius: float) -> float:
    return float(np.minimum(find_one_nearest(points, tree, radius)[0], radius).mean())
