"""What tuning leaves behind, however it came by it."""

from __future__ import annotations

from dataclasses import dataclass

from morula.core.columns import FloatArray
from morula.core.graph import CandidateGraph
from morula.core.lineages import Lineages
from morula.core.tracks import Tracks
from morula.evaluate.evaluate import evaluate_tracks
from morula.evaluate.params import EvaluateParams
from morula.solve.graph import solve_graph
from morula.solve.params import SolveParams
from morula.tune.params import TuneParams

WEIGHTS = (
    "node_constant",
    "node_score_weight",
    "start_cost",
    "division_cost",
    "division_score_weight",
    "end_cost",
    "skip_cost",
)
"""Settings that tuning may change. The weight of the distance stays: it is the unit of the others."""


@dataclass(frozen=True, slots=True)
class TunedWeights:
    """Outcome of tuning.

    Parameters
    ----------
    params
        The chosen settings of the solver.
    errors
        Sum of errors on the annotations with them; −1 if nothing was tried.
    tried
        Every setting whose errors were counted, with their sum; the given ones first.
    reason
        In words, for the log and the report.
    """

    params: SolveParams
    errors: int
    tried: tuple[tuple[dict[str, float], int], ...]
    reason: str


def read_weights(params: SolveParams) -> dict[str, float]:
    """Return the weights of some settings by name."""
    return {name: float(getattr(params, name)) for name in WEIGHTS}


def keep_given(solve: SolveParams, params: TuneParams, annotations: Tracks) -> TunedWeights | None:
    """Return the given weights if nothing may be, or can be, chosen on these annotations; else None."""
    links = len(annotations.edges)
    if params.enabled and links >= params.fewest_links:
        return None
    why = "switched off" if not params.enabled else f"{links} validation links, {params.fewest_links} are needed"
    return TunedWeights(solve, -1, (), f"weights of [solve] used as they are ({why})")


def count_errors(
    graph: CandidateGraph,
    solve: SolveParams,
    annotations: Tracks,
    evaluate: EvaluateParams,
    extent_um: FloatArray | None = None,
) -> int:
    """Solve the whole graph and count the errors on annotations: the sum of Malin-Mayor et al. 2023."""
    lineages = Lineages.from_selection(graph, solve_graph(graph, solve, extent_um=extent_um))
    return evaluate_tracks(lineages.tracks, annotations, evaluate).edge_errors.sum_of_errors
