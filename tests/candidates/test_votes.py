from __future__ import annotations

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from morula.candidates.votes import (
    choose_by_votes,
    find_closest,
    lend_movements,
    refine_by_votes,
    sort_into_bins,
)


@numba.njit
def _look(bins, places):
    """What `find_closest`, which is for compiled code, returns at each place."""
    rows, squared = np.empty(len(places), np.int64), np.empty(len(places))
    for n in range(len(places)):
        rows[n], squared[n] = find_closest(bins, places[n, 0], places[n, 1], places[n, 2])
    return rows, squared


def _assert_closest(points, places, reach):
    bins = sort_into_bins(points, reach)
    rows, squared = _look(bins, places)
    apart = ((places[:, None] - points) ** 2).sum(axis=2)
    found = rows >= 0
    assert squared == pytest.approx(np.minimum(apart.min(axis=1), reach**2), rel=1e-9, abs=1e-12)
    assert (apart.min(axis=1)[~found] >= reach**2 * (1 - 1e-9)).all()
    assert apart[found, rows[found]] == pytest.approx(apart[found].min(axis=1))


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    count=st.integers(1, 60),
    extent=st.sampled_from([0.0, 0.3, 5.0, 40.0, 1e5]),
    corner=st.sampled_from([0.0, -700.0, 1e6]),
    share=st.floats(0.1, 1.0),
)
def test_the_point_closest_to_any_place_is_found_as_by_brute_force(seed, count, extent, corner, share):
    rng = np.random.default_rng(seed)
    points = corner + rng.uniform(0, extent, (count, 3))
    places = points[rng.integers(0, count, 80)] + rng.normal(0, 1.0, (80, 3))
    _assert_closest(points, places, 1.3 * share)


