"""What division scores say before any link is chosen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from morula.core.detections import Detections
from morula.core.graph import CandidateGraph
from morula.solve.problem.evidence import MOST_LOG_ODDS, weigh_divisions

chance = st.one_of(st.sampled_from([0.0, 1.0, 0.5, 1e-300]), st.floats(0, 1))


def make(edges, divides=None, born=None, n=None):
    n = len(divides if divides is not None else born) if n is None else n
    t = np.minimum(np.arange(n), 1)  # one mother, all others a frame later
    columns = {"divides": divides, "born": born}
    known = {name: np.array(values, float) for name, values in columns.items() if values is not None}
    nodes = Detections(t=t, zyx_um=np.zeros((n, 3)), score=np.ones(n), movement_um=np.zeros((n, 3)), **known)
    links = np.array(edges, np.int64).reshape(-1, 2)
    return CandidateGraph(nodes=nodes, edges=links, distance_um=np.ones(len(links)))


@st.composite
def scored_graphs(draw):
    """Up to 3 mothers and 6 candidate children, linked at will; probabilities of 0 and 1 and ties are frequent."""
    mothers, children = draw(st.integers(1, 3)), draw(st.integers(0, 6))
    n = mothers + children
    pairs = [(p, mothers + c) for p in range(mothers) for c in range(children)]
    edges = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    values = st.lists(chance, min_size=n, max_size=n)
    t = np.repeat([0, 1], [mothers, children])
    nodes = Detections(
        t=t,
        zyx_um=np.zeros((n, 3)),
        score=np.ones(n),
        movement_um=np.zeros((n, 3)),
        divides=draw(values),
        born=draw(st.one_of(values, st.just([np.nan] * n))),
    )
    links = np.array(edges, np.int64).reshape(-1, 2)
    return CandidateGraph(nodes=nodes, edges=links, distance_um=np.ones(len(links)))


def log_odds(p):
    p = min(max(p, 1e-9), 1 - 1e-9)
    return np.log(p) - np.log1p(-p)


def compare(row, column):
    """By how much a detection has better odds than the mean of all."""
    if np.isnan(column[row]):
        return 0.0
    mean = float(np.mean([min(max(p, 1e-9), 1 - 1e-9) for p in column]))
    return float(np.clip(log_odds(column[row]) - log_odds(mean), -MOST_LOG_ODDS, MOST_LOG_ODDS))


@settings(max_examples=60, deadline=None)
@given(scored_graphs())
def test_it_is_what_one_would_write_down_node_by_node(graph):
    for row, found in enumerate(weigh_divisions(graph)):
        born = sorted(compare(c, graph.nodes.born) for p, c in graph.edges if p == row)
        wanted = compare(row, graph.nodes.divides) / 2 + sum(born[-2:]) / 4 if len(born) >= 2 else 0.0
        assert found == pytest.approx(wanted, abs=1e-9)
        assert abs(found) <= MOST_LOG_ODDS


@settings(max_examples=30, deadline=None)
@given(scored_graphs(), st.integers(0, 999))
def test_the_order_of_links_does_not_matter(graph, seed):
    order = np.random.default_rng(seed).permutation(graph.n_edges)
    other = CandidateGraph(nodes=graph.nodes, edges=graph.edges[order], distance_um=graph.distance_um[order])
    np.testing.assert_array_equal(weigh_divisions(other), weigh_divisions(graph))


def test_certainty_is_finite_evidence():
    sure = make([(0, 1), (0, 2)], divides=[1, 0, 0], born=[0, 1, 1])
    assert weigh_divisions(sure).tolist() == [MOST_LOG_ODDS, 0, 0]
    doubted = make([(0, 1), (0, 2)], divides=[0, 1, 1], born=[1, 0, 0])
    assert weigh_divisions(doubted).tolist() == [-MOST_LOG_ODDS, 0, 0]


def test_what_nobody_knows_says_nothing():
    edges = [(0, 1), (0, 2)]
    assert not weigh_divisions(make(edges, n=3)).any()
    ratio = np.log(0.8 / 0.2) - np.log(0.4 / 0.6)
    assert weigh_divisions(make(edges, divides=[0.8, 0.2, 0.2])).tolist() == pytest.approx([ratio / 2, 0, 0])
    ratio = np.log(0.8 / 0.2) - np.log(0.6 / 0.4)
    assert weigh_divisions(make(edges, born=[0.2, 0.8, 0.8])).tolist() == pytest.approx([ratio / 2, 0, 0])


@pytest.mark.parametrize("p", [0.0, 0.01, 0.5, 1.0])
def test_a_network_that_says_the_same_of_every_cell_says_nothing(p):
    graph = make([(0, 1), (0, 2)], divides=[p] * 3, born=[p] * 3)
    np.testing.assert_allclose(weigh_divisions(graph), 0, atol=1e-6)


def test_it_does_not_matter_whether_the_network_was_told_how_rare_divisions_are():
    """Odds of all cells ten times as low, as after a correction for divisions drawn more often than they are."""
    odds = np.array([0.5, 0.01, 0.02] + [0.01] * 97)
    edges, often, rarely = [(0, 1), (0, 2)], odds / (1 + odds), odds / 10 / (1 + odds / 10)
    one, other = (weigh_divisions(make(edges, divides=p, born=p))[0] for p in (often, rarely))
    assert other == pytest.approx(one, abs=0.2)


def test_a_cell_with_one_candidate_child_has_nothing_to_divide_into():
    assert weigh_divisions(make([(0, 1)], divides=[0.9, 0.1], born=[0.1, 0.9])).tolist() == [0, 0]


def test_a_third_child_that_looks_old_takes_nothing_away():
    two, three = [(0, 1), (0, 2)], [(0, 1), (0, 2), (0, 3)]
    born = [0.1, 0.9, 0.8, 0.2]
    assert weigh_divisions(make(two, born=born))[0] == weigh_divisions(make(three, born=born))[0]


def test_no_detections_give_no_evidence():
    nothing = CandidateGraph(nodes=Detections.empty(), edges=np.zeros((0, 2)), distance_um=np.zeros(0))
    assert weigh_divisions(nothing).shape == (0,)
