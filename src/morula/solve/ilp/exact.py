"""The cheapest forest, proven, with HiGHS: relaxation first, and integer search only where it is fractional.

Owns the strategy. On the tight formulation the relaxation is integral for most real graphs, and done. Where it is not,
few columns are fractional, and a MIP over the whole graph would spend its time looking for any good forest. Therefore:

1. the neighbourhood of the fractional columns is solved as a MIP with all else held: a forest of cost U;
2. every column whose reduced cost exceeds U − L (L the bound of the relaxation) is fixed where it stands, since every
   forest with its other value costs more than U;
3. the MIP over what is left proves the optimum.

Refuses (`SolveError`) to return anything without a forest in hand: there is no silent zero solution.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from morula.core.columns import BoolArray, FloatArray
from morula.errors import SolveError
from morula.solve.ilp.formulation import Formulation, Program, formulate
from morula.solve.ilp.highs import Run, run_highs
from morula.solve.problem.problem import Problem
from morula.solve.solution import Limits, Solution

_NEIGHBOURHOOD = 6  # steps over shared rows away from a fractional column: about three links in each direction
_INTEGRAL = 1e-6  # how far from 0 or 1 a value may lie and still count as such
_EQUAL = 1e-9  # relative difference of two sums of float64 that is nothing but rounding


def solve_exactly(problem: Problem, limits: Limits, *, formulation: Formulation = "tight") -> Solution:
    """Find the cheapest forest and prove it, or the best within the limits.

    Parameters
    ----------
    problem
        Links, costs of any sign, and pins.
    limits
        Gap that is good enough, and deadline.
    formulation
        How the program is written; the optimum is the same.

    Returns
    -------
    solution
        The forest and its lower bound, in the unit of the costs.

    Raises
    ------
    SolveError
        If the time is over before any forest is found, or HiGHS fails.

    Notes
    -----
    On one core 10 000 nodes and 40 000 edges take about 0.5 s, 100 000 and 490 000 about 8 s
    (``benchmarks/solve_once.py --method exact``).
    """
    if not problem.n:
        return Solution(np.zeros(0, bool), np.zeros(0, bool), lower_bound=0.0, proven=True)
    unit = problem.costs.find_unit()
    search = _Search(problem.scaled(1 / unit), formulation)
    values, row_dual = search.relax(limits)
    bound, reduced_cost = bound_by_duals(search.program, row_dual)
    best = search.round_to_forest(values)
    if not best.reaches(bound, limits.gap):
        best = search.polish(best, values, limits)
    if not best.reaches(bound, limits.gap):
        best, bound = search.close(best, bound, reduced_cost, limits)
    return Solution(
        node_selected=best.node,
        edge_selected=best.edge,
        lower_bound=min(bound, best.cost) * unit,
        proven=best.reaches(bound, 0.0),
    )


def bound_by_duals(program: Program, row_dual: FloatArray) -> tuple[float, FloatArray]:
    """Compute the bound that dual values prove, whatever tolerance they were found with.

    Parameters
    ----------
    program
        The program.
    row_dual
        One value per row; parts of a sign that would need a missing bound of the row are taken as 0.

    Returns
    -------
    bound
        No point of the program costs less (weak duality: each column takes the better of its bounds).
    reduced_cost
        Shape (columns,).
    """
    usable = np.where(row_dual > 0, np.isfinite(program.lower), np.isfinite(program.upper))
    dual = np.where(usable, row_dual, 0.0)
    side = np.where(dual > 0, program.lower, program.upper)
    reduced_cost = program.cost - program.rows.T @ dual
    columns = np.minimum(reduced_cost * program.least, reduced_cost * program.most)
    return float(dual[usable] @ side[usable] + columns.sum()), reduced_cost


@dataclass(frozen=True, slots=True, eq=False)
class _Forest:
    """A forest in hand and its cost."""

    node: BoolArray
    edge: BoolArray
    cost: float

    def reaches(self, bound: float, gap: float) -> bool:
        return self.cost - bound <= max(gap * abs(self.cost), _EQUAL * max(1.0, abs(self.cost)))


class _Search:
    """The steps of the strategy on one graph."""

    def __init__(self, problem: Problem, formulation: Formulation) -> None:
        self.problem, self.program = problem, formulate(problem, formulation)

    def relax(self, limits: Limits) -> tuple[FloatArray, FloatArray]:
        """Solve the linear relaxation; return its values and row duals."""
        run = run_highs(self.program, integral=False, seconds=limits.seconds_left)
        if run.status != "optimal" or run.values is None:
            raise self._failure(run)
        return run.values, run.row_dual

    def round_to_forest(self, values: FloatArray) -> _Forest:
        """Take every link above one half (at most one parent has it) and of three children the two strongest."""
        n, m = self.problem.n, self.problem.m
        weight = values[n : n + m]
        parent = self.problem.edges[:, 0]
        order = np.lexsort((-weight, parent))
        rank = np.empty(m, np.int64)
        rank[order] = np.arange(m) - np.searchsorted(parent[order], parent[order])
        return self._measure(values[:n] > 0.5, (weight > 0.5) & (rank < 2))

    def polish(self, best: _Forest, values: FloatArray, limits: Limits) -> _Forest:
        """Solve the neighbourhood of the fractional columns with all others held; return the cheaper forest."""
        held = np.round(values)
        pattern = abs(self.program.rows)
        free = np.abs(values - held) > _INTEGRAL
        for _ in range(_NEIGHBOURHOOD):
            touched = np.asarray(pattern @ free.astype(np.float64)) > 0
            free |= np.asarray(pattern.T @ touched.astype(np.float64)) > 0
        lower, upper = np.where(free, 0.0, held), np.where(free, 1.0, held)
        return self._improve(best, self._run_held(lower, upper, limits))

    def close(self, best: _Forest, bound: float, reduced_cost: FloatArray, limits: Limits) -> tuple[_Forest, float]:
        """Fix what cannot differ in a cheaper forest and solve the rest; return the better forest and bound."""
        slack = best.cost - bound + _INTEGRAL
        lower, upper = np.where(reduced_cost < -slack, 1.0, 0.0), np.where(reduced_cost > slack, 0.0, 1.0)
        run = self._run_held(lower, upper, limits)
        best = self._improve(best, run)
        return best, max(bound, min(run.dual_bound, best.cost))

    def _run_held(self, lower: FloatArray, upper: FloatArray, limits: Limits) -> Run:
        left = limits.seconds_left
        return run_highs(self.program, integral=True, lower=lower, upper=upper, gap=limits.gap, seconds=left)

    def _improve(self, best: _Forest, run: Run) -> _Forest:
        if run.values is None:
            return best
        other = self.round_to_forest(run.values)
        return other if other.cost < best.cost else best

    def _measure(self, node: BoolArray, edge: BoolArray) -> _Forest:
        node = node.copy()
        node[self.problem.edges[edge].ravel()] = True
        return _Forest(node, edge, self.problem.price(node, edge))

    def _failure(self, run: Run) -> SolveError:
        late = run.status == "time limit"
        return SolveError(
            f"no forest found for {self.problem.n} nodes and {self.problem.m} edges: {run.detail}.",
            measured="the solver stopped in the linear relaxation, before any solution",
            cause="a time limit too short for this graph"
            if late
            else "costs of very different size, or too little memory",
            fix="raise or remove solve.time_limit_s"
            if late
            else "check the scores, distances and weights for outliers",
        )
