"""The same model, solved by motile with SCIP: another formulation, another solver, the same optimum."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from small_problems import problems

from morula.solve.ascent.large import solve_by_ascent
from morula.solve.ilp.exact import solve_exactly
from morula.solve.params import SolveParams
from morula.solve.problem.costs import price_graph
from morula.solve.problem.problem import Problem
from morula.solve.solution import Limits

pytest.importorskip("motile", reason="motile is not installed: pip install -c constraints.txt -e '.[peers]'")

MODEL = Path(__file__).resolve().parents[2] / "benchmarks" / "motile_model.py"


@pytest.fixture(scope="module")
def motile_model():
    spec = importlib.util.spec_from_file_location("morula_benchmark_motile_model", MODEL)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _assert_same_optimum(motile_model, problem, t):
    choice = motile_model.solve_with_motile(problem, t)
    assert choice.optimal
    theirs = problem.price(choice.node_selected, choice.edge_selected)
    for solver in (solve_exactly, solve_by_ascent):
        ours = solver(problem, Limits())
        assert problem.price(ours.node_selected, ours.edge_selected) == pytest.approx(theirs, abs=1e-4, rel=1e-6)


@settings(max_examples=30, deadline=None)
@given(problem=problems())
def test_motile_finds_the_same_optimum_of_any_small_graph(motile_model, problem):
    """Rows stand for frames; starts in the first and ends in the last cost nothing, all others not less."""
    costs = problem.costs
    start, end = abs(costs.start), abs(costs.end)
    start[0], end[-1] = 0.0, 0.0
    same = Problem(problem.edges, replace(costs, start=start, end=end))
    _assert_same_optimum(motile_model, same, np.arange(problem.n))


@pytest.mark.parametrize("weights", [{}, {"end_cost": 3.0, "division_cost": -1.0}, {"node_constant": 11.0}])
@pytest.mark.parametrize("hard", [False, True])
def test_motile_finds_the_same_optimum_of_tissue(motile_model, instances, weights, hard):
    graph = instances.make_graph(150, 500, seed=4, tissue=instances.HARD if hard else None)
    problem = Problem(graph.edges, price_graph(graph, SolveParams(**weights)))
    _assert_same_optimum(motile_model, problem, graph.nodes.t)


def test_what_motile_cannot_express_is_refused(motile_model, division):
    costs = price_graph(division, SolveParams(start_cost=-1.0))
    with pytest.raises(ValueError, match="cannot express"):
        motile_model.solve_with_motile(Problem(division.edges, costs), division.nodes.t)
