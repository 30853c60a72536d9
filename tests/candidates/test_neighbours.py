from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from morula.candidates.neighbours import find_chance_radius, find_nearest, list_offsets

coordinates = st.lists(st.tuples(*[st.integers(0, 3)] * 3), min_size=1, max_size=20)


@settings(max_examples=80, deadline=None)
@given(points=coordinates, others=coordinates, radius=st.integers(1, 4), count=st.integers(1, 6))
def test_it_equals_sorting_all_distances_also_on_a_grid_full_of_ties(points, others, radius, count):
    points, others = np.array(points, float), np.array(others, float)
    expected = []
    for row, point in enumerate(points):
        away = np.sqrt(((others - point) ** 2).sum(axis=1))
        order = np.lexsort((np.arange(len(others)), away))
        expected += [(row, int(other), float(away[other])) for other in order[:count] if away[other] <= radius]
    found = list(zip(*(part.tolist() for part in find_nearest(points, cKDTree(others), radius, count)), strict=True))
    assert [pair[:2] for pair in found] == [pair[:2] for pair in expected]
    assert [pair[2] for pair in found] == pytest.approx([pair[2] for pair in expected])


def test_the_radius_itself_is_within():
    point, neighbour, distance = find_nearest(np.zeros((1, 3)), cKDTree([[0, 0, 3.0], [0, 0, 3.001]]), 3.0, 5)
    assert (point.tolist(), neighbour.tolist(), distance.tolist()) == ([0], [0], [3.0])


def test_a_random_place_has_a_point_within_the_chance_radius_as_often_as_said():
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 100, (4000, 3))
    tree = cKDTree(points)
    radius = find_chance_radius(points[:500], tree, 0.2)
    share = (tree.query(rng.uniform(10, 90, (4000, 3)))[0] <= radius).mean()
    assert 0.14 < share < 0.24


def test_offsets_of_all_pairs_within_the_radius_are_listed():
    offsets = list_offsets(np.array([[0, 0, 5.0]]), cKDTree([[0, 0, 0], [0, 0, 3.0], [0, 0, 50.0]]), 10.0)
    assert sorted(offsets.tolist()) == [[0, 0, 2.0], [0, 0, 5.0]]
