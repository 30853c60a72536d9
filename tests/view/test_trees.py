"""Tree layout: mothers above their daughters, leaves apart, what is left out counted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from morula.core.detections import Detections
from morula.core.lineages import Lineages
from morula.view.trees import Forest, lay_out_forest


def lineages(t: list[int], parent: list[int]) -> Lineages:
    n = len(t)
    zyx = np.arange(3.0 * n).reshape(n, 3)
    return Lineages.from_parents(Detections(np.array(t), zyx, np.ones(n), np.zeros((n, 3))), np.array(parent, np.int64))


@st.composite
def forests(draw: st.DrawFn) -> Lineages:
    """Grow a random forest frame by frame: cells go on, divide, end, skip a frame or appear."""
    n_frames = draw(st.integers(1, 8))
    t, parent = [], []
    alive: list[int] = []
    for frame in range(n_frames):
        born = []
        for row in alive:
            fate = draw(st.sampled_from(["go on", "go on", "divide", "end", "skip"]))
            if fate == "skip":
                born.append(row)
                continue
            for _ in range({"go on": 1, "divide": 2, "end": 0}[fate]):
                born.append(len(t))
                t.append(frame)
                parent.append(row)
        for _ in range(draw(st.integers(1 if frame == 0 else 0, 2))):
            born.append(len(t))
            t.append(frame)
            parent.append(-1)
        alive = born[:12]
    return lineages(t, parent)


@settings(max_examples=60, deadline=None)
@given(forests())
def test_mothers_lie_above_and_between_their_daughters_and_leaves_stand_evenly(forest: Lineages) -> None:
    for tree in lay_out_forest(forest).trees:
        mothers = set(tree.parent[tree.parent >= 0].tolist())
        leaves = [row for row in range(len(tree.parent)) if row not in mothers]
        assert sorted(tree.place[leaves].tolist()) == list(range(tree.n_leaves))
        assert (tree.first_t <= tree.last_t).all()
        assert tree.parent[0] == -1
        assert (tree.parent[1:] >= 0).all()
        for row, mother in enumerate(tree.parent.tolist()):
            if mother >= 0:
                daughters = tree.place[tree.parent == mother]
                assert tree.last_t[mother] < tree.first_t[row]
                assert daughters.min() <= tree.place[mother] <= daughters.max()


@settings(max_examples=60, deadline=None)
@given(forests(), st.integers(1, 5), st.integers(1, 12))
def test_bounds_are_kept_and_everything_left_out_is_counted(
    forest: Lineages, max_lineages: int, max_branches: int
) -> None:
    drawn = lay_out_forest(forest, max_lineages=max_lineages, max_branches=max_branches)

    assert 1 <= len(drawn.trees) <= max_lineages
    assert sum(len(tree.parent) for tree in drawn.trees) <= max_branches
    assert drawn.n_undrawn + len(drawn.trees) == len(np.unique(forest.lineage_id))
    assert drawn.n_undrawn_nodes + sum(tree.n_nodes for tree in drawn.trees) == forest.nodes.n
    assert not any(tree.n_hidden for tree in drawn.trees[1:])
    for tree in drawn.trees:
        branches = np.unique(forest.tracklet_id[forest.lineage_id == tree.lineage_id])
        assert tree.n_hidden + len(tree.parent) == len(branches)
        assert bool(tree.is_cut.any()) == bool(tree.n_hidden)


def test_a_division_gives_three_branches_with_their_frames() -> None:
    """0 ─ 1 ─┬─ 2 ─ 4
    └─ 3"""
    (tree,) = lay_out_forest(lineages([0, 1, 2, 2, 3], [-1, 0, 1, 1, 2])).trees

    assert tree.parent.tolist() == [-1, 0, 0]
    assert tree.first_t.tolist() == [0, 2, 2]
    assert tree.last_t.tolist() == [1, 3, 2]
    assert tree.place.tolist() == [0.5, 0, 1]
    assert (tree.n_nodes, tree.n_divisions, tree.n_leaves) == (5, 1, 2)


def test_the_largest_lineages_come_first_and_equal_ones_by_number() -> None:
    forest = lay_out_forest(lineages([0, 0, 0, 1, 1], [-1, -1, -1, 1, 2]), max_lineages=2)

    assert [tree.lineage_id for tree in forest.trees] == [1, 2]
    assert forest.n_undrawn == 1


def test_no_lineages_give_an_empty_drawing() -> None:
    assert lay_out_forest(lineages([], [])) == Forest((), 0, 0)


@pytest.fixture(scope="module")
def many() -> Lineages:
    """1e5 tracks of three points each, and one lineage of 4000 branches."""
    n = 100_000
    t = np.repeat([0, 1, 2], n)
    parent = np.concatenate([np.full(n, -1), np.arange(2 * n)])
    n_splits = 2000
    comb_t = np.concatenate([[2], np.repeat(np.arange(3, 3 + n_splits), 2)])
    comb_parent = np.concatenate([[-1], np.repeat(np.concatenate([[0], np.arange(1, 2 * n_splits - 1, 2)]), 2)])
    parent = np.concatenate([parent, np.where(comb_parent >= 0, comb_parent + 3 * n, -1)])
    return lineages(np.concatenate([t, comb_t]).tolist(), parent.tolist())


def test_a_hundred_thousand_tracks_are_laid_out_within_bounds(many: Lineages) -> None:
    forest = lay_out_forest(many)  # about 0.2 s; a layout that compares every pair of tracks would take hours

    assert forest.n_lineages == 100_001
    assert len(forest.trees[0].parent) == 1200
    assert forest.trees[0].n_hidden == 4001 - 1200
    assert forest.n_undrawn == 100_000
