from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from morula.matching.edges import find_edge_pairs, match_edges
from morula.matching.pairs import find_close_pairs

D = 2.0


def draw_graph(rng, n_edges):
    """A small candidate graph over frames 0, 1, 2: children may have several parents, links may skip a frame."""
    t = np.repeat([0, 1, 2], 3)
    every = np.array([(p, c) for p in range(9) for c in range(9) if t[p] < t[c]])
    return rng.uniform(0, 3, (9, 3)), t, rng.permutation(every)[:n_edges]


def possible_pairs(zyx_a, t_a, edges_a, zyx_b, t_b, edges_b):
    """Cost of every pair of edges that may be matched, straight from the definition."""
    cost = {}
    for i, (p, c) in enumerate(edges_a):
        for j, (q, d) in enumerate(edges_b):
            at_parent, at_child = np.linalg.norm(zyx_a[p] - zyx_b[q]), np.linalg.norm(zyx_a[c] - zyx_b[d])
            if (t_a[p], t_a[c]) == (t_b[q], t_b[d]) and at_parent <= D and at_child <= D:
                cost[i, j] = at_parent + at_child
    return cost


def least_objective(cost):
    """Objective of the paper over all one-to-one choices, by trying every subset of pairs."""
    matchable = len({i for i, _ in cost}) + len({j for _, j in cost})
    best = np.inf
    for size in range(len(cost) + 1):
        for chosen in combinations(cost, size):
            if len({i for i, _ in chosen}) == size == len({j for _, j in chosen}):
                best = min(best, sum(cost[p] for p in chosen) + (2 * D + 1) * (matchable - 2 * size))
    return best


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 100_000), n=st.integers(0, 4), m=st.integers(0, 4))
def test_edge_matching_minimises_the_papers_objective(seed, n, m):
    rng = np.random.default_rng(seed)
    a, b = draw_graph(rng, n), draw_graph(rng, m)
    pairs = find_close_pairs(a[0], a[1], b[0], b[1], D)
    cost = possible_pairs(*a, *b)
    index_a, index_b, distance = find_edge_pairs(a[2], b[2], pairs)
    assert dict(zip(zip(index_a.tolist(), index_b.tolist(), strict=True), distance, strict=True)) == pytest.approx(cost)
    index_a, index_b, distance = match_edges(a[2], b[2], pairs)
    assert len(set(index_a.tolist())) == len(index_a) == len(set(index_b.tolist()))
    matchable = len({i for i, _ in cost}) + len({j for _, j in cost})
    objective = distance.sum() + (2 * D + 1) * (matchable - 2 * len(index_a))
    assert objective == pytest.approx(least_objective(cost) if cost else 0)


def straight_edges(*y_um):
    """Edges from frame 0 to frame 1, each at one place of a line."""
    n = len(y_um)
    zyx = np.stack([np.zeros(2 * n), np.tile(y_um, 2), np.zeros(2 * n)], axis=1)
    return zyx, np.repeat([0, 1], n), np.stack([np.arange(n), np.arange(n) + n], axis=1)


def matched_straight(truth, found):
    (zyx_a, t_a, edges_a), (zyx_b, t_b, edges_b) = straight_edges(*truth), straight_edges(*found)
    index_a, index_b, _ = match_edges(edges_a, edges_b, find_close_pairs(zyx_a, t_a, zyx_b, t_b, D))
    return dict(zip(index_a.tolist(), index_b.tolist(), strict=True))


def test_two_far_matches_are_better_than_one_exact_one():
    """Threshold 2, penalty 5: 4 + 4 against 0 + 5 + 5."""
    assert matched_straight([0, 2], [2, 4]) == {0: 0, 1: 1}


def test_two_exact_matches_are_better_than_three_far_ones():
    """Threshold 2, penalty 5: 4 + 4 + 4 against 0 + 0 + 5 + 5; the most pairs are not always the best here."""
    assert matched_straight([0, 2, 4], [2, 4, 6]) == {1: 0, 2: 1}


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 100_000))
def test_edge_matching_does_not_depend_on_the_order_of_edges(seed):
    """Points on a lattice, so that many matchings are equally good."""
    rng = np.random.default_rng(seed)
    (_, t, edges_a), (_, _, edges_b) = draw_graph(rng, 12), draw_graph(rng, 12)
    lattice = np.tile([[0.0, 0, 0], [0.0, 0, 1], [0.0, 0, 2]], (3, 1))
    pairs = find_close_pairs(lattice, t, lattice + np.array([0, 0, 0.5]), t, D)
    shuffle_a, shuffle_b = rng.permutation(12), rng.permutation(12)
    index_a, index_b, _ = match_edges(edges_a, edges_b, pairs)
    shuffled_a, shuffled_b, _ = match_edges(edges_a[shuffle_a], edges_b[shuffle_b], pairs)
    as_before = set(zip(shuffle_a[shuffled_a].tolist(), shuffle_b[shuffled_b].tolist(), strict=True))
    assert as_before == set(zip(index_a.tolist(), index_b.tolist(), strict=True))


def test_edges_match_only_when_both_ends_are_close():
    """
    truth  0 o---o 0      found  0 o\\
                                     \\
                                      o 5      the parents are one cell, the children are not
    """
    t, edge = np.array([0, 1]), np.array([[0, 1]])
    truth, found = np.zeros((2, 3)), np.array([[0.0, 0, 0], [0.0, 5, 0]])
    pairs = find_close_pairs(truth, t, found, t, D)
    assert len(match_edges(edge, edge, pairs)[0]) == 0


def test_edges_that_span_different_frames_never_match():
    """
    truth  0   1   2        found  0   1   2
           o-------o               o---o---o
    """
    t, zyx = np.array([0, 1, 2]), np.zeros((3, 3))
    pairs = find_close_pairs(zyx, t, zyx, t, D)
    assert len(match_edges(np.array([[0, 2]]), np.array([[0, 1], [1, 2]]), pairs)[0]) == 0


def test_graphs_without_edges_or_points_match_nothing():
    none, zyx, t = np.zeros((0, 2), int), np.zeros((2, 3)), np.array([0, 1])
    pairs = find_close_pairs(zyx, t, zyx, t, D)
    assert len(match_edges(none, np.array([[0, 1]]), pairs)[0]) == 0
    far = find_close_pairs(zyx, t, zyx + 100, t, D)
    assert len(match_edges(np.array([[0, 1]]), np.array([[0, 1]]), far)[0]) == 0
