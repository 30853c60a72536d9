"""What a problem may be, and that smaller ones cut from it mean the same."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_problems import cheapest, pinned_graphs, problems

from morula.core.pins import IN, OUT, Pins
from morula.errors import GraphError, SolveError
from morula.solve.problem.contradiction import find_contradiction
from morula.solve.problem.costs import Costs
from morula.solve.problem.problem import Problem


def _free(n, m):
    return Costs(node=np.zeros(n), edge=np.zeros(m), start=np.zeros(n), division=np.zeros(n))


@settings(max_examples=100, deadline=None)
@given(pinned_graphs())
def test_contradicting_pins_make_no_problem(drawn):
    edges, pins = drawn
    costs = _free(len(pins.node), len(edges))
    if find_contradiction(edges, pins) is None:
        assert Problem(edges, costs, pins).pins is pins
    else:
        with pytest.raises(SolveError, match=r"no forest agrees with all pins: links? \d+ → \d+"):
            Problem(edges, costs, pins)


@pytest.mark.parametrize(
    ("edges", "said"),
    [([[1, 0]], "smaller row"), ([[0, 0]], "smaller row"), ([[0, 3]], "smaller row"), ([[-1, 1]], "smaller row")],
)
def test_links_lead_from_smaller_to_larger_rows_that_exist(edges, said):
    with pytest.raises(GraphError, match=said):
        Problem(np.array(edges), _free(3, 1))


def test_costs_and_pins_of_another_graph_are_refused():
    with pytest.raises(GraphError, match="2 links have 1 costs"):
        Problem(np.array([[0, 1], [0, 2]]), _free(3, 1))
    with pytest.raises(GraphError, match="pins for 2 nodes and 1 links do not fit 3 and 1"):
        Problem(np.array([[0, 1]]), _free(3, 1), Pins.none(2, 1))


def test_without_pins_nothing_is_pinned():
    problem = Problem(np.array([[0, 1]]), _free(3, 1))
    assert (len(problem.pins.node), len(problem.pins.edge), problem.pins.any) == (3, 1, False)


def test_it_travels_between_processes():
    problem = Problem(np.array([[0, 1]]), _free(3, 1), Pins(node=np.array([0, 0, OUT]), edge=np.array([IN])))
    again = pickle.loads(pickle.dumps(problem))
    assert again.edges.tolist() == [[0, 1]]
    assert again.pins.node.tolist() == [0, 0, OUT]


@settings(max_examples=60, deadline=None)
@given(problem=problems(pinned=True), data=st.data())
def test_a_cut_prices_its_links_as_the_whole_does(problem, data):
    edges = np.array(data.draw(st.permutations(range(problem.m))), np.int64)[: data.draw(st.integers(0, problem.m))]
    more = data.draw(st.sets(st.integers(0, problem.n - 1)))
    nodes = np.unique(np.concatenate([problem.edges[edges].ravel(), np.array(sorted(more), np.int64)]))
    cut = problem.cut(nodes, edges)
    assert np.array_equal(nodes[cut.edges], problem.edges[edges])
    assert np.array_equal(cut.pins.node, problem.pins.node[nodes])
    assert np.array_equal(cut.pins.edge, problem.pins.edge[edges])
    ends = np.array(data.draw(st.lists(st.booleans(), min_size=len(nodes), max_size=len(nodes))), bool)
    links = ends[cut.edges].all(axis=1)
    node, edge = np.zeros(problem.n, bool), np.zeros(problem.m, bool)
    node[nodes[ends]], edge[edges[links]] = True, True
    assert cut.price(ends, links) == pytest.approx(problem.price(node, edge))


@settings(max_examples=40, deadline=None)
@given(problem=problems(pinned=True), exponent=st.integers(-300, 300))
def test_scaling_the_costs_scales_the_optimum(problem, exponent):
    factor = 2.0**exponent
    assert cheapest(problem.scaled(factor)) == cheapest(problem) * factor


@pytest.mark.parametrize("column", ["node", "edge", "start", "division", "end"])
@pytest.mark.parametrize(("bad", "said"), [(np.nan, "not finite"), (-np.inf, "not finite"), (1e201, "too large to be")])
def test_no_problem_has_costs_that_cannot_be_added(column, bad, said):
    with pytest.raises(GraphError, match=said):
        replace(_free(1, 1), **{column: np.array([bad])})
