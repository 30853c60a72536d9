import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from morula.core.tracks import Tracks
from morula.evaluate.error_free import measure_error_free
from morula.evaluate.rows import list_children


def follow_by_hand(truth: Tracks, children, start_child: int, end: int, counted):
    """Edges (by child) and points of the tree through one edge, as far as edges that begin before frame `end`."""
    edges, points, ahead = [], [], [start_child]
    while ahead:
        child = ahead.pop()
        if not counted[child] or truth.t[truth.parent_row[child]] >= end:
            continue
        edges.append(child)
        points.append(child)
        ahead += [row for row in children[child] if row >= 0]
    return edges, points


def curve_by_hand(truth, counted, missing, broken, window):
    children = list_children(truth)
    sound, long_enough = [0] * window, [0] * window
    for start in np.flatnonzero(counted):
        begin = truth.t[truth.parent_row[start]]
        for w in range(1, window + 1):
            edges, points = follow_by_hand(truth, children, start, begin + w, counted)
            if max(truth.t[points]) < begin + w:
                continue
            long_enough[w - 1] += 1
            inside = [row for row in points if truth.t[row] < begin + w]
            sound[w - 1] += not (missing[edges].any() or broken[inside].any())
    return sound, long_enough


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 1_000_000))
def test_the_curve_agrees_with_following_every_segment_by_hand(make_scene, seed):
    """Spoiled tracks serve as truth here: they branch, end and skip; errors are strewn at random."""
    _, truth = make_scene(seed, crowded=False)
    rng = np.random.default_rng(seed)
    has_parent = truth.parent_row >= 0
    counted = has_parent & (rng.random(truth.n) < 0.95)
    missing, broken = counted & (rng.random(truth.n) < 0.1), rng.random(truth.n) < 0.1
    curve = measure_error_free(truth, counted, missing, broken, 5)
    sound, long_enough = curve_by_hand(truth, counted, missing, broken, 5)
    assert curve.n_segments.tolist() == long_enough
    expected = [s / n if n else math.nan for s, n in zip(sound, long_enough, strict=True)]
    assert curve.fraction.tolist() == pytest.approx(expected, nan_ok=True)


def test_truth_without_links_has_no_segments():
    nothing = np.zeros(2, bool)
    truth = Tracks(np.array([0, 1]), np.zeros((2, 3)), np.array([1, 2]), np.array([-1, -1]))
    curve = measure_error_free(truth, nothing, nothing, nothing, 3)
    assert curve.n_segments.tolist() == [0, 0, 0]
    assert np.isnan(curve.fraction).all()
    assert math.isnan(curve.last)


def test_a_window_longer_than_the_movie_is_legal():
    t = np.arange(3)
    truth = Tracks(t, np.zeros((3, 3)), t, t - 1)
    counted, nothing = t > 0, np.zeros(3, bool)
    curve = measure_error_free(truth, counted, nothing, nothing, 4)
    assert curve.n_segments.tolist() == [2, 1, 0, 0]
    assert curve.fraction[:2].tolist() == [1, 1]
