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
from morula.core.columns import FloatArray, IntArray

_FEWEST_CELLS = 6
"""Fewer cells are no constellation."""

_LENDERS = 9
"""Cells, the cell itself included, whose own possible movements are offered to a cell."""

_REFINEMENTS = 3
_FADING = 0.6
"""Votes count less with distance: Gaussian, of this part of the distance of the farthest voter."""


@dataclass(frozen=True, slots=True)
class _Pass:
    """One vote.

    Parameters
    ----------
    voters
        Voters in the place of each that was asked for.
    reach
        Reach of a vote in spacings of nuclei.
    offers
        Earlier cells from which each lender may come.
    """

    voters: float
    reach: float
    offers: int


_FIRST, _LATER = _Pass(1.4, 0.65, 8), _Pass(1.0, 0.6, 3)
_LATER_VOTES = 4
_LATER_RADIUS = 1.0
"""In later votes a cell may come from this many spacings around where its neighbours' movement leads."""

_FITTED_PER_NEIGHBOUR = 1.8
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
    Every cell is offered the movements that would lay it, or one of its eight nearest neighbours, on an earlier cell,
    and what the network says of these; its neighbours vote by how close to earlier cells the movement would lay them.
    Then an affine movement is fitted around each cell to those chosen (`fit_affine`), and neighbours, moved by it, vote
    on earlier cells near where it leads; up to four times, while movements around a cell change. About 30 µs per cell.

    Examples
    --------
    >>> earlier = np.random.default_rng(0).uniform(0, 60, (60, 3))
    >>> flow = estimate_flow_um(earlier + [0, 0, 5.0], np.zeros((60, 3)), earlier, reach_um=8.0, neighbours=10)
    >>> bool(np.abs(flow - [0, 0, -5.0]).max() < 0.1)
    True
    """
    if min(len(zyx_um), len(earlier_um)) < _FEWEST_CELLS:
        return movement_um
    around, earlier = _Around.of(zyx_um, neighbours), cKDTree(earlier_um)
    spacing = _measure_spacing(earlier_um, earlier)
    bins = sort_into_bins(earlier_um, max(_FIRST.reach, _LATER.reach) * spacing)
    everybody = np.arange(len(zyx_um))
    typical = np.broadcast_to(np.median(movement_um, axis=0), zyx_um.shape)
    still = np.zeros((len(zyx_um), 3, 3))
    flow = _vote(around, everybody, earlier, bins, _FIRST, spacing, _Expected(typical, still, movement_um, reach_um))
    rows = everybody
    for _ in range(_LATER_VOTES):
        fitted, gradient = fit_affine(zyx_um, flow, around.nearest[rows], spacing)
        said, movement = flow.copy(), flow.copy()
        said[rows] = fitted
        expected = _Expected(fitted, gradient, said, _LATER_RADIUS * spacing)
        movement[rows] = _vote(around, rows, earlier, bins, _LATER, spacing, expected)
        changed = np.linalg.norm(movement - flow, axis=1) > _SETTLED * spacing
        flow, rows = movement, np.flatnonzero(changed[around.nearest].any(axis=1))
        if not len(rows):
            break
    return flow


@dataclass(frozen=True, slots=True, eq=False)
class _Around:
    """Cells with their nearest neighbours, themselves first: rows and distances, shape (n, k)."""

    zyx_um: FloatArray
    nearest: IntArray
    distance_um: FloatArray
    neighbours: int

    @classmethod
    def of(cls, zyx_um: FloatArray, neighbours: int) -> _Around:
        most = max(round(_FITTED_PER_NEIGHBOUR * neighbours), _LENDERS)
        distance, nearest = cKDTree(zyx_um).query(zyx_um, k=min(len(zyx_um), most))
        return cls(zyx_um, np.asarray(nearest, np.int64), np.asarray(distance, np.float64), neighbours)

    def weigh(self, rows: IntArray, voters: int) -> tuple[IntArray, FloatArray]:
        """Return the rows of the voters on each of these cells, itself included, and the weights of their votes."""
        distance = self.distance_um[rows, : voters + 1]
        width = np.maximum(_FADING * distance[:, -1:], 1e-9)
        return np.ascontiguousarray(self.nearest[rows, : voters + 1]), np.exp(-0.5 * (distance / width) ** 2)


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


def _vote(
    around: _Around, rows: IntArray, earlier: cKDTree, bins: Bins, vote: _Pass, spacing_um: float, expected: _Expected
) -> FloatArray:
    """Let neighbours vote on movements of some cells to earlier cells around what is expected."""
    reach = vote.reach * spacing_um
    offered = _offer(around, rows, earlier, vote.offers, expected)
    voters, weight = around.weigh(rows, round(around.neighbours * vote.voters))
    how = (around.zyx_um, rows, voters, weight, bins)
    flow: FloatArray = choose_by_votes(*how, offered, expected.gradient, reach)
    for _ in range(_REFINEMENTS):
        refine_by_votes(*how, flow, expected.gradient, reach)
    return flow


def _offer(around: _Around, rows: IntArray, earlier: cKDTree, most: int, expected: _Expected) -> FloatArray:
    """Movements that would lay a cell, or a neighbour that moves as the tissue around the cell, on an earlier cell.

    Returns shape (r, m, 3), NaN where there are fewer. A neighbour that is not among the rows lends what it said.
    """
    start = around.zyx_um[rows] + expected.movement_um
    ranks = np.arange(1, min(most, earlier.n) + 1)
    found = earlier.query(start, k=ranks, distance_upper_bound=expected.radius_um)
    distance, row = np.asarray(found[0], np.float64), np.asarray(found[1], np.int64)
    own = np.full((len(around.zyx_um), distance.shape[1] + 1, 3), np.nan)
    own[:, 0] = expected.said_um
    cell, which = np.nonzero(np.isfinite(distance))
    own[rows[cell], which + 1] = np.asarray(earlier.data)[row[cell, which]] - around.zyx_um[rows[cell]]
    lenders = np.ascontiguousarray(around.nearest[rows, :_LENDERS])
    lent: FloatArray = lend_movements(around.zyx_um, rows, lenders, own, expected.gradient)
    return lent


def _measure_spacing(points_um: FloatArray, tree: cKDTree) -> float:
    """Median distance of a cell to its nearest neighbour; at least so much that votes have a reach."""
    distance, _ = tree.query(points_um, k=[2])
    return max(float(np.median(distance)), 1e-3)


def spread_flow(zyx_um: FloatArray, voters_um: FloatArray, flow_um: FloatArray) -> FloatArray:
    """Give every point the flow of the nearest of the cells it is known of, shape (n, 3)."""
    _, nearest = find_one_nearest(zyx_um, cKDTree(voters_um))
    spread: FloatArray = flow_um[nearest]
    return spread
