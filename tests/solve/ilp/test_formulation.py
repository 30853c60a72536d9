from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from morula.solve.ilp.formulation import formulate
from morula.solve.problem.costs import Costs
from morula.solve.problem.problem import Pins, Problem

FORK = np.array([[0, 1], [0, 2], [0, 3]])


def _problem(edges, n, division=1.0, end=0.0):
    costs = Costs(
        node=np.zeros(n),
        edge=np.zeros(len(edges)),
        start=np.zeros(n),
        division=np.full(n, division),
        end=np.full(n, end),
    )
    return Problem(np.array(edges, np.int64).reshape(-1, 2), costs)


def _admits(program, point):
    rows = program.rows @ np.array(point, float)
    if not 0 <= min(point) <= max(point) <= 1:
        return False
    return bool((rows >= program.lower - 1e-9).all() and (rows <= program.upper + 1e-9).all())


@pytest.mark.parametrize("formulation", ["tight", "paper"])
@pytest.mark.parametrize("division_cost", [1.0, -1.0])
@pytest.mark.parametrize("end_cost", [0.0, 1.0, -1.0])
def test_its_points_are_exactly_the_forests(formulation, division_cost, end_cost):
    """
    t0    0          a node with three candidate children
         /|\\
    t1  1 2 3
    """
    program = formulate(_problem(FORK, 4, division_cost, end_cost), formulation)
    for node in product([0, 1], repeat=4):
        for edge in product([0, 1], repeat=3):
            linked = [0, *edge]
            start = [node[row] - linked[row] for row in range(4)]
            divides = int(sum(edge) == 2)
            forest = all(s >= 0 for s in start) and sum(edge) <= 2 * node[0]
            ends = [int(node[0] and not any(edge))] if end_cost else []
            assert _admits(program, [*node, *edge, *start, divides, *ends]) == forest


@pytest.mark.parametrize("formulation", ["tight", "paper"])
def test_a_division_that_pays_cannot_be_had_without_two_children(formulation):
    program = formulate(_problem(FORK, 4, -5.0), formulation)
    one_child = [1, 1, 0, 0, 1, 0, 0, 1, 0, 0, 0, 1]
    assert not _admits(program, one_child)


def test_only_nodes_with_two_candidate_children_may_divide():
    program = formulate(_problem([[0, 1], [1, 2], [1, 3]], 4), "tight")
    assert len(program.cost) == 4 + 3 + 4 + 1


def test_the_tight_form_refuses_half_a_division_that_the_paper_form_admits():
    """Both daughters at one half, and no division paid for."""
    problem = _problem([[0, 1], [0, 2]], 3)
    half = [0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0, 0, 0]
    assert _admits(formulate(problem, "paper"), half)
    assert not _admits(formulate(problem, "tight"), half)


@pytest.mark.parametrize("formulation", ["tight", "paper"])
def test_an_end_that_pays_cannot_be_had_beside_a_child(formulation):
    program = formulate(_problem(FORK, 4, end=-5.0), formulation)
    child_and_end = [1, 1, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 1]
    assert not _admits(program, child_and_end)


def test_costs_stand_in_the_order_nodes_edges_starts_divisions_ends():
    costs = Costs(
        node=np.array([1.0, 2, 3]),
        edge=np.array([4.0, 5]),
        start=np.array([6.0, 7, 8]),
        division=np.array([9.0, 0, 0]),
        end=np.array([10.0, 0, 0]),
    )
    cost = formulate(Problem(np.array([[0, 1], [0, 2]]), costs), "tight").cost
    assert cost.tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]


def test_the_end_of_a_node_without_candidate_children_is_part_of_its_own_cost():
    assert formulate(_problem([[0, 1]], 2, end=3.0), "tight").cost.tolist() == [0, 3, 0, 0, 0, 3]


def test_pins_are_bounds_of_their_columns():
    problem = _problem(FORK, 4)
    pins = Pins(node=np.array([0, -1, 0, 0]), edge=np.array([0, 0, 1]))
    program = formulate(Problem(problem.edges, problem.costs, pins), "tight")
    assert program.least.tolist() == [0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0]
    assert program.most.tolist() == [1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]


@pytest.mark.parametrize("formulation", ["tight", "paper"])
def test_a_graph_without_links_has_one_row_per_node(formulation):
    program = formulate(_problem([], 3), formulation)
    assert _admits(program, [1, 0, 1, 1, 0, 1])
    assert not _admits(program, [1, 0, 1, 1, 0, 0])
