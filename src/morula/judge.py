"""Judging tracks against all that is known of an embryo: the truth where there is one, and the annotations.

And how sure they are where nothing is known: margins, made into probabilities on the validation annotations.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from morula.core.columns import FloatArray
from morula.core.confidence import Confidence
from morula.core.graph import CandidateGraph
from morula.core.lineages import Selection
from morula.core.pins import Pins
from morula.core.tracks import Tracks
from morula.evaluate.evaluate import evaluate_tracks
from morula.evaluate.held_out import find_unannotated
from morula.evaluate.params import EvaluateParams
from morula.inputs import Inputs
from morula.solve.params import SolveParams
from morula.solve.problem.costs import price_graph
from morula.tune.calibrate import estimate_confidence
from morula.view.report_data import LabelledEvaluation

_LOG = logging.getLogger(__name__)

ON_TRUTH = "against the true lineages that nobody annotated"
ON_VALIDATION = "against the validation annotations"
ON_TRAINING = "against the training annotations, which were learned from"


def judge_tracks(
    tracks: Tracks,
    inputs: Inputs,
    params: EvaluateParams,
    *,
    label: str = "morula",
    movement_um: FloatArray | None = None,
) -> tuple[LabelledEvaluation, ...]:
    """Evaluate tracks against truth and annotations, the most telling judgement first.

    With a dense truth, only its points without annotation count: those were seen by neither training nor tuning. Where
    the points have movement vectors (µm, shape (n, 3)), these are judged, too.
    """
    judged = []
    sparse = replace(params, dense=False)
    if inputs.truth is not None:
        scored = find_unannotated(inputs.truth, [inputs.train, inputs.val], max_distance_um=params.max_distance_um / 2)
        dense = replace(params, dense=True)
        if scored.any():
            evaluation = evaluate_tracks(tracks, inputs.truth, dense, scored=scored, movement_um=movement_um)
            judged.append(LabelledEvaluation(label, evaluation, ON_TRUTH))
        else:
            _LOG.warning("every point of the truth is annotated: it tells nothing that training has not seen")
    if len(inputs.val.edges):
        evaluation = evaluate_tracks(tracks, inputs.val, sparse, movement_um=movement_um)
        judged.append(LabelledEvaluation(label, evaluation, ON_VALIDATION))
    if len(inputs.train.edges):
        evaluation = evaluate_tracks(tracks, inputs.train, sparse, movement_um=movement_um)
        judged.append(LabelledEvaluation(label, evaluation, ON_TRAINING))
    return tuple(judged)


def assess_selection(
    graph: CandidateGraph,
    selection: Selection,
    inputs: Inputs,
    solve: SolveParams,
    *,
    max_distance_um: float,
    pins: Pins | None,
) -> Confidence:
    """Say how sure every decision is; settings and pins as they were given to the solver."""
    from morula.solve.ascent.margins import measure_selection  # compiles

    extent_um = inputs.movie.extent_um
    margins = measure_selection(graph, solve, selection, extent_um=extent_um, pins=pins)
    free_start = price_graph(graph, solve, extent_um=extent_um).start <= 0
    return estimate_confidence(
        graph, selection, margins, inputs.val, max_distance_um=max_distance_um, free_start=free_start
    )
