import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from morula.errors import ConfigError
from morula.matching import pairs as pairs_module
from morula.matching.pairs import find_close_pairs


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(0, 25), m=st.integers(0, 25))
def test_close_pairs_are_those_a_full_search_finds(seed, n, m):
    rng = np.random.default_rng(seed)
    zyx_a, zyx_b = rng.integers(0, 5, (n, 3)).astype(float), rng.integers(0, 5, (m, 3)).astype(float)
    t_a, t_b = rng.integers(0, 3, n), rng.integers(1, 4, m)
    pairs = find_close_pairs(zyx_a, t_a, zyx_b, t_b, 2.0)
    by_hand = {
        (i, j): np.linalg.norm(zyx_a[i] - zyx_b[j])
        for i in range(n)
        for j in range(m)
        if t_a[i] == t_b[j] and np.linalg.norm(zyx_a[i] - zyx_b[j]) <= 2.0
    }
    found = dict(zip(zip(pairs.row_a.tolist(), pairs.row_b.tolist(), strict=True), pairs.distance_um, strict=True))
    assert found == pytest.approx(by_hand)
    assert len(pairs.row_a) == len(by_hand)


def test_a_pair_exactly_at_the_distance_counts_and_one_just_beyond_does_not():
    here, there = np.zeros((1, 3)), np.array([[0.0, 0.0, 3.0]])
    frame = np.zeros(1, int)
    assert len(find_close_pairs(here, frame, there, frame, 3.0).row_a) == 1
    assert len(find_close_pairs(here, frame, there + 1e-9, frame, 3.0).row_a) == 0


def test_pairs_come_in_the_order_of_places_whatever_the_order_of_rows():
    zyx, t = np.array([[0.0, 0, 9], [0.0, 0, 1], [0.0, 0, 5]]), np.array([1, 1, 0])
    pairs = find_close_pairs(zyx, t, zyx, t, 0.5)
    assert pairs.row_a.tolist() == [2, 1, 0]


def test_the_pairs_of_one_point_come_by_the_place_of_the_other():
    rng = np.random.default_rng(0)
    zyx, t = rng.uniform(0, 10, (200, 3)), np.zeros(200, int)
    pairs = find_close_pairs(zyx, t, zyx, t, 4.0)
    place = np.argsort(np.argsort(zyx[:, 0]))
    order = place[pairs.row_a] * 200 + place[pairs.row_b]
    assert len(order) > 1000
    assert (np.diff(order) > 0).all()


@pytest.mark.parametrize("distance", [0.0, -1.0, np.inf, np.nan])
def test_a_distance_that_is_none_is_refused(distance):
    with pytest.raises(ConfigError, match="must be above 0 and finite"):
        find_close_pairs(np.zeros((1, 3)), np.zeros(1, int), np.zeros((1, 3)), np.zeros(1, int), distance)


def test_a_distance_that_makes_everything_close_is_refused_before_memory_runs_out(monkeypatch):
    monkeypatch.setattr(pairs_module, "_MOST_PAIRS", 99)
    zyx, t = np.random.default_rng(0).uniform(0, 50, (10, 3)), np.zeros(10, int)
    with pytest.raises(ConfigError, match=r"(?s)1000 µm is too large.*100 pairs of 10 and 10 points.*voxels"):
        find_close_pairs(zyx, t, zyx, t, 1000.0)
