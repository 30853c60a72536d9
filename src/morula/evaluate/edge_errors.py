"""Errors at single edges: missing edges, identity switches, edges nobody annotated (Malin-Mayor et al. 2023)."""

from __future__ import annotations

import numpy as np

from morula.core.columns import BoolArray
from morula.evaluate.matched import MatchedTracks
from morula.evaluate.rows import holds, look_up


def find_missing_edges(matched: MatchedTracks) -> BoolArray:
    """Find the truth edges without a reconstructed edge (FN edges).

    Returns
    -------
    missing
        By child row of the truth, shape (n,).
    """
    return matched.counted_edge & (matched.edge_of_truth < 0)


def find_identity_switches(matched: MatchedTracks) -> BoolArray:
    """Find truth points at which the reconstruction changes from one cell to another.

    Such a point has one parent and one child, both of its edges are matched, and the matched edges meet it at two
    different reconstructed points: one track ends here and another takes over. No edge is missing, yet the lineage is
    broken.

    Returns
    -------
    switched
        By truth row, shape (n,).
    """
    counted = matched.counted_edge
    child = matched.truth_children[:, 0]
    arrives_at = matched.edge_of_truth
    leaves_from = matched.parent_of_match(child)
    inside = (matched.truth.n_children == 1) & counted & holds(counted, child)
    both_matched = (arrives_at >= 0) & (leaves_from >= 0)
    switched: BoolArray = inside & both_matched & (arrives_at != leaves_from)
    return switched


def find_unmatched_edges(matched: MatchedTracks) -> BoolArray:
    """Find the reconstructed edges without a truth edge (FP edges if the truth is dense, unknown otherwise).

    An edge seen only at truth points that are not scored is left out.

    Returns
    -------
    unmatched
        By child row of the reconstruction, shape (m,).
    """
    parent, point = matched.reconstruction.parent_row, matched.point_of_reconstruction
    seen_at = np.stack([point, look_up(point, parent)], axis=1)
    return (parent >= 0) & (matched.edge_of_reconstruction < 0) & matched.count_unless_elsewhere(seen_at)


def find_unmatched_near_truth(matched: MatchedTracks) -> BoolArray:
    """Find reconstructed edges without a truth edge, both ends of which lie near scored truth points.

    Near means within the threshold of one in the same frame.

    Returns
    -------
    near
        By child row of the reconstruction, shape (m,).
    """
    parent = matched.reconstruction.parent_row
    near = np.zeros(matched.reconstruction.n, np.bool_)
    near[matched.pairs.row_b[matched.scored[matched.pairs.row_a]]] = True
    return (matched.edge_of_reconstruction < 0) & near & holds(near, parent)
