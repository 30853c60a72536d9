from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from morula.core.tracks import Tracks
from morula.errors import TracksError


@st.composite
def forests(draw) -> tuple[list[int], list[int], list[int]]:
    """Frames, ids and parent ids of a forest, in any row order."""
    n = draw(st.integers(0, 12))
    ids = draw(st.lists(st.integers(0, 99), min_size=n, max_size=n, unique=True))
    t = sorted(draw(st.lists(st.integers(0, 5), min_size=n, max_size=n)))
    parents, children = [], [0] * n
    for row in range(n):
        possible = [p for p in range(row) if t[p] < t[row] and children[p] < 2]
        parent = draw(st.sampled_from([-1, *possible]))
        if parent >= 0:
            children[parent] += 1
        parents.append(ids[parent] if parent >= 0 else -1)
    order = draw(st.permutations(range(n)))
    return [t[i] for i in order], [ids[i] for i in order], [parents[i] for i in order]


def _tracks(t, ids, parents) -> Tracks:
    zyx = np.stack([np.array(ids, float)] * 3, axis=1) if ids else np.zeros((0, 3))
    return Tracks.from_ids(t, zyx, ids, parents, radius_um=np.array(ids, float))


def _root(tracks: Tracks, row: int) -> int:
    while tracks.parent_row[row] >= 0:
        row = tracks.parent_row[row]
    return row


@given(forest=forests())
def test_rows_come_sorted_and_keep_their_parents_positions_and_radii(forest) -> None:
    tracks = _tracks(*forest)
    expected = sorted(zip(*forest, strict=True))
    assert list(zip(tracks.t, tracks.id, tracks.parent_id, strict=True)) == expected
    assert np.array_equal(tracks.zyx_um[:, 0], tracks.id)
    assert np.array_equal(tracks.radius_um, tracks.id)


@given(forest=forests())
def test_edges_and_children_say_the_same_as_parents(forest) -> None:
    tracks = _tracks(*forest)
    links = [(tracks.id[parent], tracks.id[child]) for parent, child in tracks.edges]
    assert sorted(links) == sorted((p, i) for _, i, p in zip(*forest, strict=True) if p >= 0)
    assert tracks.n_children.tolist() == [forest[2].count(i) for i in tracks.id]


@given(forest=forests())
def test_points_share_a_lineage_exactly_if_they_share_a_root(forest) -> None:
    tracks = _tracks(*forest)
    roots = [_root(tracks, row) for row in range(tracks.n)]
    numbers = {root: number for number, root in enumerate(sorted(set(roots)))}
    assert tracks.lineage_id().tolist() == [numbers[root] for root in roots]


@given(forest=forests())
def test_a_tracklet_begins_at_every_root_and_every_daughter_and_nowhere_else(forest) -> None:
    tracks = _tracks(*forest)
    tracklet = tracks.tracklet_id()
    assert sorted(set(tracklet.tolist())) == list(range(len(set(tracklet.tolist()))))
    same = {(p, c) for p, c in tracks.edges.tolist() if tracklet[p] == tracklet[c]}
    assert same == {(p, c) for p, c in tracks.edges.tolist() if tracks.n_children[p] == 1}
    begins = (tracks.parent_row < 0) | (tracks.n_children[tracks.parent_row] == 2) if tracks.n else np.zeros(0, bool)
    assert begins.sum() == len(set(tracklet.tolist()))


@given(forest=forests(), data=st.data())
def test_points_taken_out_make_roots_of_their_children(forest, data) -> None:
    tracks = _tracks(*forest)
    keep = np.array(data.draw(st.lists(st.booleans(), min_size=tracks.n, max_size=tracks.n)), bool)
    kept = tracks.rows(keep)
    remaining = set(tracks.id[keep].tolist())
    assert kept.id.tolist() == tracks.id[keep].tolist()
    assert kept.parent_id.tolist() == [p if p in remaining else -1 for p in tracks.parent_id[keep].tolist()]


def test_a_mother_and_her_daughters_are_three_tracklets_of_one_lineage() -> None:
    """A cell divides after two frames.

    t0   t1    t2
                ,- 3
    1 --- 2 ---<
                `- 4
    """
    tracks = _tracks([0, 1, 2, 2], [1, 2, 3, 4], [-1, 1, 2, 2])
    assert tracks.tracklet_id().tolist() == [0, 0, 1, 2]
    assert tracks.lineage_id().tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("t", "ids", "parents", "message"),
    [
        ([0, 0], [7, 7], [-1, -1], r"id 7 names 2 points, an id must be unique.\n  measured: 1 ids occur more"),
        ([0, 1], [1, 2], [-1, 5], "point 2 in frame 1 names the parent 5, which is not in the table"),
        ([0, 1], [1, 2], [-1, -7], "names the parent -7, which is not in the table"),
        ([1, 0], [1, 2], [-1, 1], r"point 2 in frame 0 has its parent 1 in frame\s+1, a parent must be earlier"),
        ([1, 1], [1, 2], [-1, 1], "a parent must be earlier"),
        ([0], [1], [1], "a parent must be earlier"),
        ([0, 1, 1, 1], [1, 2, 3, 4], [-1, 1, 1, 1], "point 1 in frame 0 has 3 children, a cell divides into two"),
        ([-1], [1], [-1], "point 1: frame -1 is negative"),
        ([0.5], [1], [-1], "t holds 1 values that are not whole numbers"),
        ([2**40], [1], [-1], "t holds 1 values that are not whole numbers, or too large for int32"),
    ],
)
def test_points_that_make_no_forest_are_refused_with_their_reason(t, ids, parents, message) -> None:
    with pytest.raises(TracksError, match=message):
        Tracks.from_ids(t, np.zeros((len(t), 3)), ids, parents)


@pytest.mark.parametrize("row", [-2, 1])
def test_a_parent_row_outside_the_table_is_refused(row) -> None:
    with pytest.raises(TracksError, match="a parent row lies outside the table"):
        Tracks(t=[0], zyx_um=np.zeros((1, 3)), id=[1], parent_row=[row])


@pytest.mark.parametrize("wrong", [{"zyx_um": [[0, 0, np.nan]]}, {"radius_um": np.array([np.nan])}])
def test_numbers_that_are_not_finite_are_refused(wrong) -> None:
    columns = {"t": [0], "zyx_um": [[0.0, 0, 0]], "id": [1], "parent_id": [-1]}
    with pytest.raises(TracksError, match="holds 1 values that are not finite"):
        Tracks.from_ids(**{**columns, **wrong})


@pytest.mark.parametrize("longer", ["t", "zyx_um", "id", "parent_id", "radius_um"])
def test_columns_of_different_length_are_refused(longer) -> None:
    columns = {"t": [0], "zyx_um": [[0.0, 0, 0]], "id": [1], "parent_id": [-1], "radius_um": [1.0]}
    with pytest.raises(TracksError, match=rf"(?s)columns of different length.*2 of {longer}"):
        Tracks.from_ids(**{**columns, longer: columns[longer] * 2})


def test_no_points_are_tracks_too() -> None:
    empty = Tracks.from_ids([], [], [], [])
    assert (empty.n, empty.edges.shape, empty.lineage_id().tolist(), empty.parent_id.tolist()) == (0, (0, 2), [], [])
