from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_problems import cheapest, problems

from morula.candidates.link import link_candidates
from morula.candidates.params import CandidatesParams
from morula.solve.ascent.margins import measure_margins, measure_selection
from morula.solve.greedy import link_greedily
from morula.solve.ilp.exact import solve_exactly
from morula.solve.params import SolveParams
from morula.solve.problem.costs import Costs, price_graph
from morula.solve.problem.problem import FREE, IN, OUT, Pins, Problem
from morula.solve.solution import Limits

numbers = st.integers(-600, 600).map(lambda hundredths: hundredths / 100)


def flip(problem, solution, *, node=None, edge=None):
    """The problem with the opposite decision about one node or link pinned."""
    node_pins, edge_pins = problem.pins.node.copy(), problem.pins.edge.copy()
    if node is not None:
        node_pins[node] = OUT if solution.node_selected[node] else IN
    if edge is not None:
        edge_pins[edge] = OUT if solution.edge_selected[edge] else IN
    return Problem(problem.edges, problem.costs, Pins(node=node_pins, edge=edge_pins))


def solve_otherwise(problem, solution, **what):
    """Cost of the cheapest forest that decides otherwise about one node or link."""
    other = solve_exactly(flip(problem, solution, **what), Limits())
    return problem.price(other.node_selected, other.edge_selected)


@settings(max_examples=40, deadline=None)
@given(problem=problems(numbers))
def test_deciding_otherwise_costs_at_least_the_margin_more_than_the_bound(problem):
    solution = solve_exactly(problem, Limits())
    cost = problem.price(solution.node_selected, solution.edge_selected)
    margins = measure_margins(problem, solution.node_selected, solution.edge_selected)
    assert margins.lower_bound <= cost + 1e-6
    for node, margin in enumerate(margins.node):
        assert margins.lower_bound + margin <= cheapest(flip(problem, solution, node=node)) + 1e-6
    for edge, margin in enumerate(margins.edge):
        assert margins.lower_bound + margin <= cheapest(flip(problem, solution, edge=edge)) + 1e-6


@settings(max_examples=60, deadline=None)
@given(problem=problems(numbers, pinned=True))
def test_what_is_pinned_is_certain_and_what_is_free_is_measured(problem):
    solution = solve_exactly(problem, Limits())
    margins = measure_margins(problem, solution.node_selected, solution.edge_selected)
    assert np.isinf(margins.edge[problem.pins.edge != FREE]).all()
    assert np.isinf(margins.node[problem.pins.node != FREE]).all()
    alone = np.ones(problem.n, bool)
    alone[problem.edges[problem.pins.edge != FREE].ravel()] = False
    assert np.isfinite(margins.node[alone & (problem.pins.node == FREE)]).all()


def test_margins_of_a_track_are_exact(gap):
    """The dim cell (2) pays 1 and holds the track: without it a start (12) is paid, and two links of 1 µm are not.

     t0      t1      t2      t3      t4
    (.9)    (.9)    (.15)   (.9)    (.9)
      0 --1-- 1 --1-- 2 --1-- 3 --1-- 4
    """
    problem = Problem(gap.edges, price_graph(gap, SolveParams()))
    solution = solve_exactly(problem, Limits())
    cost = problem.price(solution.node_selected, solution.edge_selected)
    margins = measure_margins(problem, solution.node_selected, solution.edge_selected)
    nodes = [solve_otherwise(problem, solution, node=row) - cost for row in range(5)]
    edges = [solve_otherwise(problem, solution, edge=row) - cost for row in range(4)]
    assert margins.node[2] == pytest.approx(12 + 1 - 2)
    assert margins.node.tolist() == pytest.approx(nodes)
    assert margins.edge.tolist() == pytest.approx(edges)


def test_margins_follow_the_unit_of_the_costs(crossing):
    problem = Problem(crossing.edges, price_graph(crossing, SolveParams()))
    solution = solve_exactly(problem, Limits())
    one, two = (
        measure_margins(p, solution.node_selected, solution.edge_selected) for p in (problem, problem.scaled(1000.0))
    )
    assert (one.edge > 0).all()
    assert two.edge == pytest.approx(1000 * one.edge)
    assert two.node == pytest.approx(1000 * one.node)


def test_on_packed_cells_the_margins_are_near_those_of_solving_anew(instances):
    tissue = instances.Tissue(spacing_um=10, movement_error_um=1.5, daughter_error_um=2.5)
    made = instances.make_instance(600, 8, seed=1, tissue=tissue)
    graph = link_candidates(made.detections, CandidatesParams())
    problem = Problem(graph.edges, price_graph(graph, SolveParams()))
    solution = solve_exactly(problem, Limits())
    cost = problem.price(solution.node_selected, solution.edge_selected)
    margins = measure_margins(problem, solution.node_selected, solution.edge_selected)
    taken = np.flatnonzero(solution.edge_selected)
    rows = taken[np.argsort(margins.edge[taken])][:: len(taken) // 25]
    exact = np.array([solve_otherwise(problem, solution, edge=row) - cost for row in rows])
    assert (margins.edge[rows] <= exact + 1e-6).all()
    assert np.median(margins.edge[rows] / exact) > 0.95
    assert np.corrcoef(margins.edge[rows], exact)[0, 1] > 0.85


def test_an_empty_graph_has_no_margins():
    none = np.zeros(0)
    problem = Problem(np.zeros((0, 2), np.int64), Costs(node=none, edge=none, start=none, division=none))
    margins = measure_margins(problem, np.zeros(0, bool), np.zeros(0, bool))
    assert (len(margins.node), len(margins.edge), margins.lower_bound) == (0, 0, 0.0)


def test_a_choice_the_bound_speaks_against_has_no_margin(crossing):
    """The greedy choice takes 1 → 2 and leaves 0 → 2 and 1 → 3, which together are cheaper; leaving 0 → 3 is right."""
    greedy = link_greedily(crossing, max_distance_um=3.0)
    margins = measure_selection(crossing, SolveParams(), greedy)
    assert greedy.edge_selected.tolist() == [False, True, False, False]
    assert margins.edge.tolist() == pytest.approx([0.0, 0.0, 4.6 + 1.8 - 2.0 - 2.0, 0.0], abs=1e-9)
