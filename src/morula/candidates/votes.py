"""The loops in which neighbouring cells vote on a movement, compiled with numba; see `flow` for what is asked.

Owns the bins in which earlier cells are looked up, the movements offered, and the count of votes. Knows no frames and
no settings. What is called for every vote is inlined: numba would count references to all its arrays at each call,
which takes longer than the vote.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from morula.core.columns import FloatArray, IntArray

_jit = numba.njit(cache=True, error_model="numpy", fastmath={"nsz"})
_inlined = numba.njit(inline="always", error_model="numpy", fastmath={"nsz"})

_BINS_PER_POINT = 64
_FIRST_VOTERS = 2
"""So many of the nearest voters are asked about every movement first, to begin with one that is likely to win."""


class Bins(NamedTuple):
    """Cubic bins, each with all points within reach of any place in it, so that one look finds those near a place.

    Parameters
    ----------
    points
        Positions, µm, shape (n, 3).
    near
        Rows of the points of each bin, bin after bin; a point is in several. Four bytes each: more fit into the cache.
    first
        Where in `near` each bin begins, shape (bins + 1,).
    corner
        Low corner of the first bin, µm, shape (3,).
    shape
        Number of bins along each axis, shape (3,).
    edge
        Edge of a bin, µm: at least the reach.
    per_um
        One over it, since a division takes as long as all else in finding a bin.
    reach
        How far around a place points can be found, µm.
    """

    points: FloatArray
    near: NDArray[np.int32]
    first: IntArray
    corner: FloatArray
    shape: IntArray
    edge: float
    per_um: float
    reach: float


def sort_into_bins(points_um: FloatArray, reach_um: float) -> Bins:
    """Sort points into bins for votes that reach so far; bins are larger where points are few and far apart."""
    corner = points_um.min(axis=0) - reach_um
    extent = points_um.max(axis=0) + reach_um - corner
    edge = reach_um
    while np.prod(np.floor(extent / edge) + 1) > _BINS_PER_POINT * len(points_um):
        edge *= 1.25
    shape = np.floor(extent / edge).astype(np.int64) + 1
    first = np.zeros(int(np.prod(shape)) + 1, np.int64)
    points, nothing = np.ascontiguousarray(points_um), np.empty(0, np.int32)
    bins = Bins(points, nothing, first, corner, shape, float(edge), 1 / float(edge), reach_um)
    _visit_bins(bins, first[1:], False)
    np.cumsum(first, out=first)
    bins = bins._replace(near=np.empty(first[-1], np.int32))
    _visit_bins(bins, first[:-1].copy(), True)
    return bins


@_jit
def _visit_bins(bins, place, write):
    """Count at `place` the points within reach of each bin, or write their rows from there on."""
    low, high = np.empty(3, np.int64), np.empty(3, np.int64)
    for p in range(len(bins.points)):
        for axis in range(3):
            at = bins.points[p, axis] - bins.corner[axis]
            low[axis] = max(int(np.floor((at - bins.reach) / bins.edge)), 0)
            high[axis] = min(int(np.floor((at + bins.reach) / bins.edge)), bins.shape[axis] - 1)
        for i in range(low[0], high[0] + 1):
            for j in range(low[1], high[1] + 1):
                for k in range(low[2], high[2] + 1):
                    away = _miss(bins, p, 0, i) + _miss(bins, p, 1, j) + _miss(bins, p, 2, k)
                    if away <= bins.reach * bins.reach:
                        number = (i * bins.shape[1] + j) * bins.shape[2] + k
                        if write:
                            bins.near[place[number]] = p
                        place[number] += 1


@_inlined
def _miss(bins, p, axis, number):
    """Return by how much a point lies outside a bin along one axis, squared."""
    at = bins.points[p, axis] - bins.corner[axis] - number * bins.edge
    outside = max(-at, at - bins.edge, 0.0)
    return outside * outside


@_inlined
def find_closest(bins, z, y, x):
    """Return the row of the point closest to a place and the squared distance; −1 and reach², if none is in reach."""
    closest, row = bins.reach * bins.reach, -1
    i, j, k = (z - bins.corner[0]) * bins.per_um, (y - bins.corner[1]) * bins.per_um, (x - bins.corner[2]) * bins.per_um
    if min(i, j, k) >= 0 and i < bins.shape[0] and j < bins.shape[1] and k < bins.shape[2]:
        number = (int(i) * bins.shape[1] + int(j)) * bins.shape[2] + int(k)
        for n in range(bins.first[number], bins.first[number + 1]):
            p = bins.near[n]
            dz, dy, dx = bins.points[p, 0] - z, bins.points[p, 1] - y, bins.points[p, 2] - x
            squared = dz * dz + dy * dy + dx * dx
            if squared < closest:
                closest, row = squared, p
    return row, closest


@_jit
def lend_movements(zyx, rows, lenders, own, gradient):
    """List the movements of some cells' lenders as they would be at the cell itself, lender after lender.

    Parameters
    ----------
    zyx
        Positions of all cells, shape (n, 3).
    rows, lenders
        These cells, shape (r,), and whose movements are lent to each, shape (r, l).
    own
        Movements each cell has to lend, shape (n, m, 3), NaN where there are fewer.
    gradient
        How the movement changes around each of these cells, shape (r, 3, 3).

    Returns
    -------
    array
        Movements, shape (r, l·m, 3), NaN where there are fewer.
    """
    most = own.shape[1]
    lent = np.empty((len(rows), lenders.shape[1] * most, 3))
    for i in range(len(rows)):
        for k in range(lenders.shape[1]):
            v, g = lenders[i, k], gradient[i]
            dz, dy, dx = zyx[rows[i], 0] - zyx[v, 0], zyx[rows[i], 1] - zyx[v, 1], zyx[rows[i], 2] - zyx[v, 2]
            for axis in range(3):
                change = g[axis, 0] * dz + g[axis, 1] * dy + g[axis, 2] * dx
                for h in range(most):
                    lent[i, k * most + h, axis] = own[v, h, axis] + change
    return lent


@_inlined
def _lay(zyx, i, voters, g, place):
    """Write where the voters on cell i come from, but for the movement of cell i itself, by how it changes around."""
    for k in range(len(voters)):
        v = voters[k]
        dz, dy, dx = zyx[v, 0] - zyx[i, 0], zyx[v, 1] - zyx[i, 1], zyx[v, 2] - zyx[i, 2]
        for axis in range(3):
            place[k, axis] = zyx[v, axis] + g[axis, 0] * dz + g[axis, 1] * dy + g[axis, 2] * dx


@_inlined
def _ask(bins, place, movement):
    """Return how much one voter agrees with a movement, 0 to 1."""
    _, squared = find_closest(bins, place[0] + movement[0], place[1] + movement[1], place[2] + movement[2])
    share = 1.0 - squared / (bins.reach * bins.reach)
    return share * share


@_jit
def choose_by_votes(zyx, rows, voters, weight, bins, offered, gradient):
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
        Cells of the earlier frame; a vote falls from 1 on one of them to 0 at the reach of the bins.
    offered
        Movements to choose from, shape (r, m, 3), NaN where there are fewer; the first of equals wins.
    gradient
        How the movement changes around each cell, shape (r, 3, 3).

    Returns
    -------
    array
        The movement chosen, shape (r, 3); zeros where none is offered.
    """
    chosen = np.zeros((len(rows), 3))
    place, votes = np.empty((voters.shape[1], 3)), np.empty(offered.shape[1])
    few = min(_FIRST_VOTERS, voters.shape[1])
    for i in range(len(rows)):
        _lay(zyx, rows[i], voters[i], gradient[i], place)
        for h in range(len(votes)):
            votes[h] = -1.0 if np.isnan(offered[i, h, 0]) else 0.0
            for k in range(few if votes[h] == 0 else 0):
                votes[h] += weight[i, k] * _ask(bins, place[k], offered[i, h])
        likely = int(votes.argmax())
        best, winner = -1.0, -1
        for n in range(-1, len(votes)):
            h = likely if n < 0 else n
            if votes[h] < 0 or n == likely:
                continue
            left = weight[i, few:].sum()
            for k in range(few, voters.shape[1]):
                if votes[h] + left < best:
                    break
                votes[h] += weight[i, k] * _ask(bins, place[k], offered[i, h])
                left -= weight[i, k]
            if votes[h] > best or (votes[h] == best and h < winner):
                best, winner = votes[h], h
        if winner >= 0:
            chosen[i] = offered[i, winner]
    return chosen


