from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from morula.solve.forest import check_forest
from morula.solve.greedy import link_greedily
from morula.solve.params import SolveParams


def _links(graph, **settings):
    selection = link_greedily(graph, **{"max_distance_um": 9.0, **settings})
    return [tuple(edge) for edge in graph.edges[selection.edge_selected].tolist()]


def test_every_detection_is_a_cell_and_one_child_is_linked(division):
    selection = link_greedily(division, max_distance_um=9)
    assert selection.node_selected.all()
    assert _links(division) == [(0, 1), (1, 2)]


def test_cells_divide_only_where_that_is_asked_for(division):
    assert _links(division, max_children=2) == [(0, 1), (1, 2), (1, 3)]


def test_long_links_are_left_out(newcomer):
    assert (1, 3) in _links(newcomer, max_children=2, max_distance_um=7)
    assert (1, 3) not in _links(newcomer, max_children=2, max_distance_um=6.9)


def test_detections_below_the_score_are_no_cells_and_not_linked(gap):
    selection = link_greedily(gap, max_distance_um=9, min_score=0.5)
    assert selection.node_selected.tolist() == [True, True, False, True, True]
    assert _links(gap, min_score=0.5) == [(0, 1), (3, 4)]


def test_equal_distances_are_taken_in_the_order_of_rows(graph):
    tie = graph([(0, 0, 1), (0, 2, 1), (1, 1, 1)], [(1, 2, 1.0), (0, 2, 1.0)])
    assert _links(tie) == [(0, 2)]


def test_it_claims_no_bound_and_prices_like_the_optimiser(division):
    selection = link_greedily(division, max_distance_um=9, params=SolveParams(start_cost=100, free_first_frame=False))
    assert (selection.status, selection.lower_bound, selection.gap) == ("greedy", -np.inf, np.inf)
    assert selection.objective == pytest.approx(4 * (2 - 18) + 3 + 2 * 100)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 999), children=st.integers(1, 2))
def test_the_result_is_a_forest_in_which_no_link_could_still_be_added(instances, seed, children):
    graph = instances.make_graph(60, 150, seed=seed)
    selection = link_greedily(graph, max_distance_um=8.0, max_children=children)
    check_forest(graph.edges, selection.node_selected, selection.edge_selected)
    chosen = graph.edges[selection.edge_selected]
    has_parent = np.bincount(chosen[:, 1], minlength=60) > 0
    full = np.bincount(chosen[:, 0], minlength=60) >= children
    left = graph.edges[~selection.edge_selected & (graph.distance_um <= 8.0)]
    assert (has_parent[left[:, 1]] | full[left[:, 0]]).all()
