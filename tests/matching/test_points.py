from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from morula.matching.points import match_points


def best_by_hand(zyx_a, zyx_b, max_distance_um):
    """Number of pairs and total distance of the best matching of one frame, trying all of them."""
    if len(zyx_a) > len(zyx_b):
        zyx_a, zyx_b = zyx_b, zyx_a
    distance = np.linalg.norm(zyx_a[:, None] - zyx_b[None], axis=2)
    best = (0, 0.0)
    for columns in permutations(range(len(zyx_b)), len(zyx_a)):
        d = distance[np.arange(len(zyx_a)), list(columns)]
        best = min(best, (-int((d <= max_distance_um).sum()), float(d[d <= max_distance_um].sum())))
    return -best[0], best[1]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 100_000), n=st.integers(0, 5), m=st.integers(0, 6))
def test_matching_agrees_with_trying_all_assignments_of_each_frame(seed, n, m):
    rng = np.random.default_rng(seed)
    zyx_a, zyx_b = rng.uniform(0, 6, (2, n, 3)), rng.uniform(0, 6, (2, m, 3))
    frame_a, frame_b = np.repeat([4, 9], n), np.repeat([4, 9], m)
    rows_a, rows_b, distance = match_points(zyx_a.reshape(-1, 3), frame_a, zyx_b.reshape(-1, 3), frame_b, 3.0)
    assert (frame_a[rows_a] == frame_b[rows_b]).all()
    for k, t in enumerate((4, 9)):
        here = frame_a[rows_a] == t
        assert (here.sum(), distance[here].sum()) == pytest.approx(best_by_hand(zyx_a[k], zyx_b[k], 3.0))


def test_a_second_pair_is_worth_more_than_a_short_distance():
    """On a line with threshold 3: a at 0 and 4, b at 3 and 6; the 4-3 pair alone would be shortest."""
    line = np.zeros((2, 3))
    a, b = line.copy(), line.copy()
    a[:, 2], b[:, 2] = [0, 4], [3, 6]
    rows_a, rows_b, distance = match_points(a, np.zeros(2, int), b, np.zeros(2, int), 3.0)
    assert (rows_a.tolist(), rows_b.tolist(), distance.tolist()) == ([0, 1], [0, 1], [3.0, 2.0])


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 100_000), n=st.integers(1, 60))
def test_matching_does_not_depend_on_the_order_of_rows(seed, n):
    rng = np.random.default_rng(seed)
    zyx_a = rng.permutation(np.stack(np.meshgrid(*[np.arange(4.0)] * 3), axis=-1).reshape(-1, 3))[:n]
    zyx_b, t = zyx_a + np.array([0.0, 0.0, 0.5]), np.zeros(n, int)  # full of ties: half way between two lattice points
    shuffle_a, shuffle_b = rng.permutation(n), rng.permutation(n)
    rows_a, rows_b, _ = match_points(zyx_a, t, zyx_b, t, 1.2)
    shuffled_a, shuffled_b, _ = match_points(zyx_a[shuffle_a], t, zyx_b[shuffle_b], t, 1.2)
    as_before = set(zip(shuffle_a[shuffled_a].tolist(), shuffle_b[shuffled_b].tolist(), strict=True))
    assert as_before == set(zip(rows_a.tolist(), rows_b.tolist(), strict=True))


def test_a_large_frame_of_competing_points_is_matched_one_to_one_to_the_truth():
    rng = np.random.default_rng(0)
    zyx = np.stack(np.meshgrid(*[np.arange(8.0)] * 3), axis=-1).reshape(-1, 3) * 9
    t, order = np.zeros(len(zyx), int), rng.permutation(len(zyx))
    rows_a, rows_b, _ = match_points(zyx, t, (zyx + rng.normal(0, 0.5, zyx.shape))[order], t, 20.0)
    assert len(rows_a) == len(zyx)
    assert (order[rows_b] == rows_a).all()


def test_nothing_to_match_gives_no_rows():
    nothing, frame = np.zeros((0, 3)), np.zeros(0, int)
    assert [len(x) for x in match_points(nothing, frame, nothing, frame, 1.0)] == [0, 0, 0]
