from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from morula.core.detections import Detections
from morula.core.graph import CandidateGraph
from morula.errors import GraphError
from morula.solve.params import SolveParams
from morula.solve.problem.costs import Costs, price_graph, sum_costs

WEIGHTS = SolveParams(
    node_constant=3,
    node_score_weight=-10,
    edge_distance_weight=2,
    start_cost=6,
    division_cost=1,
    free_first_frame=False,
)


def test_nodes_cost_their_constant_and_score_and_links_their_distance(division):
    costs = price_graph(division, WEIGHTS)
    assert costs.node.tolist() == [-6] * 4
    assert costs.edge.tolist() == [2, 4, 4]
    assert costs.start.tolist() == [6] * 4
    assert costs.division.tolist() == [1] * 4


def test_a_division_costs_less_where_the_network_speaks_for_one(division):
    nodes, n = division.nodes, division.nodes.n
    fork = int(np.bincount(division.edges[:, 0]).argmax())
    scored = replace(division, nodes=replace(nodes, divides=np.where(np.arange(n) == fork, 0.8, 0.4)))
    params = replace(WEIGHTS, division_score_weight=-4.0)
    ratio = np.log(0.8 / 0.2)  # the mean is 0.5
    assert price_graph(scored, params).division == pytest.approx(np.where(np.arange(n) == fork, 1 - 2 * ratio, 1))
    for silent, weight in ((scored, 0.0), (division, -4.0)):
        assert price_graph(silent, replace(WEIGHTS, division_score_weight=weight)).division.tolist() == [1] * n


def test_certainty_about_a_division_leaves_its_cost_finite(division):
    sure = replace(division, nodes=replace(division.nodes, divides=[1, 1, 0, 0], born=[0, 0, 1, 1]))
    assert np.isfinite(price_graph(sure, SolveParams()).division).all()


def test_tracks_start_free_in_the_first_frame_that_has_nodes(graph):
    late = graph([(5, 0, 0.9), (5, 9, 0.9), (6, 0, 0.9)], [(0, 2, 1.0)])
    assert price_graph(late, SolveParams(start_cost=6)).start.tolist() == [0, 0, 6]


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_tracks_start_free_near_each_face_of_the_movie(axis, graph):
    zyx = np.full((4, 3), 50.0)
    zyx[:, axis] = [5.0, 5.1, 94.9, 95.0]
    nodes = Detections(t=np.full(4, 3), zyx_um=zyx, score=np.ones(4), movement_um=np.zeros((4, 3)))
    bare = CandidateGraph(nodes=nodes, edges=np.zeros((0, 2)), distance_um=np.zeros(0))
    params = SolveParams(start_cost=6, free_first_frame=False, free_border_um=5)
    assert price_graph(bare, params, extent_um=np.full(3, 100.0)).start.tolist() == [0, 6, 6, 0]
    assert price_graph(bare, params).start.tolist() == [6] * 4


def test_tracks_end_free_in_the_last_frame_that_has_nodes(graph):
    early = graph([(0, 0, 0.9), (4, 0, 0.9), (5, 0, 0.9), (5, 9, 0.9)], [(0, 1, 1.0)])
    assert price_graph(early, SolveParams(end_cost=3)).end.tolist() == [3, 3, 0, 0]
    assert price_graph(early, SolveParams()).end.tolist() == [0] * 4


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_tracks_end_free_near_each_face_of_the_movie(axis):
    zyx = np.full((5, 3), 50.0)
    zyx[:4, axis] = [5.0, 5.1, 94.9, 95.0]
    nodes = Detections(t=np.array([3, 3, 3, 3, 4]), zyx_um=zyx, score=np.ones(5), movement_um=np.zeros((5, 3)))
    bare = CandidateGraph(nodes=nodes, edges=np.zeros((0, 2)), distance_um=np.zeros(0))
    params = SolveParams(end_cost=3, free_border_um=5)
    assert price_graph(bare, params, extent_um=np.full(3, 100.0)).end.tolist() == [0, 3, 3, 0, 0]
    assert price_graph(bare, params).end.tolist() == [3, 3, 3, 3, 0]


