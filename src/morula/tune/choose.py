"""The front door of tuning by learning: learn the weights, take them if they make fewer errors on the annotations."""

from __future__ import annotations

import logging
from collections.abc import Callable
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

    The given weights are kept unless the learned ones make fewer errors, and without learning where they make fewer
    than ten: so few say next to nothing about the weights, and what is learned from them is chance (design/0023).

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
    before, links = count(solve), len(annotations.edges)
    if before < _FEWEST_ERRORS:
        reason = (
            f"the given weights are kept: their {before} errors on {links} validation links are too few to learn from"
        )
        _LOG.info("tune: %s", reason)
        return TunedWeights(solve, before, ((read_weights(solve), before),), reason)
    learned = learn_weights(
        graph,
        annotations,
        solve,
        max_distance_um=evaluate.max_distance_um,
        spread=params.learn_spread,
        extent_um=extent_um,
        progress=progress,
    )
    return _choose(solve, before, learned, count, params, links, progress)


def _choose(
    solve: SolveParams,
    before: int,
    learned: LearnedWeights,
    count: Callable[[SolveParams], int],
    params: TuneParams,
    links: int,
    progress: ProgressSink,
) -> TunedWeights:
    """Take learned weights, or better ones near them, if they make fewer errors than the given ones."""
    best = learned.params
    errors = count(best)
    tried = [(solve, before), (best, errors)]
    for probe, found in probe_weights(best, errors, count) if params.learn_probes else ():
        tried.append((probe, found))
        if found < errors:
            best, errors = probe, found
        progress(Progress("tune", len(tried), MOST_PROBES + 2, "weights", f"fewest errors {errors}"))
    kept_given = errors >= before
    if kept_given:
        reason = f"the given weights are kept: {before} errors on {links} validation links, {errors} with learned ones"
    else:
        reason = (
            f"learned from {links} validation links in {learned.solutions + len(tried)} solutions: {errors} errors on "
            f"them, the given weights make {before}"
        )
    _LOG.info("tune: %s", reason)
    counted = tuple((read_weights(one), found) for one, found in tried)
    return TunedWeights(solve if kept_given else best, min(before, errors), counted, reason)


def _count(
    graph: CandidateGraph,
    annotations: Tracks,
    evaluate: EvaluateParams,
    extent_um: FloatArray | None,
    solve: SolveParams,
) -> int:
    return count_errors(graph, solve, annotations, evaluate, extent_um)
