"""Smaller problems have the same answer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from small_problems import cheapest, forests, problems

from morula.core.pins import IN, OUT, Pins
from morula.solve.ilp.exact import solve_exactly
from morula.solve.problem.costs import Costs
from morula.solve.problem.problem import Problem
from morula.solve.problem.reduce import cut_open_parts, drop_excluded
from morula.solve.solution import Limits


@settings(max_examples=60, deadline=None)
@given(problem=problems(pinned=True))
def test_what_pins_exclude_is_dropped_and_nothing_else_changes(problem):
    piece = drop_excluded(problem)
    child = piece.problem.edges[:, 1]
    assert (child[1:] >= child[:-1]).all()
    assert not (piece.problem.pins.edge == OUT).any()
    assert np.array_equal(piece.problem.edges, problem.edges[piece.edges])
    assert cheapest(piece.problem) == pytest.approx(cheapest(problem), abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(problem=problems(pinned=True))
def test_a_link_is_dropped_only_if_no_forest_has_it(problem):
    gone = np.setdiff1d(np.arange(problem.m), drop_excluded(problem).edges)
    assert not any(chosen[gone].any() for chosen in forests(problem.edges, problem.pins))


def test_links_beside_a_pinned_one_are_dropped():
    """
    t0    0    1        0 → 2 is pinned in: 1 → 2 is gone, 0 → 3 may still be a daughter
         / \\  /
    t1  3    2
    """
    edges = np.array([[0, 3], [1, 2], [0, 2]])
    pins = Pins(node=np.zeros(4), edge=np.array([0, 0, IN]))
    costs = Costs(node=np.zeros(4), edge=np.zeros(3), start=np.zeros(4), division=np.zeros(4))
    piece = drop_excluded(Problem(edges, costs, pins))
    assert piece.problem.edges.tolist() == [[0, 2], [0, 3]]
    assert piece.edges.tolist() == [2, 0]
    assert piece.problem.pins.edge.tolist() == [IN, 0]


def _parts_of(problem, is_open):
    """Number the components of the open links; −1 for nodes without one."""
    parent, child = problem.edges[is_open].T
    joined = coo_array((np.ones(len(parent)), (parent, child)), shape=(problem.n, problem.n))
    _, label = connected_components(joined, directed=False)
    touched = np.isin(np.arange(problem.n), problem.edges[is_open])
    return np.where(touched, label, -1)


def _open(draw, problem):
    """Any links but the pinned ones may be open."""
    free = problem.pins.edge == 0
    return np.array([draw(st.booleans()) for _ in range(problem.m)], bool) & free


@settings(max_examples=150, deadline=None)
@given(problem=problems(pinned=True), data=st.data())
def test_solving_the_open_parts_of_an_optimum_gives_an_optimum(problem, data):
    best = solve_exactly(problem, Limits())
    is_open = _open(data.draw, problem)
    taken = best.edge_selected & ~is_open
    edge, node = taken.copy(), best.node_selected.copy()
    for piece in cut_open_parts(problem, taken, is_open, _parts_of(problem, is_open)):
        solved = solve_exactly(piece.problem, Limits())
        edge[piece.edges] = solved.edge_selected
        node[piece.nodes] = solved.node_selected
    assert (problem.pins.edge * np.where(edge, 1, -1) >= 0).all()
    assert problem.price(node, edge) == pytest.approx(cheapest(problem), abs=1e-6)


@settings(max_examples=100, deadline=None)
@given(problem=problems(), data=st.data())
def test_a_choice_in_a_part_costs_the_same_as_in_the_whole_but_for_a_constant(problem, data):
    taken = data.draw(st.sampled_from(list(forests(problem.edges, problem.pins))))
    is_open = _open(data.draw, problem)
    taken &= ~is_open
    for piece in cut_open_parts(problem, taken, is_open, _parts_of(problem, is_open)):
        differences = []
        for chosen in forests(piece.problem.edges, piece.problem.pins):
            edge = taken.copy()
            edge[piece.edges] = chosen
            inside = np.zeros(len(piece.nodes), bool)
            inside[piece.problem.edges[chosen].ravel()] = True
            node = np.zeros(problem.n, bool)
            node[problem.edges[taken].ravel()], node[piece.nodes] = True, inside
            differences.append(problem.price(node, edge) - piece.problem.price(inside, chosen))
        assert differences == pytest.approx([differences[0]] * len(differences), abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(problem=problems(), data=st.data())
def test_every_open_link_is_in_one_part_and_far_ends_come_with_taken_links(problem, data):
    taken = data.draw(st.sampled_from(list(forests(problem.edges, problem.pins))))
    is_open = _open(data.draw, problem)
    taken &= ~is_open
    part = _parts_of(problem, is_open)
    pieces = list(cut_open_parts(problem, taken, is_open, part))
    seen = np.bincount(np.concatenate([piece.edges for piece in pieces] or [np.zeros(0, int)]), minlength=problem.m)
    assert (seen[is_open] == 1).all()
    assert not seen[~is_open & ~taken].any()
    touches = (part[problem.edges] >= 0).any(axis=1)
    assert (seen[taken & touches] >= 1).all()
    for piece in pieces:
        assert np.array_equal(piece.nodes[piece.problem.edges], problem.edges[piece.edges])
        assert np.array_equal(piece.problem.pins.edge == IN, taken[piece.edges])
