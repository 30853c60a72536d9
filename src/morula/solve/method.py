"""Which solver a problem is given to, be it a whole graph or a block of it.

Owns what the settings `method`, `formulation`, `gap` and `time_limit_s` mean.
"""

from __future__ import annotations

from morula.solve.ilp.exact import solve_exactly
from morula.solve.params import SolveParams
from morula.solve.problem.problem import Problem
from morula.solve.solution import Limits, Solution

_MOST_EXACT_NODES = 30_000
"""Up to here HiGHS proves the optimum in a few seconds; its time grows faster than the graph."""


def solve_problem(problem: Problem, params: SolveParams) -> Solution:
    """Prove the optimum of small problems; find a forest and a bound for large ones.

    Raises
    ------
    SolveError
        If the time is over before any forest is found.
    """
    method = params.method
    if method == "auto":
        method = "exact" if problem.n <= _MOST_EXACT_NODES or params.formulation == "paper" else "ascent"
    if method == "exact":
        return solve_exactly(problem, Limits.starting_now(0.0, params.time_limit_s), formulation=params.formulation)
    from morula.solve.ascent.large import solve_by_ascent  # compiles; small problems do without

    return solve_by_ascent(problem, Limits.starting_now(params.gap, params.time_limit_s))
