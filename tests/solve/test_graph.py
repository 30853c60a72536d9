from __future__ import annotations

import numpy as np
import pytest

from morula.core.detections import Detections
from morula.core.graph import CandidateGraph
from morula.core.lineages import Lineages
from morula.errors import GraphError
from morula.solve.graph import solve_graph
from morula.solve.greedy import link_greedily
from morula.solve.params import SolveParams
from morula.solve.problem.costs import price_graph, sum_costs


def _links(graph, selection):
    return [tuple(edge) for edge in graph.edges[selection.edge_selected].tolist()]


@pytest.mark.parametrize("formulation", ["tight", "paper"])
class TestTheDefaultWeights:
    def test_find_a_division(self, division, formulation):
        cheap = SolveParams(division_cost=4, formulation=formulation)
        selection = solve_graph(division, cheap)
        assert _links(division, selection) == [(0, 1), (1, 2), (1, 3)]
        assert selection.objective == pytest.approx(4 * (2 - 20 * 0.9) + 5 + 4)

    def test_start_a_new_track_where_a_daughter_would_be_too_far(self, newcomer, formulation):
        selection = solve_graph(newcomer, SolveParams(formulation=formulation))
        assert _links(newcomer, selection) == [(0, 1), (1, 2), (2, 4), (3, 5)]
        assert selection.node_selected.all()

    def test_keep_a_weak_detection_that_holds_a_track_together(self, gap, formulation):
        assert len(_links(gap, solve_graph(gap, SolveParams(formulation=formulation)))) == 4

    def test_leave_junk_alone(self, junk, formulation):
        selection = solve_graph(junk, SolveParams(formulation=formulation))
        assert np.flatnonzero(selection.node_selected).tolist() == [0, 1, 3]

    def test_let_two_cells_pass_each_other(self, crossing, formulation):
        assert _links(crossing, solve_graph(crossing, SolveParams(formulation=formulation))) == [(0, 2), (1, 3)]

    def test_prove_the_optimum(self, gap, formulation):
        selection = solve_graph(gap, SolveParams(formulation=formulation))
        assert (selection.status, selection.gap) == ("optimal", 0.0)
        assert selection.lower_bound == selection.objective


def test_greedy_linking_takes_the_nearest_where_the_optimum_does_not(crossing):
    assert _links(crossing, link_greedily(crossing, max_distance_um=9)) == [(1, 2), (0, 3)]


def test_the_objective_is_the_plain_sum_of_what_is_selected(instances):
    graph = instances.make_graph(400, 1500, seed=2)
    params = SolveParams()
    selection = solve_graph(graph, params)
    plain = sum_costs(price_graph(graph, params), graph.edges, selection.node_selected, selection.edge_selected)
    assert selection.objective == plain
    assert Lineages.from_selection(graph, selection).nodes.n == selection.node_selected.sum()


def test_both_formulations_agree_on_tissue(instances):
    graph = instances.make_graph(300, 1100, seed=1)
    tight = solve_graph(graph, SolveParams(division_cost=1))
    paper = solve_graph(graph, SolveParams(division_cost=1, formulation="paper"))
    assert paper.objective == pytest.approx(tight.objective, rel=1e-9)
    assert (tight.status, paper.status) == ("optimal", "optimal")


def test_the_order_of_the_nodes_does_not_matter(instances):
    graph = instances.make_graph(300, 1100, seed=3)
    nodes = graph.nodes
    order = np.lexsort((np.random.default_rng(0).random(nodes.n), nodes.t))
    row = np.argsort(order)
    shuffled = CandidateGraph(
        nodes=Detections(nodes.t[order], nodes.zyx_um[order], nodes.score[order], nodes.movement_um[order]),
        edges=row[graph.edges],
        distance_um=graph.distance_um,
    )
    one, other = solve_graph(graph, SolveParams()), solve_graph(shuffled, SolveParams())
    assert np.array_equal(one.node_selected[order], other.node_selected)
    assert np.array_equal(one.edge_selected, other.edge_selected)


