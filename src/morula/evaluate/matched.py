"""A reconstruction laid over the truth: which point and which edge is which. All measures start from here.

Matches and looks up; counts nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from morula.core.columns import BoolArray, FloatArray, IntArray
from morula.core.tracks import Tracks
from morula.evaluate.rows import holds, list_children, look_up
from morula.matching.edges import match_edges
from morula.matching.pairs import ClosePairs, find_close_pairs
from morula.matching.points import choose_points


@dataclass(frozen=True, slots=True, eq=False)
class MatchedTracks:
    """Truth and reconstruction with their partners; an edge is named by the row of its child.

    Parameters
    ----------
    truth, reconstruction
        The tracks, n and m points.
    scored
        Truth points that count, shape (n,). Matching always sees the whole truth.
    pairs
        Pairs of points (truth, reconstruction) within the threshold.
    point_of_truth, point_of_reconstruction
        Row of the matched point on the other side, −1 for none, shapes (n,) and (m,).
    distance_um
        Distance of each truth point to its matched point, µm, shape (n,); NaN without one.
    edge_of_truth, edge_of_reconstruction
        Child row of the matched edge on the other side, −1 for none or without a parent, shapes (n,) and (m,).
    truth_children, reconstruction_children
        Rows of the children, −1 for none, shapes (n, 2) and (m, 2).
    """

    truth: Tracks
    reconstruction: Tracks
    scored: BoolArray
    pairs: ClosePairs
    point_of_truth: IntArray
    point_of_reconstruction: IntArray
    distance_um: FloatArray
    edge_of_truth: IntArray
    edge_of_reconstruction: IntArray
    truth_children: IntArray
    reconstruction_children: IntArray

    @property
    def counted_edge(self) -> BoolArray:
        """Truth edges that count, by child row, shape (n,): both ends are scored."""
        parent = self.truth.parent_row
        return (parent >= 0) & self.scored & holds(self.scored, parent)

    def parent_of_match(self, child: IntArray) -> IntArray:
        """Return the reconstructed parent of the edges matched to the truth edges of these child rows, −1 for none."""
        return look_up(self.reconstruction.parent_row, look_up(self.edge_of_truth, child))

    def count_unless_elsewhere(self, truth_rows: IntArray) -> BoolArray:
        """Say which false things count.

        Parameters
        ----------
        truth_rows
            Truth points at which each one was seen, −1 for none, shape (k, j).

        Returns
        -------
        counts
            Shape (k,): false where it was seen at truth points of which none is scored; what was seen at no truth
            point counts.
        """
        at_scored = holds(self.scored, truth_rows)
        return np.logical_or(at_scored.any(axis=1), (truth_rows < 0).all(axis=1))


def match_tracks(reconstruction: Tracks, truth: Tracks, max_distance_um: float, scored: BoolArray) -> MatchedTracks:
    """Match points and edges of a reconstruction and the truth; arguments as for `evaluate_tracks`."""
    pairs = find_close_pairs(truth.zyx_um, truth.t, reconstruction.zyx_um, reconstruction.t, max_distance_um)
    truth_row, row, distance = choose_points(pairs)
    point_of_truth, point_of_reconstruction = np.full(truth.n, -1), np.full(reconstruction.n, -1)
    point_of_truth[truth_row], point_of_reconstruction[row] = row, truth_row
    distance_um = np.full(truth.n, np.nan)
    distance_um[truth_row] = distance
    truth_edges, edges = truth.edges, reconstruction.edges
    truth_index, index, _ = match_edges(truth_edges, edges, pairs)
    truth_child, child = truth_edges[truth_index, 1], edges[index, 1]
    edge_of_truth, edge_of_reconstruction = np.full(truth.n, -1), np.full(reconstruction.n, -1)
    edge_of_truth[truth_child], edge_of_reconstruction[child] = child, truth_child
    return MatchedTracks(
        truth=truth,
        reconstruction=reconstruction,
        scored=scored,
        pairs=pairs,
        point_of_truth=point_of_truth,
        point_of_reconstruction=point_of_reconstruction,
        distance_um=distance_um,
        edge_of_truth=edge_of_truth,
        edge_of_reconstruction=edge_of_reconstruction,
        truth_children=list_children(truth),
        reconstruction_children=list_children(reconstruction),
    )
