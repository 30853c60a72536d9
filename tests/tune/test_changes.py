"""Differences of forests, part by part."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_problems import problems

from morula.core.pins import FREE, IN, OUT, Pins
from morula.solve.forest import check_forest
from morula.solve.ilp.exact import solve_exactly
from morula.solve.problem.problem import Problem
from morula.solve.solution import Limits
from morula.tune.changes import Mistakes, compare_choices, split_changes
from morula.tune.features import Choice, Features


def solve(problem):
    solution = solve_exactly(problem, Limits())
    return Choice(solution.node_selected, solution.edge_selected)


@settings(max_examples=40, deadline=None)
@given(problems(), st.randoms(use_true_random=False))
def test_each_part_can_be_changed_alone_and_costs_what_it_says(problem, random) -> None:
    one = solve(problem)
    flipped = Problem(problem.edges, problem.costs.scaled(-1.0 if random.random() < 0.5 else 0.3), problem.pins)
    other = solve(flipped)
    part, n_parts = split_changes(problem.edges, one, other)
    total = 0.0
    for number in range(n_parts):
        inside = part == number
        edge = np.where(inside[problem.edges].all(axis=1), other.edge, one.edge)
        node = np.where(inside, other.node, one.node)
        check_forest(problem.edges, node, edge)
        total += problem.price(node, edge) - problem.price(one.node, one.edge)
    assert total == pytest.approx(problem.price(other.node, other.edge) - problem.price(one.node, one.edge), abs=1e-6)
    changed = one.node != other.node
    changed[problem.edges[one.edge != other.edge]] = True
    np.testing.assert_array_equal(part >= 0, changed)


def line_of(n_pairs):
    """Pairs of nodes, each joined by one link."""
    edges = np.arange(2 * n_pairs).reshape(-1, 2)
    ones, links = np.ones(2 * n_pairs), np.ones(n_pairs)
    return Features(
        edges=edges, score=ones, distance_um=links, skipped=0 * links,
        start=ones, division=ones, evidence=0 * ones, apart_um=0 * ones, end=ones,
    )  # fmt: skip


def test_only_parts_that_touch_a_label_count() -> None:
    features = line_of(4)
    labels = Pins(node=np.zeros(8, np.int8), edge=np.array([IN, OUT, FREE, IN], np.int8))
    right = Choice(np.ones(8, bool), np.array([True, False, False, True]))
    wrong = Choice(np.ones(8, bool), np.array([False, True, True, True]))
    mistakes = compare_choices(features, labels, right, wrong)
    assert mistakes.errors.tolist() == [1.0, 1.0], "one link missed, one made up; the third nobody annotated"
    names = ["distance", "starts"]
    assert mistakes.slope[:, [2, 3]].tolist() == [[1.0, -1.0], [-1.0, 1.0]], names


def test_the_plane_holds_what_is_lost_and_nothing_that_is_won() -> None:
    mistakes = Mistakes(slope=np.array([[1.0] + [0.0] * 6, [-4.0] + [0.0] * 6]), errors=np.array([1.0, 2.0]))
    weights = np.array([1.0] + [0.0] * 6)
    loss, slope, offset = mistakes.find_plane(weights)
    assert (loss, offset) == (2.0, 1.0)
    assert slope @ weights + offset == loss
