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

_FIRST_REFINEMENTS, _REFINEMENTS = 3, 2


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


_FIRST, _LATER = _Pass(1.4, 7), _Pass(1.0, 3)
_LATER_VOTES = 4
_LATER_RADIUS = 1.0
"""In later votes a cell may come from this many spacings around where its neighbours' movement leads."""

_FITTED_PER_NEIGHBOUR = 1.8
_DISPUTED = 0.2
"""Neighbours vote on a cell where one of its lenders moves this many spacings unlike the cells around that one ..."""

_FEW_VOTES = 0.35
"""... or where fewer of its neighbours than this share are laid on earlier cells by what the network says."""

_SETTLED = 0.15
"""Cells are looked at again where a movement around them changed by more than this many spacings."""


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
    shifted to where these, moved by it, lie on earlier cells. Where movements next to each other agree after that, they
    are right. Elsewhere neighbours vote: a cell is offered the movements that would lay it, or one of its eight nearest
    neighbours, on an earlier cell, and what the network says of these; the closer to earlier cells a movement would lay
    the neighbours, the more votes it has. Then both are repeated with what was found, up to four times where movements
    change. About 12 µs per cell, three times that where vectors are useless or cells stand without order.

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
    everybody = np.arange(len(zyx_um))
    start, gradient = fit_affine(zyx_um, movement_um, frames.nearest, frames.spacing_um)
    flow, share = frames.refine(everybody, start, gradient, _FIRST_REFINEMENTS)
    typical = np.broadcast_to(np.median(movement_um, axis=0), flow.shape)
    first = _Expected(typical, np.zeros_like(gradient), movement_um, reach_um)
    changed = _improve(frames, everybody, flow, share < _FEW_VOTES, first)
    for _ in range(_LATER_VOTES):
        rows = np.flatnonzero(changed[frames.nearest].any(axis=1))
        if not len(rows):
            break
        changed = _improve(frames, rows, flow)
    return flow


def _improve(
    frames: _Frames, rows: IntArray, flow: FloatArray, lost: BoolArray | None = None, first: _Expected | None = None
) -> BoolArray:
    """Write what movements around them say of some cells, by a vote where these disagree; return whose flow changed.

    In the first vote `lost` cells are voted on too, and nothing is expected yet but what the network says.
    """
    fitted, gradient = fit_affine(frames.zyx_um, flow, frames.nearest[rows], frames.spacing_um)
    disputed = frames.find_disputed(rows, flow, fitted)
    if lost is not None:
        disputed |= lost
    before = flow.copy()
    flow[rows] = fitted
    expected = first or _Expected(fitted, gradient, flow.copy(), _LATER_RADIUS * frames.spacing_um)
    calm = ~disputed
    flow[rows[calm]], _ = frames.refine(rows[calm], fitted[calm], gradient[calm], _REFINEMENTS)
    vote = _FIRST if first else _LATER
    flow[rows[disputed]] = frames.vote(rows[disputed], vote, expected.of(disputed))
    return frames.are_apart(flow, before, _SETTLED)


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
        """Return what is known of some of them."""
        return _Expected(self.movement_um[some], self.gradient[some], self.said_um, self.radius_um)


@dataclass(frozen=True, slots=True, eq=False)
class _Frames:
    """The cells of a frame among their neighbours, and those of the frame before.

    Parameters
    ----------
    zyx_um
        Positions, µm, shape (n, 3).
    nearest, distance_um
        Rows of the nearest cells of each, itself first, and how far they are, shape (n, k).
    neighbours
        How many were asked for.
    spacing_um
        Median distance of a cell to its nearest neighbour; at least so much that votes have a reach.
    earlier, bins
        Cells of the frame before, to find the nearest of them and those in reach.
    """

    zyx_um: FloatArray
    nearest: IntArray
    distance_um: FloatArray
    neighbours: int
    spacing_um: float
    earlier: cKDTree
    bins: Bins

    @classmethod
    def of(cls, zyx_um: FloatArray, earlier_um: FloatArray, neighbours: int) -> _Frames:
        most = max(round(_FITTED_PER_NEIGHBOUR * neighbours), _LENDERS)
        found = cKDTree(zyx_um).query(zyx_um, k=min(len(zyx_um), most))
        distance, nearest = np.asarray(found[0], np.float64), np.asarray(found[1], np.int64)
        spacing = max(float(np.median(distance[:, 1])), 1e-3)
        bins = sort_into_bins(earlier_um, _REACH * spacing)
        return cls(zyx_um, nearest, distance, neighbours, spacing, cKDTree(earlier_um), bins)

    def are_apart(self, one: FloatArray, other: FloatArray, spacings: float) -> BoolArray:
        """Say which movements differ by more than so many spacings."""
        apart: BoolArray = np.linalg.norm(one - other, axis=1) > spacings * self.spacing_um
        return apart

    def find_disputed(self, rows: IntArray, flow: FloatArray, fitted: FloatArray) -> BoolArray:
        """Say which of these cells have a lender that moves unlike the cells around it."""
        odd = np.zeros(len(flow), bool)
        odd[rows] = self.are_apart(fitted, flow[rows], _DISPUTED)
        disputed: BoolArray = np.asarray(odd[self.nearest[rows, :_LENDERS]].any(axis=1))
        return disputed

    def refine(
        self, rows: IntArray, movement_um: FloatArray, gradient: FloatArray, rounds: int
    ) -> tuple[FloatArray, FloatArray]:
        """Shift movements of some cells to where their neighbours lie on earlier cells; return them and their votes."""
        refined = movement_um.copy()
        share = refine_by_votes(*self._ask(rows, _LATER), refined, gradient, rounds)
        return refined, share

    def vote(self, rows: IntArray, vote: _Pass, expected: _Expected) -> FloatArray:
        """Let neighbours vote on movements of some cells to earlier cells around what is expected."""
        offered, how = _offer(self, rows, vote.offers, expected), self._ask(rows, vote)
        flow: FloatArray = choose_by_votes(*how, offered, expected.gradient)
        refine_by_votes(*how, flow, expected.gradient, _REFINEMENTS)
        return flow

    def _ask(self, rows: IntArray, vote: _Pass) -> tuple[FloatArray, IntArray, IntArray, FloatArray, Bins]:
        """Cells, the rows of some, the rows of the voters on these, themselves included, their weights, and bins."""
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
