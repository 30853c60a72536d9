"""A lower bound on the cost of any forest of a graph, for forests that were found in another way.

Owns when the sweeps of `dual.DualAscent` have gained enough. Decides about no link.
"""

from __future__ import annotations

from morula.solve.ascent.dual import DualAscent
from morula.solve.problem.problem import Problem
from morula.solve.problem.reduce import drop_excluded

_SWEEPS_AT_ONCE = 10
_MOST_SWEEPS = 600
_ENOUGH = 1e-5
"""Sweeping ends when ten sweeps raise the bound by less than this part of it."""


def find_lower_bound(problem: Problem) -> float:
    """Return a cost that no forest agreeing with the pins can undercut.

    Parameters
    ----------
    problem
        Links, costs of any sign, and pins.

    Notes
    -----
    A sweep takes about 15 ns per link in both directions, and some tens of them are enough.
    """
    if not problem.n:
        return 0.0
    unit = problem.costs.find_unit()
    ascent = DualAscent(drop_excluded(problem.scaled(1 / unit)).problem)
    bound = ascent.bound()
    for _ in range(0, _MOST_SWEEPS, _SWEEPS_AT_ONCE):
        for _ in range(_SWEEPS_AT_ONCE):
            ascent.sweep()
        before, bound = bound, ascent.bound()
        if bound - before <= _ENOUGH * abs(bound):
            break
    return bound * unit
