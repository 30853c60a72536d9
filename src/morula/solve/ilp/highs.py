"""The HiGHS library behind one function: a program in arrays goes in, values and a status come out.

Owns every setting that makes a run repeatable (one thread, fixed seed) and exact (both MIP gaps given explicitly; the
library's own default stops at 1e-4). It knows nothing of nodes and links and judges no result.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import highspy
import numpy as np

from morula.core.columns import FloatArray
from morula.solve.ilp.formulation import Program

RunStatus = Literal["optimal", "time limit", "other"]

_STATUS: dict[object, RunStatus] = {
    highspy.HighsModelStatus.kOptimal: "optimal",
    highspy.HighsModelStatus.kTimeLimit: "time limit",
}


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """What one run of HiGHS found.

    Parameters
    ----------
    status
        "optimal" also where a MIP stopped at the gap asked for.
    detail
        The library's own word for it.
    values
        Value of each column, shape (columns,); None if no feasible point was found.
    row_dual
        Dual value of each row, shape (rows,); all 0 for a MIP.
    dual_bound
        Lower bound proven by a MIP run; −inf for a relaxation, whose bound follows from `row_dual`.
    """

    status: RunStatus
    detail: str
    values: FloatArray | None
    row_dual: FloatArray
    dual_bound: float


def run_highs(
    program: Program,
    *,
    integral: bool,
    lower: FloatArray | None = None,
    upper: FloatArray | None = None,
    gap: float = 0.0,
    seconds: float = math.inf,
) -> Run:
    """Minimise a program with HiGHS, as a linear relaxation or as a MIP.

    Parameters
    ----------
    program
        The program.
    integral
        Whether columns must be 0 or 1, or may lie between.
    lower, upper
        Bounds of the columns, 0 and 1 if not given; equal bounds fix a column.
    gap
        Relative gap at which a MIP may stop.
    seconds
        Time limit.
    """
    highs = highspy.Highs()
    options = {"output_flag": False, "threads": 1, "random_seed": 0, "mip_rel_gap": gap, "mip_abs_gap": 0.0}
    if math.isfinite(seconds):
        options["time_limit"] = seconds
    for name, value in options.items():
        highs.setOptionValue(name, value)
    model = _build_model(program, lower, upper)
    if integral:
        model.integrality_ = [highspy.HighsVarType.kInteger] * model.num_col_
    highs.passModel(model)
    highs.run()
    status, solution, info = highs.getModelStatus(), highs.getSolution(), highs.getInfo()
    feasible = info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
    return Run(
        status=_STATUS.get(status, "other"),
        detail=highs.modelStatusToString(status),
        values=np.array(solution.col_value) if feasible else None,
        row_dual=np.zeros(model.num_row_) if integral else np.array(solution.row_dual),
        dual_bound=info.mip_dual_bound if integral else -math.inf,
    )


def _build_model(program: Program, lower: FloatArray | None, upper: FloatArray | None) -> highspy.HighsLp:
    model = highspy.HighsLp()
    columns = len(program.cost)
    model.num_col_, model.num_row_ = columns, len(program.lower)
    model.col_cost_ = program.cost
    model.col_lower_ = program.least if lower is None else np.clip(lower, program.least, program.most)
    model.col_upper_ = program.most if upper is None else np.clip(upper, program.least, program.most)
    model.row_lower_, model.row_upper_ = program.lower, program.upper
    model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    model.a_matrix_.start_ = program.rows.indptr.astype(np.int32)
    model.a_matrix_.index_ = program.rows.indices.astype(np.int32)
    model.a_matrix_.value_ = program.rows.data
    return model
