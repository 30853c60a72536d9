"""What it costs that the daughters of a cell would lie far apart."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from morula.core.detections import Detections
from morula.core.graph import CandidateGraph
from morula.solve.graph import solve_graph
from morula.solve.params import SolveParams
from morula.solve.problem.sisters import price_distant_sisters

KNOWN = (5.0, 7.0)


def make(places_x, distances, score=0.9):
    """One mother at 0 and candidate children along x, with the distances of their links."""
    n = len(places_x)
    zyx = np.zeros((n + 1, 3))
    zyx[1:, 2] = places_x
    t = np.minimum(np.arange(n + 1), 1)
    nodes = Detections(t=t, zyx_um=zyx, score=np.full(n + 1, score), movement_um=np.zeros((n + 1, 3)))
    return CandidateGraph(nodes=nodes, edges=[(0, c) for c in range(1, n + 1)], distance_um=distances)


@st.composite
def graphs(draw):
    """Up to 3 mothers and 6 candidate children, linked at will; equal places and distances are frequent."""
    mothers, children = draw(st.integers(1, 3)), draw(st.integers(0, 6))
    n = mothers + children
    pairs = [(p, mothers + c) for p in range(mothers) for c in range(children)]
    edges = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    length = st.one_of(st.sampled_from([0.0, 1.0, 5.0]), st.floats(0, 20))
    zyx = np.array(draw(st.lists(length, min_size=3 * n, max_size=3 * n))).reshape(n, 3)
    t = np.repeat([0, 1], [mothers, children])
    nodes = Detections(t=t, zyx_um=zyx, score=np.ones(n), movement_um=np.zeros((n, 3)))
    distance = draw(st.lists(length, min_size=len(edges), max_size=len(edges)))
    return CandidateGraph(nodes=nodes, edges=np.array(edges, np.int64).reshape(-1, 2), distance_um=distance)


def by_hand(graph, typical, largest):
    prices = []
    for row in range(graph.nodes.n):
        links = [e for e in range(graph.n_edges) if graph.edges[e, 0] == row]
        least, near = np.inf, np.inf
        for a, b in combinations(links, 2):
            both = graph.distance_um[a] + graph.distance_um[b]
            first, second = graph.nodes.zyx_um[graph.edges[a, 1]], graph.nodes.zyx_um[graph.edges[b, 1]]
            apart = float(np.linalg.norm(first - second))
            least = min(least, both)
            share = np.clip((apart - typical) / (largest - typical), 0, 1)
            near = min(near, both + 4 * share**2 + 30 * max(0.0, apart - largest))
        prices.append(near - least - 1.5 if len(links) > 1 else 0.0)
    return prices


@settings(max_examples=60, deadline=None)
@given(graphs(), st.floats(0.1, 30), st.floats(1.01, 3))
def test_it_is_what_one_would_write_down_pair_by_pair(graph, typical, ratio):
    known = typical, ratio * typical
    np.testing.assert_allclose(price_distant_sisters(graph, known), by_hand(graph, *known), rtol=1e-9, atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(graphs(), st.integers(0, 999))
def test_the_order_of_links_does_not_matter(graph, seed):
    order = np.random.default_rng(seed).permutation(graph.n_edges)
    other = CandidateGraph(nodes=graph.nodes, edges=graph.edges[order], distance_um=graph.distance_um[order])
    np.testing.assert_array_equal(price_distant_sisters(other, KNOWN), price_distant_sisters(graph, KNOWN))


def test_where_nobody_knows_how_far_apart_daughters_lie_nothing_is_dearer():
    assert not price_distant_sisters(make([-9, 9], [1, 1]), None).any()


def test_daughters_at_the_typical_distance_speak_for_a_division():
    assert price_distant_sisters(make([-2, 3], [1, 1]), KNOWN)[0] == -1.5


def test_daughters_at_the_largest_distance_seen_are_dear_but_possible():
    assert price_distant_sisters(make([-3, 4], [1, 1]), KNOWN)[0] == pytest.approx(4 - 1.5)


def test_a_cell_whose_only_two_children_lie_apart_hardly_divides():
    assert price_distant_sisters(make([-5, 5], [1, 1]), KNOWN)[0] == pytest.approx(90 + 4 - 1.5)


def test_two_cells_far_apart_are_no_daughters_and_two_near_ones_are():
    """Both pairs have links of 1 µm, so without the limit both mothers divide."""
    params = SolveParams(division_score_weight=0.0)
    for places, known, daughters in (([-8, 8], KNOWN, 1), ([-2, 2], KNOWN, 2), ([-8, 8], None, 2)):
        selection = solve_graph(make(places, [1, 1]), replace(params, sister_distance_um=known))
        assert selection.edge_selected.sum() == daughters, (places, known)


def test_a_typical_distance_beyond_the_largest_is_refused():
    with pytest.raises(ValueError, match=r"sister_distance_um = \[7.0, 5.0\] is no typical and largest"):
        SolveParams(sister_distance_um=(7.0, 5.0))


def test_no_detections_have_no_prices():
    nothing = CandidateGraph(nodes=Detections.empty(), edges=np.zeros((0, 2)), distance_um=np.zeros(0))
    assert price_distant_sisters(nothing, KNOWN).shape == (0,)