coordinates = st.lists(st.tuples(*[st.integers(-3, 3)] * 3), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(points=coordinates, places=coordinates)
def test_points_and_places_on_the_edges_of_bins_are_found_too(points, places):
    points, places = np.array(points, float), np.array(places, float)
    _assert_closest(points, places, 1.5)
    _assert_closest(points, places, 2.0)


def test_nothing_is_near_a_place_far_outside_or_nowhere():
    bins = sort_into_bins(np.zeros((1, 3)), 1.0)
    far = np.array([[50.0, 0, 0], [0, -1e300, 0], [0, 0, np.inf], [np.nan, 0, 0]])
    assert _look(bins, far)[0].tolist() == [-1] * 4


def test_two_points_a_metre_apart_need_no_more_bins_than_two_points_may():
    bins = sort_into_bins(np.array([[0.0, 0, 0], [1e6, 1e6, 1e6]]), 1.0)
    assert len(bins.first) - 1 <= 128
    assert _look(bins, np.array([[1e6, 1e6, 1e6 - 0.5], [5e5, 5e5, 5e5]]))[0].tolist() == [1, -1]


@pytest.fixture
def election(tissue):
    """A vote among cells of a tissue on movements, some of them missing, with a changing movement around each."""
    rng = np.random.default_rng(2)
    rows = rng.permutation(300)[:80]
    order = np.argsort(((tissue[rows, None] - tissue) ** 2).sum(axis=2), axis=1)
    offered = rng.normal(0, rng.choice([0.5, 2, 4], (80, 15, 1)), (80, 15, 3))
    offered[rng.random((80, 15)) < 0.3] = np.nan
    offered[3] = np.nan
    weight = np.exp(-np.linspace(0, 2, 10)) * rng.uniform(0.9, 1, (80, 10))
    earlier = tissue + rng.normal(0, 1, tissue.shape)
    bins = sort_into_bins(earlier, REACH_UM)
    voters = np.ascontiguousarray(order[:, :10])
    gradient = rng.normal(0, 0.05, (80, 3, 3))
    return tissue, rows, voters, weight, bins, offered, gradient


REACH_UM = 5.5


def _count_votes(election, i, movement):
    """Votes on one movement by brute force."""
    zyx, rows, voters, weight, bins, _, gradient = election
    away = zyx[voters[i]] - zyx[rows[i]]
    places = zyx[voters[i]] + movement + away @ gradient[i].T
    squared = ((places[:, None] - bins.points) ** 2).sum(axis=2).min(axis=1)
    return float((weight[i] * np.maximum(1 - squared / REACH_UM**2, 0) ** 2).sum())


def test_the_movement_with_most_votes_is_chosen_as_by_brute_force(election):
    chosen = choose_by_votes(*election)
    for i, offers in enumerate(election[5]):
        votes = [-1.0 if np.isnan(offer[0]) else _count_votes(election, i, offer) for offer in offers]
        expected = offers[int(np.argmax(votes))] if max(votes) >= 0 else np.zeros(3)
        assert chosen[i].tolist() == expected.tolist()


def test_the_first_of_equals_is_chosen(tissue):
    here = np.array([[0.0, 0, 0], [0, 0, 50.0]])
    earlier = np.array([[0.0, 0, 1], [0, 0, 51.0], [0, 0, -1.0], [0, 0, 49.0]])
    offered = np.array([[[np.nan] * 3, [0, 0, -1.0], [0, 0, 1.0]], [[0, 0, 1.0], [0, 0, -1.0], [0, 0, 0.0]]])
    rows = np.arange(2)
    voters, weight = np.array([[0, 1], [1, 0]]), np.ones((2, 2))
    bins = sort_into_bins(earlier, 0.9)
    chosen = choose_by_votes(here, rows, voters, weight, bins, offered, np.zeros((2, 3, 3)))
    assert chosen.tolist() == [[0, 0, -1.0], [0, 0, 1.0]]


def test_one_voter_is_enough(election):
    zyx, rows, voters, weight, bins, offered, gradient = election
    alone = (zyx, rows, np.ascontiguousarray(voters[:, :1]), weight[:, :1].copy(), bins, offered, gradient)
    chosen = choose_by_votes(*alone)
    most = [max((_count_votes(alone, i, o) for o in offered[i] if not np.isnan(o[0])), default=0) for i in range(80)]
    got = [_count_votes(alone, i, chosen[i]) for i in range(80) if i != 3]
    assert got == pytest.approx([votes for i, votes in enumerate(most) if i != 3])


def test_a_step_of_refinement_is_the_mean_of_what_is_lacking_and_within_reach(election):
    zyx, rows, voters, weight, bins, _, gradient = election
    before = np.random.default_rng(4).normal(0, 2, (80, 3))
    after = before.copy()
    share = refine_by_votes(zyx, rows, voters, weight, bins, after, gradient, 1)
    assert np.linalg.norm(after - before, axis=1).max() <= REACH_UM
    assert 0 <= share.min() < 0.2 < 0.5 < share.max() <= 1
    for i in range(80):
        assert share[i] * weight[i].sum() == pytest.approx(_count_votes(election, i, before[i]), abs=1e-8)
        places = zyx[voters[i]] + before[i] + (zyx[voters[i]] - zyx[rows[i]]) @ gradient[i].T
        apart = ((places[:, None] - bins.points) ** 2).sum(axis=2)
        vote = weight[i] * np.maximum(1 - apart.min(axis=1) / REACH_UM**2, 0) ** 2
        lacking = bins.points[apart.argmin(axis=1)] - places
        assert after[i] - before[i] == pytest.approx(vote @ lacking / (vote.sum() + 1e-9), abs=1e-9)


def test_refinement_never_leaves_the_reach_of_each_step_and_settles_on_a_tissue_that_was_shifted(tissue):
    rows, shift = np.arange(300), np.array([0.7, -0.9, 0.5])
    voters = np.argsort(((tissue[:, None] - tissue) ** 2).sum(axis=2), axis=1)[:, :10].copy()
    movement = np.zeros((300, 3))
    bins = sort_into_bins(tissue + shift, 3.0)
    how = (tissue, rows, voters, np.ones((300, 10)), bins)
    share = refine_by_votes(*how, movement, np.zeros((300, 3, 3)), 3)
    assert np.linalg.norm(movement, axis=1).max() <= 9.0
    assert movement == pytest.approx(np.tile(shift, (300, 1)), abs=0.05)
    assert share == pytest.approx(np.ones(300), abs=0.01)


def test_rounds_of_refinement_follow_each_other(election):
    zyx, rows, voters, weight, bins, _, gradient = election
    at_once = np.random.default_rng(4).normal(0, 2, (80, 3))
    one_by_one = at_once.copy()
    share = refine_by_votes(zyx, rows, voters, weight, bins, at_once, gradient, 3)
    for _ in range(3):
        last = refine_by_votes(zyx, rows, voters, weight, bins, one_by_one, gradient, 1)
    assert at_once.tolist() == one_by_one.tolist()
    assert share.tolist() == last.tolist()


def test_a_movement_nobody_votes_on_is_left_as_it_is(tissue):
    movement = np.full((1, 3), 500.0)
    bins = sort_into_bins(tissue, 5.0)
    first = np.array([0]), np.arange(5)[None], np.ones((1, 5))
    share = refine_by_votes(tissue, *first, bins, movement, np.zeros((1, 3, 3)), 2)
    assert movement.tolist() == [[500.0, 500.0, 500.0]]
    assert share == pytest.approx([0.0], abs=1e-9)


def test_movements_are_lent_as_they_would_be_at_the_cell_itself(tissue):
    rng = np.random.default_rng(0)
    rows, lenders = np.array([4, 9]), np.array([[4, 1, 7], [9, 4, 2]])
    own, gradient = rng.normal(size=(300, 5, 3)), rng.normal(0, 0.1, (2, 3, 3))
    own[1, 3:] = np.nan
    lent = lend_movements(tissue, rows, lenders, own, gradient)
    away = tissue[rows][:, None] - tissue[lenders]
    expected = own[lenders] + np.einsum("nij,nkj->nki", gradient, away)[:, :, None]
    assert lent == pytest.approx(expected.reshape(2, 15, 3), nan_ok=True)
    assert np.isnan(lent[0, 8:10]).all()
