"""The front door of tuning by learning: learn the weights, take them unless annotations clearly speak against it."""

from __future__ import annotations

import logging
from math import sqrt

from morula.core.columns import FloatArray
from morula.core.graph import CandidateGraph
from morula.core.progress import ProgressSink, ignore_progress
from morula.core.tracks import Tracks
from morula.evaluate.params import EvaluateParams
from morula.solve.params import SolveParams
from morula.tune.learn import learn_weights
from morula.tune.params import TuneParams
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
    """Learn the cost weights; keep the given ones if the learned ones make clearly more errors on the annotations.

    Clearly is more than one standard error, the root of the count. Ties go to what was learned: it depends on every
    margin around the annotations, where the count depends on the few that were crossed.

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
    before = count_errors(graph, solve, annotations, evaluate, extent_um)
    after = count_errors(graph, learned.params, annotations, evaluate, extent_um)
    worse = after > before + sqrt(before)
    links = len(annotations.edges)
    if worse:
        reason = f"the given weights are kept: {before} errors on {links} validation links, {after} with learned ones"
    else:
        reason = (
            f"learned from {links} validation links in {learned.solutions} solutions: {after} errors on them, "
            f"the given weights make {before}"
        )
    _LOG.info("tune: %s", reason)
    tried = ((read_weights(solve), before), (read_weights(learned.params), after))
    return TunedWeights(solve if worse else learned.params, before if worse else after, tried, reason)
