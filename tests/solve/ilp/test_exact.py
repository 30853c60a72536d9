from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_problems import cheapest, problems, real, respects

from morula.errors import SolveError
from morula.solve.forest import check_forest
from morula.solve.ilp import exact
from morula.solve.ilp.exact import bound_by_duals, solve_exactly
from morula.solve.ilp.formulation import formulate
from morula.solve.ilp.highs import Run, run_highs
from morula.solve.problem.costs import Costs
from morula.solve.problem.problem import Problem
from morula.solve.solution import Limits


@settings(max_examples=150, deadline=None)
@given(problem=problems(pinned=True), formulation=st.sampled_from(["tight", "paper"]))
def test_it_finds_the_cheapest_of_all_forests_and_proves_it(problem, formulation):
    solution = solve_exactly(problem, Limits(), formulation=formulation)
    check_forest(problem.edges, solution.node_selected, solution.edge_selected)
    found = problem.price(solution.node_selected, solution.edge_selected)
    assert found == pytest.approx(cheapest(problem), abs=1e-6)
    assert solution.proven
    assert solution.lower_bound == pytest.approx(found, abs=1e-6)
    assert solution.lower_bound <= found
    assert respects(problem, solution)


@settings(max_examples=40, deadline=None)
@given(problem=problems(pinned=True), seed=st.integers(0, 2**16))
def test_the_bound_of_any_dual_values_is_below_the_cheapest_forest(problem, seed):
    program = formulate(problem, "tight")
    dual = np.random.default_rng(seed).normal(0, 3, len(program.lower))
    assert bound_by_duals(program, dual)[0] <= cheapest(problem) + 1e-9


@settings(max_examples=40, deadline=None)
@given(problem=problems(), values=st.lists(st.floats(0, 1), min_size=40, max_size=40))
def test_any_point_of_the_relaxation_is_rounded_to_a_forest(problem, values):
    """The point is that of the relaxation for some other costs, halfway to the one for these."""
    search = exact._Search(problem, "paper")
    program = replace(search.program, cost=np.resize(values, len(search.program.cost)) - 0.5)
    point = (run_highs(program, integral=False).values + run_highs(search.program, integral=False).values) / 2
    forest = search.round_to_forest(point)
    check_forest(problem.edges, forest.node, forest.edge)


@settings(max_examples=30, deadline=None)
@given(problem=problems(numbers=real), seed=st.integers(0, 99))
def test_the_order_of_the_links_and_the_unit_of_the_costs_do_not_matter(problem, seed):
    order = np.random.default_rng(seed).permutation(problem.m)
    shuffled = problem.cut(np.arange(problem.n), order).scaled(1e-6)
    one, other = solve_exactly(problem, Limits()), solve_exactly(shuffled, Limits())
    back = np.zeros(problem.m, bool)
    back[order] = other.edge_selected
    price = problem.price(one.node_selected, one.edge_selected)
    assert problem.price(other.node_selected, back) == pytest.approx(price, abs=1e-6)


def _hard(instances):
    """A graph whose relaxation is fractional: divisions that pay a little."""
    tissue = instances.Tissue(movement_error_um=3, false=0.3, missed=0.1, division_rate=0.05)
    found = instances.make_instance(400, 8, seed=4, tissue=tissue)
    graph = instances.link_candidates(found.detections, instances.CandidatesParams(max_distance_um=15))
    n = graph.nodes.n
    costs = Costs(
        node=3 - 10 * graph.nodes.score,
        edge=np.array(graph.distance_um),
        start=np.where(graph.nodes.t == 0, 0.0, 6.0),
        division=np.full(n, -0.5),
    )
    return Problem(graph.edges, costs)


def test_a_fractional_relaxation_is_closed_by_the_search(instances):
    problem = _hard(instances)
    program = formulate(problem, "tight")
    values = run_highs(program, integral=False).values
    assert (np.abs(values - np.round(values)) > 0.01).any()
    solution = solve_exactly(problem, Limits())
    plain = run_highs(program, integral=True)
    found = problem.price(solution.node_selected, solution.edge_selected)
    assert solution.proven
    assert found == pytest.approx(program.cost @ plain.values, rel=1e-9)


def test_the_same_problem_has_the_same_answer_twice(instances):
    problem = _hard(instances)
    one, other = solve_exactly(problem, Limits()), solve_exactly(problem, Limits())
    assert np.array_equal(one.edge_selected, other.edge_selected)
    assert one.lower_bound == other.lower_bound


def test_a_gap_that_is_good_enough_ends_the_search_with_an_honest_bound(instances):
    problem = _hard(instances)
    best = solve_exactly(problem, Limits())
    quick = solve_exactly(problem, Limits(gap=0.5))
    optimum = problem.price(best.node_selected, best.edge_selected)
    found = problem.price(quick.node_selected, quick.edge_selected)
    assert quick.lower_bound <= optimum + 1e-9 <= found + 2e-9
    assert found - quick.lower_bound <= 0.5 * abs(found)
    assert not quick.proven


def test_a_search_out_of_time_returns_the_forest_in_hand(instances, monkeypatch):
    problem = _hard(instances)

    def out_of_time(program, *, integral, **limits):
        if not integral:
            return run_highs(program, integral=False, **limits)
        return Run("time limit", "Time limit reached", None, np.zeros(len(program.lower)), -np.inf)

    optimum = solve_exactly(problem, Limits())
    monkeypatch.setattr(exact, "run_highs", out_of_time)
    solution = solve_exactly(problem, Limits())
    check_forest(problem.edges, solution.node_selected, solution.edge_selected)
    assert not solution.proven
    assert solution.node_selected.any()
    assert solution.lower_bound <= optimum.lower_bound


def test_no_time_for_the_relaxation_is_an_error_and_no_empty_answer(instances):
    problem = _hard(instances)
    with pytest.raises(SolveError, match=r"no forest found for 400 nodes and \d+ edges: Time limit reached") as raised:
        solve_exactly(problem, Limits.starting_now(0.0, 1e-9))
    assert "raise or remove solve.time_limit_s" in str(raised.value)