def test_the_unit_of_the_weights_does_not_matter(instances):
    graph = instances.make_graph(300, 1100, seed=3)
    names = ["node_constant", "node_score_weight", "edge_distance_weight", "start_cost", "division_cost"]
    scaled = SolveParams(**{name: getattr(SolveParams(), name) * 1e-7 for name in names})
    one, other = solve_graph(graph, SolveParams()), solve_graph(graph, scaled)
    assert np.array_equal(one.edge_selected, other.edge_selected)
    assert other.objective == pytest.approx(one.objective * 1e-7, rel=1e-9)


def test_free_borders_let_a_lone_cell_at_the_edge_in(graph):
    """One good detection in the second frame, 1 µm from a face: not worth a start, worth a free one."""
    two = graph([(0, 50, 0.9), (1, 1, 0.6)], [])
    params = SolveParams(free_border_um=2)
    assert solve_graph(two, params).node_selected.tolist() == [True, False]
    # z and y are 0 for all nodes of these pictures: a movie that ends far above and below is needed for "inside"
    moved = CandidateGraph(
        nodes=Detections(two.nodes.t, two.nodes.zyx_um + np.array([50, 50, 0]), two.nodes.score, two.nodes.movement_um),
        edges=two.edges,
        distance_um=two.distance_um,
    )
    assert solve_graph(moved, params, extent_um=np.full(3, 100.0)).node_selected.tolist() == [True, True]


def test_dropped_fragments_are_not_called_optimal(newcomer):
    selection = solve_graph(newcomer, SolveParams(min_track_frames=3))
    assert np.flatnonzero(selection.node_selected).tolist() == [0, 1, 2, 4]
    assert selection.status == "feasible"
    assert selection.lower_bound < selection.objective
    whole = solve_graph(newcomer, SolveParams(min_track_frames=2))
    assert (whole.status, whole.gap) == ("optimal", 0.0)


def test_an_empty_graph_has_an_empty_answer():
    empty = CandidateGraph(nodes=Detections.empty(), edges=np.zeros((0, 2)), distance_um=np.zeros(0))
    selection = solve_graph(empty, SolveParams())
    assert (selection.objective, selection.lower_bound, selection.status) == (0.0, 0.0, "optimal")
    assert len(selection.node_selected) == len(selection.edge_selected) == 0


def test_nodes_without_links_and_frames_without_nodes_are_legal(graph):
    lone = graph([(0, 0, 0.9), (4, 0, 0.9), (9, 0, 0.1)], [])
    assert solve_graph(lone, SolveParams()).node_selected.tolist() == [True, True, False]


def test_nothing_is_selected_where_nothing_pays(junk):
    selection = solve_graph(junk, SolveParams(node_constant=100))
    assert not selection.node_selected.any()
    assert (selection.objective, selection.status) == (0.0, "optimal")


def test_costs_of_zero_have_an_optimum_of_zero(division):
    zero = SolveParams(
        node_constant=0, node_score_weight=0, edge_distance_weight=0, start_cost=0, division_cost=0, gap=0
    )
    selection = solve_graph(division, zero)
    assert (selection.objective, selection.gap, selection.status) == (0.0, 0.0, "optimal")


def test_weights_that_overflow_are_refused(division):
    with pytest.raises(GraphError, match="not finite"):
        solve_graph(division, SolveParams(edge_distance_weight=1.7e308))


@pytest.mark.parametrize(
    "setting", [{"gap": -0.1}, {"time_limit_s": 0}, {"start_cost": float("nan")}, {"formulation": "x"}]
)
def test_settings_out_of_range_are_refused(setting):
    with pytest.raises(ValueError, match=next(iter(setting))):
        SolveParams(**setting)


def test_the_generator_of_instances_is_reproducible(instances):
    one, other = instances.make_graph(200, 700, seed=5), instances.make_graph(200, 700, seed=5)
    assert (one.nodes.n, one.n_edges) == (200, 700)
    assert np.array_equal(one.edges, other.edges)
    assert np.array_equal(one.nodes.zyx_um, other.nodes.zyx_um)
    assert not np.array_equal(one.nodes.zyx_um, instances.make_graph(200, 700, seed=6).nodes.zyx_um)