def test_a_link_costs_more_for_each_frame_it_leaves_out(graph):
    skipping = graph([(0, 0, 1), (1, 0, 1), (2, 0, 1), (4, 0, 1)], [(0, 1, 1.0), (0, 2, 1.0), (0, 3, 1.0)])
    assert price_graph(skipping, SolveParams(skip_cost=5, edge_distance_weight=2)).edge.tolist() == [2, 7, 17]
    assert price_graph(skipping, SolveParams(skip_cost=-1)).edge.tolist() == [1, 0, -2]


def test_an_empty_graph_has_empty_costs():
    empty = CandidateGraph(nodes=Detections.empty(), edges=np.zeros((0, 2)), distance_um=np.zeros(0))
    costs = price_graph(empty, SolveParams(end_cost=1), extent_um=np.full(3, 9.0))
    assert (len(costs.node), len(costs.edge), len(costs.end), costs.find_unit(), costs.find_largest()) == (
        0,
        0,
        0,
        1,
        0,
    )


def test_a_border_that_leaves_no_inside_is_told(division, caplog):
    price_graph(division, SolveParams(free_border_um=5), extent_um=np.array([4.0, 100, 100]))
    assert "every place lies within 5 µm of a z face of the movie (4 µm deep)" in caplog.text


def test_the_sum_counts_starts_and_divisions_from_the_choice(division):
    costs = price_graph(division, WEIGHTS)
    everything = sum_costs(costs, division.edges, np.ones(4, bool), np.ones(3, bool))
    assert everything == 4 * -6 + (2 + 4 + 4) + 6 + 1
    cut = sum_costs(costs, division.edges, np.ones(4, bool), np.array([True, True, False]))
    assert cut == 4 * -6 + (2 + 4) + 2 * 6


def test_the_sum_counts_ends_from_the_choice(division):
    costs = price_graph(division, SolveParams(end_cost=7))
    without = price_graph(division, SolveParams())
    for edge, ends in ([True, True, True], 0), ([True, False, True], 0), ([True, False, False], 1), ([False] * 3, 2):
        choice = np.ones(4, bool), np.array(edge)
        difference = sum_costs(costs, division.edges, *choice) - sum_costs(without, division.edges, *choice)
        assert difference == pytest.approx(7 * ends)


def test_nothing_selected_costs_nothing(division):
    assert sum_costs(price_graph(division, WEIGHTS), division.edges, np.zeros(4, bool), np.zeros(3, bool)) == 0.0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_costs_that_are_not_finite_are_refused(bad):
    with pytest.raises(GraphError, match="edge costs holds 1 values that are not finite"):
        Costs(node=np.zeros(2), edge=np.array([bad]), start=np.zeros(2), division=np.zeros(2))


def test_a_cost_that_overflows_is_refused(graph):
    huge = graph([(0, 0, 1e300)], [])
    with pytest.raises(GraphError, match="node costs holds 1 values that are not finite"):
        price_graph(huge, SolveParams(node_score_weight=-1e10))


def test_the_unit_of_costs_is_a_power_of_two_near_their_median():
    costs = Costs(node=np.array([-10.0, 0.0]), edge=np.array([9.0]), start=np.array([0, 1e9]), division=np.zeros(2))
    assert costs.find_unit() == 8.0
    nothing = Costs(node=np.zeros(1), edge=np.zeros(0), start=np.zeros(1), division=np.zeros(1))
    assert nothing.find_unit() == 1.0


def test_the_unit_keeps_all_costs_representable():
    costs = Costs(
        node=np.array([1e-310, -1e190, 1e-310]), edge=np.full(5, 1e-310), start=np.zeros(3), division=np.zeros(3)
    )
    scaled = costs.scaled(1 / costs.find_unit())
    assert np.isfinite(scaled.node).all()
    tiny = Costs(node=np.full(1, 1e-310), edge=np.zeros(0), start=np.zeros(1), division=np.zeros(1))
    assert np.isfinite(1 / tiny.find_unit())


def test_costs_whose_sums_could_overflow_are_refused():
    with pytest.raises(GraphError, match=r"1e\+201 is too large to be added to others"):
        Costs(node=np.array([-1e201]), edge=np.zeros(0), start=np.zeros(1), division=np.zeros(1))
