"""The front door of tuning by learning: scale the score's weight, learn all weights, take those with fewer errors."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from morula.core.columns import FloatArray
from morula.core.graph import CandidateGraph
from morula.core.progress import Progress, ProgressSink, ignore_progress
from morula.core.tracks import Tracks
from morula.evaluate.params import EvaluateParams
from morula.solve.params import SolveParams
from morula.tune.learn import LearnedWeights, learn_weights
from morula.tune.params import TuneParams
from morula.tune.probe import MOST_PROBES, probe_weights
from morula.tune.scores import scale_scores
from morula.tune.weights import TunedWeights, count_errors, keep_given, read_weights

_LOG = logging.getLogger(__name__)
_FEWEST_ERRORS = 10


def tune_by_learning(
    graph: CandidateGraph,
    annotations: Tracks,
    params: TuneParams,
    solve: SolveParams,
    evaluate: EvaluateParams,
    *,
    extent_um: FloatArray | None = None,
    progress: ProgressSink = ignore_progress,
) -> TunedWeights:
    """Learn the cost weights, and probe around them for fewer errors on the annotations.

    First the score's weight is scaled to how sure this network is (`scale_scores`), unless that makes more errors.
    These weights are kept unless the learned ones make fewer errors, and without learning where they make fewer than
    ten: so few say next to nothing about the weights, and what is learned from them is chance (design/0023).

    Parameters
    ----------
    graph
        Candidate graph of the whole movie.
    annotations
        Validation annotations: seen by no network.
    params
        How far from the given weights the learner may go, and how many links it needs.
    solve
        Settings to depart from.
    evaluate
        Matching distance.
    extent_um
        Extent of the movie, for free starts at its faces.
    progress
        Listener.
    """
    kept = keep_given(solve, params, annotations)
    if kept is not None:
        return kept
    count = partial(_count, graph, annotations, evaluate, extent_um)
    start = _begin(solve, scale_scores(graph, annotations, solve, max_distance_um=evaluate.max_distance_um), count)
    links = len(annotations.edges)
    if start.errors < _FEWEST_ERRORS:
        reason = (
            f"{start.name} are kept: their {start.errors} errors on {links} validation links are too few to learn from"
        )
        _LOG.info("tune: %s", reason)
        return _tell(start.params, start.errors, start.tried, reason)
    learned = learn_weights(
        graph,
        annotations,
        start.params,
        max_distance_um=evaluate.max_distance_um,
        spread=params.learn_spread,
        extent_um=extent_um,
        progress=progress,
    )
    return _choose(start, learned, count, params, links, progress)


@dataclass(frozen=True, slots=True)
class _Start:
    """What learning departs from: how it is called, its weights and errors, and all whose errors were counted."""

    name: str
    params: SolveParams
    errors: int
    tried: tuple[tuple[SolveParams, int], ...]


def _begin(given: SolveParams, scaled: SolveParams, count: Callable[[SolveParams], int]) -> _Start:
    """Depart from the given weights with the score's scaled to this network, unless they make more errors."""
    before = count(given)
    if scaled == given:
        return _Start("the given weights", given, before, ((given, before),))
    after = count(scaled)
    tried = ((given, before), (scaled, after))
    if after > before:
        return _Start("the given weights", given, before, tried)
    factor = scaled.node_score_weight / given.node_score_weight
    return _Start(f"the given weights, scores counting {factor:.2f} times as much,", scaled, after, tried)


def _choose(
    start: _Start,
    learned: LearnedWeights,
    count: Callable[[SolveParams], int],
    params: TuneParams,
    links: int,
    progress: ProgressSink,
) -> TunedWeights:
    """Take learned weights, or better ones near them, if they make fewer errors than those learning departed from."""
    best = learned.params
    errors = count(best)
    tried = [*start.tried, (best, errors)]
    for probe, found in probe_weights(best, errors, count) if params.learn_probes else ():
        tried.append((probe, found))
        if found < errors:
            best, errors = probe, found
        progress(Progress("tune", len(tried), len(start.tried) + 1 + MOST_PROBES, "weights", f"fewest errors {errors}"))
    if errors >= start.errors:
        reason = f"{start.name} are kept: {start.errors} errors on {links} validation links, {errors} with learned ones"
        best, errors = start.params, start.errors
    else:
        reason = (
            f"learned from {links} validation links in {learned.solutions + len(tried)} solutions: {errors} errors on "
            f"them, the given weights make {start.tried[0][1]}"
        )
    _LOG.info("tune: %s", reason)
    return _tell(best, errors, tried, reason)


def _tell(params: SolveParams, errors: int, tried: Sequence[tuple[SolveParams, int]], reason: str) -> TunedWeights:
    return TunedWeights(params, errors, tuple((read_weights(one), found) for one, found in tried), reason)


def _count(
    graph: CandidateGraph,
    annotations: Tracks,
    evaluate: EvaluateParams,
    extent_um: FloatArray | None,
    solve: SolveParams,
) -> int:
    return count_errors(graph, solve, annotations, evaluate, extent_um)
