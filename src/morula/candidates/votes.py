"""The loops in which neighbouring cells vote on a movement, compiled with numba; see `flow` for what is asked.

Owns the bins in which earlier cells are looked up, and the count of votes. Knows no frames and no settings.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from morula.core.columns import FloatArray, IntArray

_jit = numba.njit(cache=True, error_model="numpy", fastmath={"nsz"})

_BINS_PER_POINT = 8


class Bins(NamedTuple):
    """Points in cubic bins, so that those near a place are found by looking into at most eight bins.

    Parameters
    ----------
    points
        Positions sorted by bin, µm, shape (n, 3).
    first
        Row of the first point of each bin, shape (bins + 1,).
    corner
        Low corner of the first bin, µm, shape (3,).
    shape
        Number of bins along each axis, shape (3,).
    edge
        Edge of a bin, µm: at least twice the reach of a vote.
    """

    points: FloatArray
    first: IntArray
    corner: FloatArray
    shape: IntArray
    edge: float


def sort_into_bins(points_um: FloatArray, reach_um: float) -> Bins:
    """Sort points into bins for votes that reach `reach_um`; bins are larger where points are few and far apart."""
    corner = points_um.min(axis=0)
    extent = points_um.max(axis=0) - corner
    edge = 2 * reach_um
    while np.prod(np.floor(extent / edge) + 1) > _BINS_PER_POINT * len(points_um) + 64:
        edge *= 1.5
    shape = np.floor(extent / edge).astype(np.int64) + 1
    place = np.floor((points_um - corner) / edge).astype(np.int64)
    number = np.ravel_multi_index(tuple(place.T), tuple(shape.tolist()))
    order = np.argsort(number, kind="stable")
    first = np.searchsorted(number[order], np.arange(int(np.prod(shape)) + 1))
    return Bins(np.ascontiguousarray(points_um[order]), first, corner, shape, float(edge))


@_jit
def _find_closest(bins, z, y, x, reach):
    """Return the row of the point closest to a place and the squared distance; −1 if none is within reach."""
    low, high = np.empty(3, np.int64), np.empty(3, np.int64)
    place = (z, y, x)
    for axis in range(3):
        low[axis] = max(int(np.floor((place[axis] - reach - bins.corner[axis]) / bins.edge)), 0)
        high[axis] = min(int(np.floor((place[axis] + reach - bins.corner[axis]) / bins.edge)), bins.shape[axis] - 1)
    closest, row = reach * reach, -1
    for i in range(low[0], high[0] + 1):
        for j in range(low[1], high[1] + 1):
            line = (i * bins.shape[1] + j) * bins.shape[2]
            for p in range(bins.first[line + low[2]], bins.first[line + high[2] + 1] if high[2] >= low[2] else 0):
                dz, dy, dx = bins.points[p, 0] - z, bins.points[p, 1] - y, bins.points[p, 2] - x
                squared = dz * dz + dy * dy + dx * dx
                if squared < closest:
                    closest, row = squared, p
    return row, closest


@_jit
def _carry(zyx, i, v, movement, g):
    """Return where cell v comes from if it moves as the tissue around cell i."""
    dz, dy, dx = zyx[v, 0] - zyx[i, 0], zyx[v, 1] - zyx[i, 1], zyx[v, 2] - zyx[i, 2]
    return (
        zyx[v, 0] + movement[0] + g[0, 0] * dz + g[0, 1] * dy + g[0, 2] * dx,
        zyx[v, 1] + movement[1] + g[1, 0] * dz + g[1, 1] * dy + g[1, 2] * dx,
        zyx[v, 2] + movement[2] + g[2, 0] * dz + g[2, 1] * dy + g[2, 2] * dx,
    )


@_jit
def choose_by_votes(zyx, rows, voters, weight, bins, offered, gradient, reach):
    """Choose for some cells the offered movement after which most of their neighbours lie on an earlier cell.

    Parameters
    ----------
    zyx
        Positions of all cells, shape (n, 3).
    rows
        The cells to choose for, shape (r,).
    voters, weight
        Rows of the cells that vote on each, nearest first, and the weight of each vote, shape (r, k).
    bins
        Cells of the earlier frame.
    offered
        Movements to choose from, shape (r, m, 3), NaN where there are fewer; the first of equals wins.
    gradient
        How the movement changes around each cell, shape (r, 3, 3).
    reach
        A vote falls from 1 on an earlier cell to 0 at this distance from any.

    Returns
    -------
    array
        The movement chosen, shape (r, 3); zeros where none is offered.
    """
    chosen = np.zeros((len(rows), 3))
    for i in range(len(rows)):
        best, total = -1.0, weight[i].sum()
        for h in range(offered.shape[1]):
            if np.isnan(offered[i, h, 0]):
                continue
            votes, left = 0.0, total
            for k in range(voters.shape[1]):
                z, y, x = _carry(zyx, rows[i], voters[i, k], offered[i, h], gradient[i])
                row, squared = _find_closest(bins, z, y, x, reach)
                left -= weight[i, k]
                if row >= 0:
                    share = 1.0 - squared / (reach * reach)
                    votes += weight[i, k] * share * share
                if votes + left <= best:
                    break
            if votes > best:
                best = votes
                chosen[i] = offered[i, h]
    return chosen


@_jit
def refine_by_votes(zyx, rows, voters, weight, bins, movement, gradient, reach, steps):
    """Shift each movement by the mean of what its voters lack to the earlier cell they lie on, a few times.

    Arguments as for `choose_by_votes`; `movement`, shape (r, 3), is changed in place.
    """
    for i in range(len(rows)):
        for _ in range(steps):
            total = 1e-9
            shift = np.zeros(3)
            for k in range(voters.shape[1]):
                z, y, x = _carry(zyx, rows[i], voters[i, k], movement[i], gradient[i])
                row, squared = _find_closest(bins, z, y, x, reach)
                if row >= 0:
                    share = 1.0 - squared / (reach * reach)
                    vote = weight[i, k] * share * share
                    shift[0] += vote * (bins.points[row, 0] - z)
                    shift[1] += vote * (bins.points[row, 1] - y)
                    shift[2] += vote * (bins.points[row, 2] - x)
                    total += vote
            movement[i] += shift / total
