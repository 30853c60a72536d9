"""What the scores of annotated cells say about the weight of scores: networks differ in how sure they are.

Only annotations that the network has not learned from say it. They know no false cells, so where a detection begins to
pay is left to the given weights, but for annotated cells below it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from morula.core.columns import FloatArray
from morula.core.graph import CandidateGraph
from morula.core.pins import IN
from morula.core.tracks import Tracks
from morula.solve.params import SolveParams
from morula.tune.labels import label_graph

_LOW_PART = 0.1
"""Part of the annotated cells that may score below what is called their low score here: the others have to pay."""

_USUAL_LOW = 0.5
"""Low score of the networks for which the weights in ``[solve]`` are meant: that of embryos of medium difficulty."""

_FURTHEST = 2.0
"""Scores are made to count so many times what ``[solve]`` says at most."""


def scale_scores(
    graph: CandidateGraph, annotations: Tracks, given: SolveParams, *, max_distance_um: float
) -> SolveParams:
    """Let an annotated cell that scores low pay at least as much as with a usual network.

    A network that is trained on a hard movie scores all its cells lower. Cost and weight of the score are raised
    together, so that the score at which a detection costs nothing stays (design/0037).

    Parameters
    ----------
    graph
        Candidate graph of the whole movie.
    annotations
        Some lineages; not those the network has learned from, on which its scores are too good.
    given
        Weights for a network nine in ten of whose annotated cells score above 0.5.
    max_distance_um
        Largest distance of an annotated point and the detection taken for it, µm.

    Returns
    -------
    scaled
        As given, but for `node_constant` and `node_score_weight`; these too where the network is as sure as usual,
        where no cell is found, or where the score does not count as usual (a break-even score outside 0 to 0.5).
    """
    labels = label_graph(graph, annotations, max_distance_um=max_distance_um)
    low = find_low_score(graph.nodes.score[labels.node == IN])
    constant, weight = given.node_constant, given.node_score_weight
    if low is None or low >= _USUAL_LOW or weight >= 0 or not 0 <= -constant / weight < _USUAL_LOW:
        return given
    break_even = -constant / weight
    factor = (_USUAL_LOW - break_even) / max(low - break_even, 1e-9)
    factor = float(np.clip(factor, 1.0, _FURTHEST))
    return replace(given, node_constant=factor * constant, node_score_weight=factor * weight)


def calibrate_scores(given: FloatArray, scores: FloatArray) -> FloatArray:
    """Return weights that read scores on the scale of this network.

    Parameters
    ----------
    given
        Weights in the order of `NAMES`, shape (8,).
    scores
        Scores of the detections taken for annotated cells, shape (k,).

    Returns
    -------
    weights
        The given ones or, if more than a tenth of the annotated cells score below the break-even, with as much more
        weight on the score as lets nine in ten pay. Annotations speak for low scores only: they know no false cells.
    """
    constant, weight = given[:2].tolist()
    calibrated = given.copy()
    low = find_low_score(scores)
    if low is not None and low > 0 and constant > 0 > weight:
        calibrated[1] = min(weight, -constant / low)
    return calibrated


def find_low_score(scores: FloatArray) -> float | None:
    """Return the score that nine in ten annotated cells reach; None without any."""
    return float(np.quantile(scores, _LOW_PART, method="lower")) if len(scores) else None
