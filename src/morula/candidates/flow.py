"""How the tissue around each cell moves, read off the points of two frames alone.

A cell by itself could have come from any earlier cell near it; a cell and its neighbours together, moved alike, fit the
earlier frame in one way only. This is what a person does who lays two frames over each other. Owns that estimate; the
network's movement vectors enter as offers among others, so that it works where they have been learned badly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from morula.candidates.neighbours import find_one_nearest
from morula.candidates.shear import fit_affine
from morula.candidates.votes import Bins, choose_by_votes, lend_movements, refine_by_votes, sort_into_bins
from morula.core.columns import BoolArray, FloatArray, IntArray

_FEWEST_CELLS = 6
"""Fewer cells are no constellation."""

_LENDERS = 9
"""Cells, the cell itself included, whose own possible movements are offered to a cell."""

_REACH = 0.65
"""Reach of a vote in spacings of nuclei."""

_FADING = 0.6
"""Votes count less with distance: Gaussian, of this part of the distance of the farthest voter."""

_REFINEMENTS, _FIRST_REFINEMENTS = 2, 3


@dataclass(frozen=True, slots=True)
class _Pass:
    """One vote.

    Parameters
    ----------
    voters
        Voters in the place of each that was asked for.
    offers
        Earlier cells from which each lender may come.
    """

    voters: float
    offers: int


_FIRST, _LATER = _Pass(1.4, 6), _Pass(1.0, 3)
_LATER_VOTES = 4
_LATER_RADIUS = 1.0
"""In later votes a cell may come from this many spacings around where its neighbours' movement leads."""

_FITTED_PER_NEIGHBOUR = 1.8
_CONTRADICTED = 0.2
"""Cells vote where the movement of one of their lenders is this many spacings from that of the cells around it ..."""
_FEW_VOTES = 0.35
"""... or, the first time, where the movement the network says has fewer votes than this share of all."""
_SETTLED = 0.1
"""Cells vote again where a movement around them changed by more than this many spacings."""


def estimate_flow_um(
    zyx_um: FloatArray, movement_um: FloatArray, earlier_um: FloatArray, *, reach_um: float, neighbours: int
) -> FloatArray:
    """Estimate where the tissue around each cell of a frame was in the frame before.

    Parameters
    ----------
    zyx_um
        Positions of the cells, µm, order z, y, x, shape (n, 3).
    movement_um
        What the network says of each, offset to the earlier position, µm, shape (n, 3).
    earlier_um
        Positions in the earlier frame, µm, shape (m, 3).
    reach_um
        How far a cell moves at most beyond the median movement.
    neighbours
        Nearest cells that vote on a cell's movement.

    Returns
    -------
    array
        Offset to the earlier position, µm, shape (n, 3). The network's own where either frame has fewer than six cells.

    Notes
    -----
    An affine movement is fitted around each cell to what the network says of it and its neighbours (`fit_affine`), and
    shifted to where these, moved by it, lie on earlier cells. Where movements next to each other then agree, they are
    right. Elsewhere neighbours vote: a cell is offered the movements that would lay it, or one of its eight nearest
    neighbours, on an earlier cell, and what the network says of these, and its neighbours vote by how close to earlier
    cells the movement would lay them. Fits and votes, on earlier cells near where the fit leads, are repeated up to four
    times while movements around a cell change. About 12 µs per cell, three times that where vectors are useless.

    Examples
    --------
    >>> earlier = np.random.default_rng(0).uniform(0, 60, (60, 3))
    >>> flow = estimate_flow_um(earlier + [0, 0, 5.0], np.zeros((60, 3)), earlier, reach_um=8.0, neighbours=10)
    >>> bool(np.abs(flow - [0, 0, -5.0]).max() < 0.1)
    True
    """
    if min(len(zyx_um), len(earlier_um)) < _FEWEST_CELLS:
        return movement_um
    frames = _Frames.of(zyx_um, earlier_um, neighbours)
    nearest, spacing = frames.nearest, frames.spacing_um
    rows = np.arange(len(zyx_um))
    flow, gradient = fit_affine(zyx_um, movement_um, nearest, spacing)
    lost = frames.refine(rows, flow, gradient, _FIRST_REFINEMENTS) < _FEW_VOTES
    for vote in (_FIRST, *[_LATER] * _LATER_VOTES):
        fitted, gradient = fit_affine(zyx_um, flow, nearest[rows], spacing)
        if vote is _FIRST:
            typical = np.broadcast_to(np.median(movement_um, axis=0), zyx_um.shape)
            expected = _Expected(typical, np.zeros_like(gradient), movement_um, reach_um)
        else:
            said = flow.copy()
            said[rows] = fitted
            expected = _Expected(fitted, gradient, said, _LATER_RADIUS * spacing)
        contradicted = np.zeros(len(flow), bool)
        contradicted[rows] = np.linalg.norm(fitted - flow[rows], axis=1) > _CONTRADICTED * spacing
        open_ = contradicted[nearest[rows, :_LENDERS]].any(axis=1)
        if vote is _FIRST:
            open_ |= lost
        STAT['later' if vote is _LATER else 'first']+=np.array([len(rows),open_.sum()])
        movement = flow.copy()
        movement[rows[~open_]] = fitted[~open_]
        now=fitted[~open_]
        frames.refine(rows[~open_], now, gradient[~open_], _REFINEMENTS)
        movement[rows[~open_]] = now
        movement[rows[open_]] = frames.vote(rows[open_], vote, expected.of(open_))
        changed = np.linalg.norm(movement - flow, axis=1) > _SETTLED * spacing
        flow, rows = movement, np.flatnonzero(changed[nearest].any(axis=1))
        if not len(rows):
            break
    return flow


