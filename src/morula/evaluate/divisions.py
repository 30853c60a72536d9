"""False and missed divisions, judged by their edges (Malin-Mayor et al. 2023); the tolerant score is elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from morula.core.columns import BoolArray, IntArray
from morula.evaluate.matched import MatchedTracks
from morula.evaluate.rows import holds, look_up


@dataclass(frozen=True, slots=True, eq=False)
class JudgedDivisions:
    """Reconstructed divisions the truth can speak about.

    Parameters
    ----------
    row
        Reconstructed rows, shape (k,).
    seen_at
        Truth rows at which each was matched, through its parent edge and its two child edges, −1 for none,
        shape (k, 3).
    right
        Whether the two child edges are matched to two sister edges of the truth, shape (k,).
    """

    row: IntArray
    seen_at: IntArray
    right: BoolArray


@dataclass(frozen=True, slots=True, eq=False)
class MissedDivisions:
    """True divisions the reconstruction does not show as one, as truth rows, shapes (k,).

    `unconnected_parent` are divisions that were found without their mother's past: reported, not counted.
    """

    one_unconnected_child: IntArray
    no_connection: IntArray
    unconnected_parent: IntArray


def judge_divisions(matched: MatchedTracks, *, dense: bool) -> JudgedDivisions:
    """Judge reconstructed points with two children; those that are not right are false divisions.

    With sparse truth a division is not judged when neither of its child edges is matched and either its own parent edge
    is not matched (it has none, or the truth does not follow that cell) or the truth track that edge is matched to ends
    there (the annotator stopped). What is seen only at truth that is not scored is not judged either.
    """
    row = np.flatnonzero(matched.reconstruction_children[:, 1] >= 0)
    here = matched.edge_of_reconstruction[row]
    first, second = look_up(matched.edge_of_reconstruction, matched.reconstruction_children[row]).T
    mother_of_first = look_up(matched.truth.parent_row, first)
    mother_of_second = look_up(matched.truth.parent_row, second)
    right = (first >= 0) & (second >= 0) & (mother_of_first == mother_of_second)
    seen_at = np.stack([here, mother_of_first, mother_of_second], axis=1)
    judged = _count_if_scored(matched, row, seen_at)
    if not dense:
        judged &= (first >= 0) | (second >= 0) | holds(matched.truth.n_children > 0, here)
    return JudgedDivisions(row=row[judged], seen_at=seen_at[judged], right=right[judged])


def find_missed_divisions(matched: MatchedTracks) -> MissedDivisions:
    """Find true divisions whose three edges do not meet in one reconstructed point.

    Let a and b be the reconstructed parents of the matched child edges and q the reconstructed child end of the matched
    parent edge; an edge without a match gives no point, and no point equals nothing. Right is a = b = q, or a = b for a
    cell without a parent. Otherwise *one unconnected child* (a ≠ b, one of them is q), *no connection* (a ≠ b, neither
    is q) or *unconnected parent* (a = b ≠ q).
    """
    row = find_true_divisions(matched)
    a, b = matched.parent_of_match(matched.truth_children[row]).T
    q = matched.edge_of_truth[row]
    together = (a >= 0) & (a == b)
    one_is_mother = (q >= 0) & ((a == q) | (b == q))
    has_past = matched.truth.parent_row[row] >= 0
    return MissedDivisions(
        one_unconnected_child=row[~together & one_is_mother],
        no_connection=row[~together & ~one_is_mother],
        unconnected_parent=row[together & has_past & (a != q)],
    )


def find_true_divisions(matched: MatchedTracks) -> IntArray:
    """Return the truth rows of the divisions that count: the mother and both daughters are scored."""
    row = np.flatnonzero(matched.truth_children[:, 1] >= 0)
    return row[matched.counted_edge[matched.truth_children[row]].all(axis=1)]


def _count_if_scored(matched: MatchedTracks, row: IntArray, seen_at: IntArray) -> BoolArray:
    """Leave out divisions seen only at truth that is not scored: by their edges or, matched by none, by their point."""
    by_point = matched.point_of_reconstruction[row][:, None]
    by_edge = np.any(seen_at >= 0, axis=1, keepdims=True)
    seen = np.where(by_edge, seen_at, by_point)
    return matched.count_unless_elsewhere(seen)
