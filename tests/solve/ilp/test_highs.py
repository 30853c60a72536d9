from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from morula.solve.ilp.formulation import Program
from morula.solve.ilp.highs import run_highs

# three things of worth 2 each, of which at most 1.5 may be taken
KNAPSACK = Program(
    cost=np.array([-2.0, -2.0, -2.0]),
    least=np.zeros(3),
    most=np.ones(3),
    rows=csr_array(np.ones((1, 3))),
    lower=np.array([-np.inf]),
    upper=np.array([1.5]),
)


def test_a_relaxation_may_lie_between_and_has_duals():
    run = run_highs(KNAPSACK, integral=False)
    assert run.status == "optimal"
    assert KNAPSACK.cost @ run.values == pytest.approx(-3.0)
    assert run.row_dual.tolist() == [-2.0]


def test_a_mip_is_whole_and_has_a_bound():
    run = run_highs(KNAPSACK, integral=True)
    assert sorted(run.values.tolist()) == [0.0, 0.0, 1.0]
    assert run.dual_bound == pytest.approx(-2.0)


def test_equal_bounds_fix_a_column():
    run = run_highs(KNAPSACK, integral=True, lower=np.array([0.0, 0, 1]), upper=np.ones(3))
    assert run.values.tolist() == [0.0, 0.0, 1.0]


def test_an_impossible_program_has_no_values():
    run = run_highs(KNAPSACK, integral=False, lower=np.ones(3))
    assert (run.status, run.detail, run.values) == ("other", "Infeasible", None)
