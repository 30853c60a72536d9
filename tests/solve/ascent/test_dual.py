from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_problems import cheapest, problems

from morula.core.pins import IN, Pins
from morula.solve.ascent.dual import DualAscent
from morula.solve.ilp.exact import solve_exactly
from morula.solve.ilp.formulation import formulate
from morula.solve.ilp.highs import run_highs
from morula.solve.params import SolveParams
from morula.solve.problem.costs import Costs, price_graph
from morula.solve.problem.problem import Problem
from morula.solve.problem.reduce import drop_excluded
from morula.solve.solution import Limits


@settings(max_examples=200, deadline=None)
@given(problem=problems(pinned=True), moves=st.lists(st.booleans(), min_size=1, max_size=12))
def test_no_sweep_lowers_the_bound_and_none_lifts_it_above_the_cheapest_forest(problem, moves):
    ascent = DualAscent(drop_excluded(problem).problem)
    least, bound = cheapest(problem), ascent.bound()
    for sharply in moves:
        ascent.sweep_sharply() if sharply else ascent.sweep()
        before, bound = bound, ascent.bound()
        assert bound >= before - 1e-6
        assert bound <= least + 1e-6


@settings(max_examples=100, deadline=None)
@given(problem=problems(pinned=True), sweeps=st.integers(0, 5))
def test_excess_is_where_a_forest_costs_more_than_the_bound(problem, sweeps):
    piece = drop_excluded(problem)
    ascent = DualAscent(piece.problem)
    for _ in range(sweeps):
        ascent.sweep()
    solution = solve_exactly(problem, Limits())
    excess = ascent.excess(solution.node_selected, solution.edge_selected[piece.edges])
    assert excess.min(initial=0.0) >= -1e-6
    cost = problem.price(solution.node_selected, solution.edge_selected)
    assert excess.sum() == pytest.approx(cost - ascent.bound(), abs=1e-6)


@settings(max_examples=100, deadline=None)
@given(problem=problems(), sweeps=st.integers(0, 5))
def test_deciding_against_a_margin_costs_at_least_that_much_more_than_the_bound(problem, sweeps):
    piece = drop_excluded(problem)
    ascent = DualAscent(piece.problem)
    for _ in range(sweeps):
        ascent.sweep()
    solution = solve_exactly(problem, Limits())
    cost = problem.price(solution.node_selected, solution.edge_selected)
    taken = solution.edge_selected[piece.edges]
    for margin in ascent.margins():
        against = np.where(taken, margin, -margin)
        assert (cost >= ascent.bound() + against - 1e-6).all()


def test_sweeps_reach_the_value_of_the_tight_relaxation(instances):
    graph = instances.make_graph(2000, 8000, seed=3)
    problem = Problem(graph.edges, price_graph(graph, SolveParams()))
    program = formulate(problem)
    relaxed = float(program.cost @ run_highs(program, integral=False).values)
    ascent = DualAscent(drop_excluded(problem).problem)
    assert ascent.bound() < relaxed - 1e-3 * abs(relaxed)
    for _ in range(200):
        ascent.sweep()
    for _ in range(200):
        ascent.sweep_sharply()
    assert relaxed - 2e-6 * abs(relaxed) <= ascent.bound() <= relaxed + 1e-6 * abs(relaxed)


def test_a_pin_weighs_more_than_any_cost():
    """
    t0    0    1       1 → 2 is pinned in, though it costs 1e12 times what is typical
           \\  /
    t1      2
    """
    costs = Costs(node=np.full(3, 1.0), edge=np.array([1.0, 1e12]), start=np.full(3, 1.0), division=np.zeros(3))
    problem = Problem(np.array([[0, 2], [1, 2]]), costs, Pins(node=np.zeros(3), edge=np.array([0, IN])))
    ascent = DualAscent(drop_excluded(problem).problem)
    ascent.sweep()
    assert ascent.bound() == pytest.approx(cheapest(problem))