STAT={'first':np.zeros(2),'later':np.zeros(2)}
@dataclass(frozen=True, slots=True, eq=False)
class _Expected:
    """What is known of some cells before a vote.

    Parameters
    ----------
    movement_um
        Around where this leads earlier cells are looked for, shape (r, 3).
    gradient
        How the movement changes around each cell, shape (r, 3, 3).
    said_um
        What every cell offers as it is, shape (n, 3).
    radius_um
        How far around.
    """

    movement_um: FloatArray
    gradient: FloatArray
    said_um: FloatArray
    radius_um: float

    def of(self, some: BoolArray) -> _Expected:
        return _Expected(self.movement_um[some], self.gradient[some], self.said_um, self.radius_um)


@dataclass(frozen=True, slots=True, eq=False)
class _Frames:
    """Cells with their nearest neighbours, themselves first: rows and distances, shape (n, k); and those of before."""

    zyx_um: FloatArray
    nearest: IntArray
    distance_um: FloatArray
    neighbours: int
    earlier: cKDTree
    bins: Bins
    spacing_um: float

    @classmethod
    def of(cls, zyx_um: FloatArray, earlier_um: FloatArray, neighbours: int) -> _Frames:
        most = max(round(_FITTED_PER_NEIGHBOUR * neighbours), _LENDERS)
        distance, nearest = cKDTree(zyx_um).query(zyx_um, k=min(len(zyx_um), most))
        spacing = max(float(np.median(distance[:, 1])), 1e-3)
        bins = sort_into_bins(earlier_um, _REACH * spacing)
        return cls(zyx_um, np.asarray(nearest, np.int64), distance, neighbours, cKDTree(earlier_um), bins, spacing)

    def refine(self, rows: IntArray, movement_um: FloatArray, gradient: FloatArray, rounds: int) -> FloatArray:
        how = self._ask(rows, _LATER)
        share: FloatArray = refine_by_votes(*how, movement_um, gradient, _REACH * self.spacing_um, rounds)
        return share

    def vote(self, rows: IntArray, vote: _Pass, expected: _Expected) -> FloatArray:
        """Let neighbours vote on movements of some cells to earlier cells around what is expected."""
        offered = _offer(self, rows, vote.offers, expected)
        how, reach = self._ask(rows, vote), _REACH * self.spacing_um
        flow: FloatArray = choose_by_votes(*how, offered, expected.gradient, reach)
        refine_by_votes(*how, flow, expected.gradient, reach, _REFINEMENTS)
        return flow

    def _ask(self, rows: IntArray, vote: _Pass) -> tuple[FloatArray, IntArray, IntArray, FloatArray, Bins]:
        """Return cells, the rows of the voters on some of them, itself included, the weights of their votes, and bins."""
        voters = round(self.neighbours * vote.voters) + 1
        distance = self.distance_um[rows, :voters]
        width = np.maximum(_FADING * distance[:, -1:], 1e-9)
        weight = np.exp(-0.5 * (distance / width) ** 2)
        return self.zyx_um, rows, np.ascontiguousarray(self.nearest[rows, :voters]), weight, self.bins


def _offer(frames: _Frames, rows: IntArray, most: int, expected: _Expected) -> FloatArray:
    """Movements that would lay a cell, or a neighbour that moves as the tissue around the cell, on an earlier cell.

    Returns shape (r, m, 3), NaN where there are fewer. A neighbour that is not among the rows lends what it said.
    """
    start = frames.zyx_um[rows] + expected.movement_um
    ranks = np.arange(1, min(most, frames.earlier.n) + 1)
    found = frames.earlier.query(start, k=ranks, distance_upper_bound=expected.radius_um)
    distance, row = np.asarray(found[0], np.float64), np.asarray(found[1], np.int64)
    own = np.full((len(frames.zyx_um), distance.shape[1] + 1, 3), np.nan)
    own[:, 0] = expected.said_um
    cell, which = np.nonzero(np.isfinite(distance))
    own[rows[cell], which + 1] = np.asarray(frames.earlier.data)[row[cell, which]] - frames.zyx_um[rows[cell]]
    lenders = np.ascontiguousarray(frames.nearest[rows, :_LENDERS])
    lent: FloatArray = lend_movements(frames.zyx_um, rows, lenders, own, expected.gradient)
    return lent


def spread_flow(zyx_um: FloatArray, voters_um: FloatArray, flow_um: FloatArray) -> FloatArray:
    """Give every point the flow of the nearest of the cells it is known of, shape (n, 3)."""
    _, nearest = find_one_nearest(zyx_um, cKDTree(voters_um))
    spread: FloatArray = flow_um[nearest]
    return spread
