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
from morula.candidates.votes import choose_by_votes, refine_by_votes, sort_into_bins
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
    on earlier cells near where it leads; four times. About 100 µs per cell.

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
    typical = np.broadcast_to(np.median(movement_um, axis=0), zyx_um.shape)
    flow = _vote(around, earlier, _FIRST, spacing, _Expected(typical, None, movement_um, reach_um))
    for _ in range(_LATER_VOTES):
        fitted, gradient = fit_affine(zyx_um, flow, around.fitted, spacing)
        flow = _vote(around, earlier, _LATER, spacing, _Expected(fitted, gradient, fitted, _LATER_RADIUS * spacing))
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

    @property
    def fitted(self) -> IntArray:
        """Cells to whose movements a smooth one is fitted."""
        return self.nearest

    @property
    def lenders(self) -> IntArray:
        """Cells whose offers each gets."""
        return self.nearest[:, :_LENDERS]

    def weigh(self, voters: int) -> tuple[IntArray, FloatArray]:
        """Return the rows of the voters on each cell, itself included, and the weights of their votes."""
        distance = self.distance_um[:, : voters + 1]
        width = np.maximum(_FADING * distance[:, -1:], 1e-9)
        return np.ascontiguousarray(self.nearest[:, : voters + 1]), np.exp(-0.5 * (distance / width) ** 2)


@dataclass(frozen=True, slots=True, eq=False)
class _Expected:
    """What is known before a vote.

    Parameters
    ----------
    movement_um
        Around where this leads earlier cells are looked for, shape (n, 3).
    gradient
        How the movement changes around each cell, shape (n, 3, 3); None for not at all.
    said_um
        Offered as it is, shape (n, 3).
    radius_um
        How far around.
    """

    movement_um: FloatArray
    gradient: FloatArray | None
    said_um: FloatArray
    radius_um: float


def _vote(around: _Around, earlier: cKDTree, vote: _Pass, spacing_um: float, expected: _Expected) -> FloatArray:
    """Let neighbours vote on movements to earlier cells around what is expected."""
    reach = vote.reach * spacing_um
    bins = sort_into_bins(np.asarray(earlier.data), reach)
    distance, row = earlier.query(
        around.zyx_um + expected.movement_um,
        k=np.arange(1, min(vote.offers, earlier.n) + 1),
        distance_upper_bound=expected.radius_um,
    )
    own = np.full((*distance.shape, 3), np.nan)
    near = np.isfinite(distance)
    own[near] = np.asarray(earlier.data)[row[near]] - around.zyx_um[np.nonzero(near)[0]]
    own = np.concatenate([expected.said_um[:, None], own], axis=1)
    offered = own[around.lenders]
    gradient = np.zeros((len(own), 3, 3)) if expected.gradient is None else expected.gradient
    away = around.zyx_um[:, None] - around.zyx_um[around.lenders]
    offered += np.einsum("nij,nkj->nki", gradient, away)[:, :, None]
    voters, weight = around.weigh(round(around.neighbours * vote.voters))
    flow: FloatArray = choose_by_votes(
        around.zyx_um, voters, weight, bins, offered.reshape(len(own), -1, 3), gradient, reach
    )
    refine_by_votes(around.zyx_um, voters, weight, bins, flow, gradient, reach, _REFINEMENTS)
    return flow


def _measure_spacing(points_um: FloatArray, tree: cKDTree) -> float:
    """Median distance of a cell to its nearest neighbour; at least so much that votes have a reach."""
    distance, _ = tree.query(points_um, k=2)
    return max(float(np.median(distance[:, 1])), 1e-3)


def spread_flow(zyx_um: FloatArray, voters_um: FloatArray, flow_um: FloatArray) -> FloatArray:
    """Give every point the flow of the nearest of the cells it is known of, shape (n, 3)."""
    _, nearest = find_one_nearest(zyx_um, cKDTree(voters_um))
    spread: FloatArray = flow_um[nearest]
    return spread
