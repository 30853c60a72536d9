from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_problems import cheapest, problems, respects

from morula.solve.ascent import large
from morula.solve.ascent.large import solve_by_ascent
from morula.solve.forest import check_forest
from morula.solve.ilp.exact import solve_exactly
from morula.solve.params import SolveParams
from morula.solve.problem.costs import Costs, price_graph
from morula.solve.problem.problem import Problem
from morula.solve.solution import Limits


@settings(max_examples=200, deadline=None)
@given(problem=problems(pinned=True))
def test_small_problems_are_solved_within_the_bound_it_states(problem):
    solution = solve_by_ascent(problem, Limits())
    check_forest(problem.edges, solution.node_selected, solution.edge_selected)
    found, least = problem.price(solution.node_selected, solution.edge_selected), cheapest(problem)
    assert solution.lower_bound <= least + 1e-6 <= found + 2e-6
    assert respects(problem, solution)
    if solution.proven:
        assert found == pytest.approx(least, abs=1e-6)


def _problem(instances, n=3000, m=12000, **tissue):
    if tissue:
        found = instances.make_instance(n, 20, seed=2, tissue=instances.Tissue(**tissue))
        graph = instances.link_candidates(found.detections, instances.CandidatesParams(max_distance_um=18))
    else:
        graph = instances.make_graph(n, m, seed=2)
    return Problem(graph.edges, price_graph(graph, SolveParams()))


@pytest.mark.parametrize("tissue", [{}, {"movement_error_um": 5.0, "daughter_error_um": 5.0, "false": 0.25}])
def test_the_gap_asked_for_is_reached(instances, tissue):
    problem = _problem(instances, **tissue)
    best = solve_exactly(problem, Limits())
    optimum = problem.price(best.node_selected, best.edge_selected)
    solution = solve_by_ascent(problem, Limits(gap=1e-5))
    found = problem.price(solution.node_selected, solution.edge_selected)
    assert found - solution.lower_bound <= 1e-5 * abs(found)
    assert optimum - 1e-9 * abs(optimum) <= found <= optimum + 1e-5 * abs(optimum)


def test_open_parts_larger_than_allowed_are_cut_at_smaller_margins(instances, monkeypatch):
    problem = _problem(instances, movement_error_um=5.0, daughter_error_um=5.0, false=0.25)
    monkeypatch.setattr(large, "_LARGEST_PART", 60)
    solution = solve_by_ascent(problem, Limits(gap=1e-3))
    check_forest(problem.edges, solution.node_selected, solution.edge_selected)
    found = problem.price(solution.node_selected, solution.edge_selected)
    assert found - solution.lower_bound <= 1e-3 * abs(found)


def test_without_time_there_is_still_a_whole_forest_with_an_honest_bound(instances):
    problem = _problem(instances)
    best = solve_exactly(problem, Limits())
    solution = solve_by_ascent(problem, Limits.starting_now(0.0, 1e-9))
    check_forest(problem.edges, solution.node_selected, solution.edge_selected)
    assert solution.lower_bound <= best.lower_bound
    assert not solution.proven
    assert solution.edge_selected.sum() > 0.9 * best.edge_selected.sum()


def test_the_same_problem_has_the_same_answer_twice(instances):
    problem = _problem(instances)
    one, other = solve_by_ascent(problem, Limits(gap=1e-4)), solve_by_ascent(problem, Limits(gap=1e-4))
    assert np.array_equal(one.edge_selected, other.edge_selected)
    assert one.lower_bound == other.lower_bound


def test_the_order_of_the_links_and_the_unit_of_the_costs_do_not_matter(instances):
    problem = _problem(instances)
    order = np.random.default_rng(0).permutation(problem.m)
    other = problem.cut(np.arange(problem.n), order).scaled(1e-6)
    one, two = solve_by_ascent(problem, Limits(gap=1e-6)), solve_by_ascent(other, Limits(gap=1e-6))
    price = problem.price(one.node_selected, one.edge_selected)
    assert other.price(two.node_selected, two.edge_selected) * 1e6 == pytest.approx(price, rel=2e-6)


def test_a_small_problem_with_a_gap_is_solved_as_a_whole():
    """Divisions that pay more than anything costs, and too few children for all: the relaxation takes halves.

    t0    0     1     2     3       all linked to all
    t1       4     5     6
    """
    rng = np.random.default_rng(3)
    edges = np.array([[parent, child] for parent in range(4) for child in range(4, 7)])
    costs = Costs(
        node=rng.normal(0, 3, 7), edge=rng.normal(1, 3, 12), start=np.full(7, 2.0), division=-rng.uniform(10, 40, 7)
    )
    problem = Problem(edges, costs)
    solution = solve_by_ascent(problem, Limits())
    assert problem.price(solution.node_selected, solution.edge_selected) == pytest.approx(cheapest(problem), abs=1e-6)
    assert solution.proven


@settings(max_examples=60, deadline=None)
@given(problem=problems(pinned=True), sizes=st.lists(st.integers(-9, 9), min_size=5, max_size=5))
def test_costs_of_any_size_beside_each_other_leave_the_bound_below_the_optimum(problem, sizes):
    names = ("node", "edge", "start", "division", "end")
    factors = dict(zip(names, (10.0**size for size in sizes), strict=True))
    costs = Costs(**{name: getattr(problem.costs, name) * factors[name] for name in names})
    mixed = Problem(problem.edges, costs, problem.pins)
    solution = solve_by_ascent(mixed, Limits())
    found, least, rounding = mixed.price(solution.node_selected, solution.edge_selected), cheapest(mixed), 1e-9
    rounding *= max(costs.find_largest(), 1e-300)
    assert solution.lower_bound <= least + rounding
    assert solution.lower_bound <= found
    assert respects(mixed, solution)
    assert found <= least + rounding
