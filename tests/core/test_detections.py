from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from morula.core.detections import DIVISION_COLUMNS, Detections
from morula.errors import GraphError

POINTS = st.tuples(st.integers(0, 4), st.tuples(*[st.integers(-3, 3)] * 3), st.floats(0, 1))
ROWS = st.lists(POINTS, max_size=12, unique_by=lambda row: row[:2])


def _build(rows) -> Detections:
    t, zyx, score = zip(*rows, strict=True) if rows else ((), (), ())
    movement = np.arange(3 * len(rows)).reshape(-1, 3)
    return Detections.sorted(np.array(t, int), np.array(zyx, float).reshape(-1, 3), np.array(score, float), movement)


@given(rows=ROWS, order=st.randoms(use_true_random=False))
def test_sorting_forgets_the_order_that_rows_came_in(rows, order) -> None:
    shuffled = list(rows)
    order.shuffle(shuffled)
    one, other = _build(rows), _build(shuffled)
    assert np.array_equal(one.t, other.t)
    assert np.array_equal(one.zyx_um, other.zyx_um)
    assert np.array_equal(one.score, other.score)
    assert list(zip(one.t, *one.zyx_um.T, strict=True)) == sorted((t, *map(float, zyx)) for t, zyx, _ in rows)


@given(rows=ROWS)
def test_a_frame_is_a_slice_and_all_slices_together_are_all_detections(rows) -> None:
    detections = _build(rows)
    frames = [detections.t[detections.frame(t)] for t in range(-1, 6)]
    assert all((frame == t).all() for t, frame in zip(range(-1, 6), frames, strict=True))
    assert np.array_equal(np.concatenate(frames), detections.t)


@given(rows=ROWS, cut=st.integers(0, 12))
def test_parts_joined_again_are_the_whole(rows, cut) -> None:
    whole, parts = _build(rows), Detections.concatenated([_build(rows[:cut]), _build(rows[cut:])])
    assert np.array_equal(whole.t, parts.t)
    assert np.array_equal(whole.zyx_um, parts.zyx_um)
    assert np.array_equal(whole.score, parts.score)


def test_movement_stays_with_its_detection() -> None:
    detections = Detections.sorted([1, 0], [[0, 0, 1], [0, 0, 2]], [0.1, 0.2], [[1, 1, 1], [2, 2, 2]])
    assert detections.score.tolist() == [0.2, 0.1]
    assert detections.movement_um.tolist() == [[2, 2, 2], [1, 1, 1]]


def _know(divides=None, born=None, t=(1, 0)) -> Detections:
    n = len(t)
    return Detections.sorted(np.array(t), np.zeros((n, 3)), np.ones(n), np.zeros((n, 3)), divides=divides, born=born)


def test_who_divides_and_who_is_born_stays_with_its_detection() -> None:
    nodes = _know(divides=np.array([0.9, 0.1]), born=np.array([0.2, 0.8]))
    assert (nodes.divides.tolist(), nodes.born.tolist()) == ([0.1, 0.9], [0.8, 0.2])
    assert nodes.rows(np.array([False, True])).divides.tolist() == [0.9]
    assert nodes.rows(slice(0, 1)).born.tolist() == [0.8]


@pytest.mark.parametrize("nothing", [None, np.zeros(0), np.full(2, np.nan)])
def test_what_nobody_knows_is_nan_in_every_row(nothing) -> None:
    nodes = _know(divides=nothing, born=np.array([0.2, 0.8]))
    assert nodes.divides.shape == (2,)
    assert np.isnan(nodes.divides).all()
    assert np.isnan(Detections.concatenated([nodes, _know(born=np.array([1.0, 0]))]).divides).all()
    assert np.isnan(nodes.rows(np.array([1])).divides).tolist() == [True]
    assert Detections.empty().divides.shape == (0,)


def test_parts_without_rows_do_not_change_what_is_known() -> None:
    known = _know(divides=np.array([0.9, 0.1]))
    assert Detections.concatenated([Detections.empty(), known]).divides.tolist() == [0.1, 0.9]


def test_parts_of_which_only_some_know_who_divides_are_not_joined() -> None:
    with pytest.raises(GraphError, match="divides is known for 2 of 4 rows, it has to be for all or none"):
        Detections.concatenated([_know(divides=np.array([0.9, 0.1])), _know()])


def test_no_parts_make_no_detections() -> None:
    assert Detections.concatenated([]).n == 0
    assert Detections.concatenated([Detections.empty(), Detections.empty()]).n == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"t": [1, 0]}, "frames are not in order"),
        ({"t": [0.0, 0.5]}, "t holds 1 values that are not whole numbers"),
        ({"score": [0.5]}, r"score has shape \(1,\), expected \(2,\)"),
        ({"score": [0.5, np.nan]}, "score holds 1 values that are not finite"),
        ({"zyx_um": np.zeros((2, 2))}, r"zyx_um has shape \(2, 2\)"),
        ({"movement_um": np.full((2, 3), np.inf)}, "movement_um holds 6 values that are not finite"),
        ({"divides": [0.5, np.nan]}, "divides is known for 1 of 2 rows"),
        ({"divides": [0.5, 1.5]}, r"divides holds 1 values that are not in \[0, 1\]"),
        ({"born": [-0.1, np.inf]}, r"born holds 2 values that are not in \[0, 1\]"),
        ({"born": [0.5]}, r"born has shape \(1,\), expected \(2,\)"),
        ({"born": [np.nan]}, r"born has shape \(1,\), expected \(2,\)"),
    ],
)
def test_detections_without_sense_cannot_be_built(changes, message) -> None:
    columns = {"t": [0, 1], "zyx_um": np.zeros((2, 3)), "score": [0.5, 0.5], "movement_um": np.zeros((2, 3))}
    with pytest.raises(GraphError, match=message):
        Detections(**{**columns, **changes})


@pytest.mark.parametrize("longer", ["zyx_um", "score", "movement_um", *DIVISION_COLUMNS])
def test_rows_of_columns_that_are_too_long_are_not_dropped_in_silence(longer) -> None:
    columns = {"t": [0], "zyx_um": [[0, 0, 0]], "score": [0.5], "movement_um": [[0, 0, 0]], "divides": [0], "born": [0]}
    with pytest.raises(GraphError, match=r"columns of different length.\n  measured: 1 frames"):
        Detections.sorted(**{**columns, longer: columns[longer] * 2})
