"""The past of every selected cell as a decision: what speaks for it, and what annotations say about it.

A past is a parent or, for the first cell of a track, that it has none. Every wrong link and every missed one spoils the
past of its child, so that pasts together hold all errors of links once; a track that ends too early shows where the
cell goes on, if it was found at all. Owns the description and the judgement; probabilities are made in `calibrate`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from morula.core.columns import BoolArray, FloatArray
from morula.core.graph import CandidateGraph
from morula.core.lineages import Lineages, Selection
from morula.core.tracks import Tracks
from morula.evaluate.matched import match_tracks
from morula.evaluate.rows import look_up

RIGHT, UNKNOWN, WRONG = 1, 0, -1
FEATURES = ("log margin", "excess distance squared", "score", "score of the parent", "division")

_LEAST_MARGIN = 0.03
"""Margins are compared on a logarithmic scale, on which those below this part of the typical one count as equal."""

_LEAST_SPREAD = 0.02
"""Scores that differ by less are taken for equal."""


@dataclass(frozen=True, slots=True, eq=False)
class Pasts:
    """The pasts of the selected cells, in the row order of the lineages.

    Parameters
    ----------
    linked
        Whether the cell has a parent, shape (n,).
    features
        What speaks for the link, one column for each of `FEATURES`, shape (n, 5); 0 for cells without a parent. Margin
        and distance count in typical ones (medians of all links), so that they mean the same in every run; of the
        distance what is beyond a typical one. Scores count in spreads from the typical one.
    """

    linked: BoolArray
    features: FloatArray


def describe_pasts(graph: CandidateGraph, selection: Selection, past_margin: FloatArray) -> Pasts:
    """Describe the past of each selected cell.

    Parameters
    ----------
    graph, selection
        What was chosen.
    past_margin
        What another past would cost at least, shape (n,), see `morula.core.confidence.Margins.of_pasts`.
    """
    nodes, taken = graph.nodes, np.flatnonzero(selection.edge_selected)
    parent, child = graph.edges[taken].T
    features = np.zeros((nodes.n, len(FEATURES)))
    linked = np.zeros(nodes.n, bool)
    linked[child] = True
    if len(taken):
        margin = past_margin[child] / max(_median_finite(past_margin[child]), 1e-9)
        distance = graph.distance_um[taken] / max(float(np.median(graph.distance_um[taken])), 1e-9)
        score = _standardise(nodes.score, nodes.score[child])
        divides = np.bincount(parent, minlength=nodes.n)[parent] == 2
        columns = [
            np.log(np.clip(margin, 0, 1e3) + _LEAST_MARGIN),
            np.maximum(distance - 1, 0) ** 2,
            score[child],
            score[parent],
            divides,
        ]
        features[child] = np.stack(columns, axis=1)
    chosen = selection.node_selected
    return Pasts(linked=linked[chosen], features=features[chosen])


def _standardise(values: FloatArray, usual: FloatArray) -> FloatArray:
    """Count values from the median of the usual ones, in their spread (a standard deviation if they were normal)."""
    low, middle, high = np.quantile(usual, [0.25, 0.5, 0.75])
    standard: FloatArray = (values - middle) / max((high - low) / 1.35, _LEAST_SPREAD)
    return standard


def _median_finite(values: FloatArray) -> float:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if len(finite) else 0.0


def judge_pasts(lineages: Lineages, annotations: Tracks, max_distance_um: float) -> npt.NDArray[np.int8]:
    """Say which pasts annotations confirm and which they contradict.

    Parameters
    ----------
    lineages
        What was reconstructed.
    annotations
        Some lineages, points in µm.
    max_distance_um
        Largest distance of an annotated and a reconstructed point taken for the same cell, µm.

    Returns
    -------
    verdict
        `RIGHT`, `WRONG` or `UNKNOWN` for each reconstructed cell, shape (n,). Right is a link that is matched with an
        annotated one. Wrong is another link or none of a cell whose annotation has a parent in the same frame, and a
        link from an annotated cell that is annotated to go on elsewhere. The first point of an annotated track says
        nothing: the annotator began there.
    """
    verdict = np.full(lineages.nodes.n, UNKNOWN, np.int8)
    if not len(annotations.edges) or not lineages.nodes.n:
        return verdict
    matched = match_tracks(lineages.tracks, annotations, max_distance_um, np.ones(annotations.n, bool))
    parent = lineages.parent_row
    found = matched.edge_of_reconstruction >= 0
    here = matched.point_of_reconstruction
    elsewhere = (look_up(annotations.parent_row, here) >= 0) & (look_up(matched.edge_of_truth, here) < 0)
    mother = look_up(matched.point_of_reconstruction, parent)
    goes_on = (parent >= 0) & np.append(annotations.n_children > 0, False)[mother]
    frame = annotations.t.astype(np.int64)
    gap = look_up(frame, here) - look_up(frame, look_up(annotations.parent_row, here))
    same_gap = (parent < 0) | (gap == lineages.nodes.t - lineages.nodes.t[parent])
    verdict[~found & (elsewhere & same_gap | goes_on)] = WRONG
    verdict[found] = RIGHT
    return verdict
