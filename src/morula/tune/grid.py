"""Grid search of the cost weights: solve the whole graph with each, count errors on held-out annotations.

The grid search of Malin-Mayor et al. 2023 (Methods, "ILP weights"), made cheap by the solver. Sparse
annotations give small counts and cannot see false cells: weights within one standard error of the fewest errors (the
root of the count) are taken for equal, and among those the one nearest the given weights wins.

Each point of the grid can be counted alone (`plan_points`, `count_point`), in any order and in another process, so that
a run need not repeat what it has counted before; `search_weights` does all of it here.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import sqrt

import numpy as np

from morula.core.blocks import Block
from morula.core.columns import FloatArray
from morula.core.graph import CandidateGraph
from morula.core.progress import Progress, ProgressSink, ignore_progress
from morula.core.tracks import Tracks
from morula.evaluate.params import EvaluateParams
from morula.solve.params import SolveParams
from morula.tune.params import TuneParams
from morula.tune.weights import WEIGHTS, TunedWeights, count_errors, keep_given, read_weights

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class GridWork:
    """All that a point of the grid needs to be counted; pickles, for other processes.

    Parameters
    ----------
    graph
        Candidate graph of the whole movie.
    annotations
        Validation annotations: seen by no network.
    candidates
        The settings to try, the given ones first.
    evaluate
        Matching distance of the error count.
    extent_um
        Extent of the movie, for free starts at its faces.
    """

    graph: CandidateGraph
    annotations: Tracks
    candidates: Sequence[SolveParams]
    evaluate: EvaluateParams
    extent_um: FloatArray | None = None


def list_candidates(params: TuneParams, solve: SolveParams) -> list[SolveParams]:
    """Return the given settings and every point of the grid, in the order of the axes."""
    evidence = params.division_score_weights or (solve.division_score_weight,)
    axes = (params.break_even_scores, params.node_score_weights, params.start_costs, params.division_costs, evidence)
    grid = [
        replace(
            solve,
            node_constant=-weight * score,
            node_score_weight=weight,
            start_cost=start,
            division_cost=division,
            division_score_weight=speaks,
        )
        for score, weight, start, division, speaks in product(*axes)
    ]
    return [solve, *grid]


def plan_points(candidates: Sequence[SolveParams]) -> list[Block]:
    """Return one block for each point of the grid, numbered as the candidates; in place of frames it counts points."""
    all_of_it = slice(0, 1)
    boxes = [(slice(i, i + 1), all_of_it, all_of_it, all_of_it) for i in range(len(candidates))]
    return [Block(index=i, write=box, read=box) for i, box in enumerate(boxes)]


def count_point(block: Block, work: GridWork) -> int:
    """Count the errors of one point of the grid."""
    solve = work.candidates[block.index]
    return count_errors(work.graph, solve, work.annotations, work.evaluate, work.extent_um)


def pick_weights(candidates: Sequence[SolveParams], errors: Mapping[int, int], links: int) -> TunedWeights:
    """Choose among counted settings.

    Parameters
    ----------
    candidates
        The settings, the given ones first.
    errors
        Errors of each, by its number.
    links
        Number of validation links, for the words.
    """
    counts = [errors[i] for i in range(len(candidates))]
    fewest = min(counts)
    equal = [i for i, count in enumerate(counts) if count <= fewest + sqrt(fewest)]
    best = min(equal, key=lambda i: (_measure_remoteness(candidates[i], candidates[0]), counts[i], i))
    reason = (
        f"{counts[best]} errors on {links} validation links, the given weights make {counts[0]} and the best of "
        f"{len(candidates)} {fewest}"
    )
    _LOG.info("tune: %s", reason)
    tried = tuple((read_weights(c), e) for c, e in zip(candidates, counts, strict=True))
    return TunedWeights(candidates[best], counts[best], tried, reason)


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
    """Choose cost weights on held-out annotations, by trying all of a grid.

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
    kept = keep_given(solve, params, annotations)
    if kept is not None:
        return kept
    work = GridWork(graph, annotations, list_candidates(params, solve), evaluate, extent_um)
    errors: dict[int, int] = {}
    for point in plan_points(work.candidates):
        errors[point.index] = count_point(point, work)
        fewest = f"fewest errors {min(errors.values())}"
        progress(Progress("tune", len(errors), len(work.candidates), "weights", fewest))
    return pick_weights(work.candidates, errors, len(annotations.edges))


def _measure_remoteness(candidate: SolveParams, start: SolveParams) -> float:
    """Return the distance between two settings, each weight on a logarithmic scale."""
    ones, others = read_weights(candidate), read_weights(start)
    logs = [abs(np.log((abs(ones[name]) + 1) / (abs(others[name]) + 1))) for name in WEIGHTS]
    return round(float(sum(logs)), 9)
