"""The front door of tuning by learning: learn the weights, take them unless annotations clearly speak against it."""

from __future__ import annotations

import logging
from functools import partial
from math import sqrt

from morula.core.columns import FloatArray
from morula.core.graph import CandidateGraph
from morula.core.progress import Progress, ProgressSink, ignore_progress
from morula.core.tracks import Tracks
from morula.evaluate.params import EvaluateParams
from morula.solve.params import SolveParams
from morula.tune.learn import learn_weights
from morula.tune.params import TuneParams
from morula.tune.probe import MOST_PROBES, probe_weights
from morula.tune.weights import TunedWeights, count_errors, keep_given, read_weights

_LOG = logging.getLogger(__name__)


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

    The given weights are kept if the learned ones make clearly more errors: by more than one standard error, the root
    of the count. Ties go to what was learned: it depends on every margin around the annotations, where the count
    depends on the few that were crossed.

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
    learned = learn_weights(
        graph,
        annotations,
        solve,
        max_distance_um=evaluate.max_distance_um,
        spread=params.learn_spread,
        extent_um=extent_um,
        progress=progress,
    )
    count = partial(_count, graph, annotations, evaluate, extent_um)
    before, best = count(solve), learned.params
    errors = count(best)
    tried = [(solve, before), (best, errors)]
    for probe, found in probe_weights(best, errors, count) if params.learn_probes else ():
        tried.append((probe, found))
        if found < errors:
            best, errors = probe, found
        progress(Progress("tune", len(tried), MOST_PROBES + 2, "weights", f"fewest errors {errors}"))
    worse = errors > before + sqrt(before)
    links = len(annotations.edges)
    if worse:
        reason = f"the given weights are kept: {before} errors on {links} validation links, {errors} with learned ones"
    else:
        reason = (
            f"learned from {links} validation links in {learned.solutions + len(tried)} solutions: {errors} errors on "
            f"them, the given weights make {before}"
        )
    _LOG.info("tune: %s", reason)
    counted = tuple((read_weights(one), found) for one, found in tried)
    return TunedWeights(solve if worse else best, before if worse else errors, counted, reason)


def _count(
    graph: CandidateGraph,
    annotations: Tracks,
    evaluate: EvaluateParams,
    extent_um: FloatArray | None,
    solve: SolveParams,
) -> int:
    return count_errors(graph, solve, annotations, evaluate, extent_um)
