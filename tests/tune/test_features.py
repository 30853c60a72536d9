"""The cost of a choice as weights times features."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from morula.solve.graph import solve_graph
from morula.solve.params import SolveParams
from morula.solve.problem.costs import price_graph, sum_costs
from morula.tune.features import NAMES, Choice, Features
from morula.tune.weights import WEIGHTS

ODD = SolveParams(
    node_constant=3.1, node_score_weight=-17.0, edge_distance_weight=1.3, start_cost=7.0, division_cost=4.0,
    division_score_weight=-1.5, sister_distance_um=(6.0, 9.0), end_cost=2.5, skip_cost=1.7, free_border_um=1.0,
)  # fmt: skip
EXTENT = np.array([28.0, 28.0, 28.0])


def weights_of(params):
    return np.array([getattr(params, name) for name in NAMES])


@pytest.fixture(scope="module")
def graph(tissue):
    """The graph of the tissue, with division scores that follow nothing."""
    divides, born = np.random.default_rng(5).uniform(0, 1, (2, tissue.graph.nodes.n))
    return replace(tissue.graph, nodes=replace(tissue.graph.nodes, divides=divides, born=born))


@pytest.mark.parametrize("params", [ODD, replace(ODD, free_border_um=0.0), replace(ODD, free_first_frame=False)])
def test_the_costs_are_those_of_the_solver(graph, params) -> None:
    features = Features.of(graph, params, extent_um=EXTENT)
    ours, theirs = features.price(weights_of(params)), price_graph(graph, params, extent_um=EXTENT)
    for name in ("node", "edge", "start", "division", "end"):
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name))


def test_features_times_weights_is_the_cost_of_a_choice(graph) -> None:
    params = replace(ODD, start_cost=6.0, division_cost=0.5)
    selection = solve_graph(graph, params)
    choice = Choice(selection.node_selected, selection.edge_selected)
    features = Features.of(graph, params)
    everything = features.sum_parts(choice, np.zeros(features.n, int), 1)
    cost = sum_costs(price_graph(graph, params), graph.edges, choice.node, choice.edge)
    assert everything[0] @ weights_of(params) == pytest.approx(cost)
    assert (everything[0, :6] > 0).all(), "a choice without starts or divisions would test nothing"


def test_the_weights_that_nothing_speaks_about_are_named(tissue, graph) -> None:
    assert Features.of(tissue.graph, ODD).find_silent() == {"division_score_weight", "skip_cost"}
    assert Features.of(graph, ODD).find_silent() == {"skip_cost"}


def test_parts_add_up_to_the_whole_where_no_link_joins_two(graph) -> None:
    selection = solve_graph(graph, ODD)
    choice = Choice(selection.node_selected, selection.edge_selected)
    early = graph.nodes.t < 6
    across = early[graph.edges[:, 0]] != early[graph.edges[:, 1]]
    choice = Choice(choice.node, choice.edge & ~across)
    features = Features.of(graph, ODD)
    parts = features.sum_parts(choice, early.astype(int), 2)
    np.testing.assert_allclose(parts.sum(axis=0), features.sum_parts(choice, np.zeros(features.n, int), 1)[0])


def test_what_was_linked_to_nodes_cut_away_starts_and_ends_for_nothing(graph) -> None:
    inside = (graph.nodes.t >= 3) & (graph.nodes.t < 6)
    whole = Features.of(graph, replace(ODD, free_border_um=0.0))
    cut, kept = whole.cut(inside)
    t = graph.nodes.t[inside]
    parents = np.unique(graph.edges[:, 1])
    linked = np.isin(np.flatnonzero(inside), parents)
    assert not cut.start[(t == 3) & linked].any()
    assert cut.start[t == 4].all()
    assert (cut.edges[:, 0] < cut.edges[:, 1]).all()
    np.testing.assert_array_equal(cut.distance_um, graph.distance_um[kept])
    np.testing.assert_array_equal(cut.evidence, whole.evidence[inside])
    np.testing.assert_array_equal(cut.apart_um, whole.apart_um[inside])
    assert cut.apart_um.any()
    assert cut.edges.max() < cut.n == inside.sum()


def test_tuning_changes_all_weights_but_the_unit() -> None:
    assert set(WEIGHTS) == set(NAMES) - {"edge_distance_weight"}
