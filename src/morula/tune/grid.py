"""Grid search of the cost weights: solve the whole graph with each, count errors on held-out annotations.

The grid search of Malin-Mayor et al. 2023 (Methods, "ILP weights"), made cheap by the solver. Sparse
annotations give small counts and cannot see false cells: weights within one standard error of the fewest errors (the
root of the count) are taken for equal, and among those the one nearest the given weights wins.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from itertools import product
from math import sqrt

import numpy as np

from morula.core.columns import FloatArray
from morula.core.graph import CandidateGraph
from morula.core.lineages import Lineages
from morula.core.progress import Progress, ProgressSink, ignore_progress
from morula.core.tracks import Tracks
from morula.evaluate.evaluate import evaluate_tracks
from morula.evaluate.params import EvaluateParams
from morula.solve.graph import solve_graph
from morula.solve.params import SolveParams
from morula.tune.params import TuneParams

_LOG = logging.getLogger(__name__)
WEIGHTS = ("node_constant", "node_score_weight", "start_cost", "division_cost")


@dataclass(frozen=True, slots=True)
class TunedWeights:
    """Outcome of a search.

    Parameters
    ----------
    params
        The chosen settings of the solver.
    errors
        Sum of errors on the annotations with them; −1 if nothing was searched.
    tried
        Every setting tried with its sum of errors, in the order of the grid.
    reason
        In words, for the log and the report.
    """

    params: SolveParams
    errors: int
    tried: tuple[tuple[dict[str, float], int], ...]
    reason: str


def search_weights(
    graph: CandidateGraph,
    annotations: Tracks,
    params: TuneParams,
    solve: SolveParams,
    evaluate: EvaluateParams,
    *,
    extent_um: FloatArray | None = None,
    progress: ProgressSink = ignore_progress,
) -> TunedWeights:
    """Choose cost weights on held-out annotations.

    Parameters
    ----------
    graph
        Candidate graph of the whole movie.
    annotations
        Validation annotations: seen by no network.
    params
        The grid.
    solve
        Settings to start from; its weights are tried too and win ties.
    evaluate
        Matching distance of the error count.
    extent_um
        Extent of the movie, for free starts at its faces.
    progress
        Listener.
    """
    links = len(annotations.edges)
    if not params.enabled or links < params.fewest_links:
        why = "switched off" if not params.enabled else f"{links} validation links, {params.fewest_links} are needed"
        return TunedWeights(solve, -1, (), f"weights of [solve] used as they are ({why})")
    candidates = [solve, *_grid(params, solve)]
    errors = []
    for candidate in candidates:
        lineages = Lineages.from_selection(graph, solve_graph(graph, candidate, extent_um=extent_um))
        errors.append(evaluate_tracks(lineages.tracks, annotations, evaluate).edge_errors.sum_of_errors)
        progress(Progress("tune", len(errors), len(candidates), "weights", f"fewest errors {min(errors)}"))
    equal = [i for i, count in enumerate(errors) if count <= min(errors) + sqrt(min(errors))]
    best = min(equal, key=lambda i: (_remoteness(candidates[i], solve), errors[i], i))
    reason = (
        f"{errors[best]} errors on {links} validation links, the given weights make {errors[0]} and the best of "
        f"{len(candidates)} {min(errors)}"
    )
    _LOG.info("tune: %s", reason)
    tried = tuple((_weights(c), e) for c, e in zip(candidates, errors, strict=True))
    return TunedWeights(candidates[best], errors[best], tried, reason)


def _grid(params: TuneParams, solve: SolveParams) -> list[SolveParams]:
    axes = (params.break_even_scores, params.node_score_weights, params.start_costs, params.division_costs)
    return [
        replace(
            solve, node_constant=-weight * score, node_score_weight=weight, start_cost=start, division_cost=division
        )
        for score, weight, start, division in product(*axes)
    ]


def _weights(params: SolveParams) -> dict[str, float]:
    return {name: float(getattr(params, name)) for name in WEIGHTS}


def _remoteness(candidate: SolveParams, start: SolveParams) -> float:
    """Distance between two settings, each weight on a logarithmic scale."""
    pairs = [(abs(_weights(candidate)[name]) + 1, abs(_weights(start)[name]) + 1) for name in WEIGHTS]
    return round(float(sum(abs(np.log(a / b)) for a, b in pairs)), 9)
