"""Lineage trees laid out for the page: time runs downwards, leaves are placed evenly, divisions are forks.

Only the largest lineages are drawn, and never more than a set number of branches; what is left out is counted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from morula.core.columns import BoolArray, FloatArray, IntArray, ReadOnlyColumns
from morula.core.lineages import Lineages


@dataclass(frozen=True, slots=True, eq=False)
class TreeLayout(ReadOnlyColumns):
    """One lineage, its branches (unbranched pieces) placed; rows are branches in the order of their first frames.

    Parameters
    ----------
    lineage_id
        Number of the lineage.
    n_nodes, n_divisions
        Points and divisions of the whole lineage, drawn or not.
    n_hidden
        Branches left out because the lineage has too many; the earliest are drawn.
    first_t, last_t
        First and last frame of each branch, shape (b,).
    parent
        Row of the mother's branch, −1 for the root, shape (b,).
    place
        Horizontal place in leaves, 0 for the leftmost leaf, shape (b,).
    is_cut
        Whether branches below this one were left out, shape (b,).
    """

    lineage_id: int
    n_nodes: int
    n_divisions: int
    n_hidden: int
    first_t: IntArray
    last_t: IntArray
    parent: IntArray
    place: FloatArray
    is_cut: BoolArray

    @property
    def n_leaves(self) -> int:
        """Number of branches that end without a fork in the drawing."""
        return len(self.parent) - len(np.unique(self.parent[self.parent >= 0]))


@dataclass(frozen=True, slots=True)
class Forest:
    """The trees drawn and how many were not.

    Parameters
    ----------
    trees
        Layouts, the largest lineage first.
    n_lineages
        Lineages in all.
    n_undrawn_nodes
        Points of the lineages not drawn.
    """

    trees: tuple[TreeLayout, ...]
    n_lineages: int
    n_undrawn_nodes: int

    @property
    def n_undrawn(self) -> int:
        """Lineages that are not drawn."""
        return self.n_lineages - len(self.trees)


def lay_out_forest(lineages: Lineages, *, max_lineages: int = 24, max_branches: int = 1200) -> Forest:
    """Lay out the largest lineages.

    Parameters
    ----------
    lineages
        The lineages.
    max_lineages
        Most lineages to draw; larger (more points) come first, then those with the lower number.
    max_branches
        Most branches to draw in all; a single lineage with more is cut below its earliest ones.
    """
    sizes = np.bincount(lineages.lineage_id) if lineages.nodes.n else np.zeros(0, np.int64)
    largest = np.argsort(-sizes, kind="stable")[:max_lineages]
    chosen = np.flatnonzero(np.isin(lineages.lineage_id, largest))
    by_lineage = {int(number): chosen[lineages.lineage_id[chosen] == number] for number in largest}
    trees: list[TreeLayout] = []
    room = max_branches
    for number, rows in by_lineage.items():
        if trees and len(np.unique(lineages.tracklet_id[rows])) > room:
            continue
        trees.append(_lay_out_tree(lineages, number, rows, room))
        room -= len(trees[-1].parent)
    return Forest(tuple(trees), len(sizes), int(sizes.sum()) - sum(tree.n_nodes for tree in trees))


def _lay_out_tree(lineages: Lineages, number: int, rows: IntArray, max_branches: int) -> TreeLayout:
    tracklet, first = np.unique(lineages.tracklet_id[rows], return_index=True)
    backwards = np.unique(lineages.tracklet_id[rows][::-1], return_index=True)[1]
    first_row, last_row = rows[first], rows[len(rows) - 1 - backwards]
    mother_row = lineages.parent_row[first_row]
    mother = np.where(mother_row >= 0, np.searchsorted(tracklet, lineages.tracklet_id[mother_row]), -1)
    order = np.lexsort((first_row, lineages.nodes.t[first_row]))
    new = np.empty(len(order), np.int64)
    new[order] = np.arange(len(order))
    parent = np.where(mother[order] >= 0, new[mother[order]], -1)
    kept, left_out = parent[:max_branches], parent[max_branches:]  # mothers begin earlier, so this never orphans
    return TreeLayout(
        lineage_id=number,
        n_nodes=len(rows),
        n_divisions=int((lineages.tracks.n_children[rows] == 2).sum()),
        n_hidden=len(left_out),
        first_t=lineages.nodes.t[first_row[order]][:max_branches].astype(np.int64),
        last_t=lineages.nodes.t[last_row[order]][:max_branches].astype(np.int64),
        parent=kept,
        place=_place_branches(kept),
        is_cut=np.isin(np.arange(len(kept)), left_out),
    )


def _place_branches(parent: IntArray) -> FloatArray:
    """Place leaves evenly in depth-first order and every mother midway between her outer daughters."""
    children: list[list[int]] = [[] for _ in parent]
    for row, mother in enumerate(parent.tolist()):
        if mother >= 0:
            children[mother].append(row)
    place = np.zeros(len(parent))
    next_leaf = 0
    stack = [row for row in range(len(parent) - 1, -1, -1) if parent[row] < 0]
    while stack:
        row = stack.pop()
        stack.extend(reversed(children[row]))
        if not children[row]:
            place[row] = next_leaf
            next_leaf += 1
    for row in range(len(parent) - 1, -1, -1):
        if children[row]:
            place[row] = (place[children[row][0]] + place[children[row][-1]]) / 2
    return place