@_jit
def refine_by_votes(zyx, rows, voters, weight, bins, movement, gradient, rounds):
    """Shift each movement, so many rounds, by the mean of what its voters lack to the earlier cell they lie on.

    Arguments as for `choose_by_votes`; `movement`, shape (r, 3), is changed in place. Returns which share of all votes
    each had before the last round, 0 to 1, shape (r,).
    """
    place, share = np.empty((voters.shape[1], 3)), np.zeros(len(rows))
    for i in range(len(rows)):
        _lay(zyx, rows[i], voters[i], gradient[i], place)
        for _ in range(rounds):
            total, dz, dy, dx = 1e-9, 0.0, 0.0, 0.0
            for k in range(voters.shape[1]):
                z, y, x = place[k, 0] + movement[i, 0], place[k, 1] + movement[i, 1], place[k, 2] + movement[i, 2]
                row, squared = find_closest(bins, z, y, x)
                if row >= 0:
                    near = 1.0 - squared / (bins.reach * bins.reach)
                    vote = weight[i, k] * near * near
                    dz += vote * (bins.points[row, 0] - z)
                    dy += vote * (bins.points[row, 1] - y)
                    dx += vote * (bins.points[row, 2] - x)
                    total += vote
            movement[i, 0] += dz / total
            movement[i, 1] += dy / total
            movement[i, 2] += dx / total
            share[i] = total / weight[i].sum()
    return share
