"""The share of lineages without an error over w frames (Malin-Mayor et al. 2023, Figure 2)."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from morula.core.columns import BoolArray, IntArray
from morula.core.evaluation import ErrorFreeCurve
from morula.core.tracks import Tracks


def measure_error_free(
    truth: Tracks, counted_edge: BoolArray, missing_edge: BoolArray, broken_point: BoolArray, window_frames: int
) -> ErrorFreeCurve:
    """Measure which share of lineage segments holds no error, for every length up to a window.

    Every counted truth edge starts a segment: with its parent in frame t, the segment of length w is the tree that
    follows through it, both children after a division, up to frame t + w. It counts when the truth reaches frame t + w
    on at least one branch. It is without error when no edge of it is missing and no point inside it is broken; inside
    are the frames t + 1 … t + w − 1, neither the start nor the last frame. An edge over several frames belongs to the
    segment it begins in. Linear in the number of points.

    Parameters
    ----------
    truth
        The true tracks, n points.
    counted_edge, missing_edge
        Edges to follow, and those without a match, by child row, shape (n,).
    broken_point
        Points with an identity switch, a false or a missed division, shape (n,).
    window_frames
        Longest segment W.
    """
    child = np.flatnonzero(counted_edge)
    parent, t = truth.parent_row[child], truth.t.astype(np.int64)
    last_frame, first_error = _look_ahead(t, child, parent, missing_edge, broken_point)
    start = t[parent]
    length = last_frame[child] - start
    sound = np.where(missing_edge[child], 0, first_error[child] - start)
    n_segments = _count_at_least(length, window_frames)
    n_sound = _count_at_least(np.minimum(length, sound), window_frames)
    fraction = np.divide(n_sound, n_segments, out=np.full(window_frames, np.nan), where=n_segments > 0)
    return ErrorFreeCurve(window_frames=np.arange(1, window_frames + 1), fraction=fraction, n_segments=n_segments)


def _look_ahead(
    t: IntArray, child: IntArray, parent: IntArray, missing_edge: BoolArray, broken_point: BoolArray
) -> tuple[IntArray, IntArray]:
    """Return the last frame of the tree that follows each point, and the frame of the first error in it.

    A segment that ends in frame f holds an error at a broken point in frame e, or at a missing edge that begins in
    frame e, exactly if f > e. So one number per point is enough, handed from children to parents, late frames first.
    """
    last_frame = t.copy()
    first_error = np.where(broken_point, t, np.iinfo(np.int64).max // 2)
    late_first = np.argsort(-t[child], kind="stable")
    child, parent = child[late_first], parent[late_first]
    bounds = np.flatnonzero(np.diff(t[child], prepend=-1, append=-1))
    for begin, end in pairwise(bounds.tolist()):
        c, p = child[begin:end], parent[begin:end]
        np.maximum.at(last_frame, p, last_frame[c])
        np.minimum.at(first_error, p, np.where(missing_edge[c], t[p], first_error[c]))
    return last_frame, first_error


def _count_at_least(length: IntArray, window_frames: int) -> IntArray:
    """Count the entries that are at least 1, 2, … W, shape (W,)."""
    counts = np.bincount(np.clip(length, 0, window_frames), minlength=window_frames + 1)
    return np.cumsum(counts[::-1])[::-1][1:].astype(np.int64)
