from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from morula.solve.costs import Costs
from morula.solve.formulation import formulate

FORK = np.array([[0, 1], [0, 2], [0, 3]])


def _costs(n, m, division=1.0):
    return Costs(node=np.zeros(n), edge=np.zeros(m), start=np.zeros(n), division=np.full(n, division))


def _admits(program, point):
    rows = program.rows @ np.array(point, float)
    if not 0 <= min(point) <= max(point) <= 1:
        return False
    return bool((rows >= program.lower - 1e-9).all() and (rows <= program.upper + 1e-9).all())


@pytest.mark.parametrize("formulation", ["tight", "paper"])
@pytest.mark.parametrize("division_cost", [1.0, -1.0])
def test_its_points_are_exactly_the_forests(formulation, division_cost):
    """
    t0    0          a node with three candidate children
         /|\\
    t1  1 2 3
    """
    program = formulate(FORK, _costs(4, 3, division_cost), formulation)
    for node in product([0, 1], repeat=4):
        for edge in product([0, 1], repeat=3):
            linked = [0, *edge]
            start = [node[row] - linked[row] for row in range(4)]
            divides = int(sum(edge) == 2)
            forest = all(s >= 0 for s in start) and sum(edge) <= 2 * node[0]
            assert _admits(program, [*node, *edge, *start, divides]) == forest


@pytest.mark.parametrize("formulation", ["tight", "paper"])
def test_a_division_that_pays_cannot_be_had_without_two_children(formulation):
    program = formulate(FORK, _costs(4, 3, -5.0), formulation)
    one_child = [1, 1, 0, 0, 1, 0, 0, 1, 0, 0, 0, 1]
    assert not _admits(program, one_child)


def test_only_nodes_with_two_candidate_children_may_divide():
    program = formulate(np.array([[0, 1], [1, 2], [1, 3]]), _costs(4, 3), "tight")
    assert len(program.cost) == 4 + 3 + 4 + 1


def test_the_tight_form_refuses_half_a_division_that_the_paper_form_admits():
    """Both daughters at one half, and no division paid for."""
    edges = np.array([[0, 1], [0, 2]])
    half = [0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0, 0, 0]
    assert _admits(formulate(edges, _costs(3, 2), "paper"), half)
    assert not _admits(formulate(edges, _costs(3, 2), "tight"), half)


def test_costs_stand_in_the_order_nodes_edges_starts_divisions():
    costs = Costs(
        node=np.array([1.0, 2, 3]), edge=np.array([4.0, 5]), start=np.array([6.0, 7, 8]), division=np.array([9.0, 0, 0])
    )
    assert formulate(np.array([[0, 1], [0, 2]]), costs, "tight").cost.tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9]


@pytest.mark.parametrize("formulation", ["tight", "paper"])
def test_a_graph_without_links_has_one_row_per_node(formulation):
    program = formulate(np.zeros((0, 2), np.int64), _costs(3, 0), formulation)
    assert _admits(program, [1, 0, 1, 1, 0, 1])
    assert not _admits(program, [1, 0, 1, 1, 0, 0])
