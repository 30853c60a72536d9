"""Judge a reconstruction against the truth: all measures of the package, gathered into one `Evaluation`.

The truth is dense (it names every cell) or sparse (it names some); with sparse truth nothing is counted where it is
silent. A link over several frames is one edge, matched only with an edge between the same two frames.
"""

from __future__ import annotations

import logging

import numpy as np

from morula.core.columns import BoolArray, FloatArray, IntArray
from morula.core.evaluation import EdgeErrors, Evaluation
from morula.core.lineage_errors import ErrorKind
from morula.core.tracks import Tracks
from morula.errors import TracksError
from morula.evaluate.division_score import score_divisions
from morula.evaluate.divisions import find_missed_divisions, judge_divisions
from morula.evaluate.edge_errors import (
    find_identity_switches,
    find_missing_edges,
    find_unmatched_edges,
    find_unmatched_near_truth,
)
from morula.evaluate.error_free import measure_error_free
from morula.evaluate.jaccard import measure_edge_jaccard
from morula.evaluate.matched import MatchedTracks, match_tracks
from morula.evaluate.movement import measure_movement
from morula.evaluate.nodes import measure_nodes
from morula.evaluate.params import EvaluateParams
from morula.evaluate.places import list_places

_log = logging.getLogger(__name__)


def evaluate_tracks(
    reconstruction: Tracks,
    truth: Tracks,
    params: EvaluateParams,
    *,
    scored: BoolArray | None = None,
    movement_um: FloatArray | None = None,
) -> Evaluation:
    """Judge reconstructed tracks against annotations or dense truth.

    Takes time near linear in the number of points as long as the threshold stays below the distance of neighbouring
    nuclei: 1e5 points in some seconds.

    Parameters
    ----------
    reconstruction
        What was found.
    truth
        What is known, both in the same frames and µm.
    params
        Threshold, window, tolerance, and whether the truth is dense.
    scored
        Truth points that count, shape (n,); all by default. Leaves the lineages used for training out of the figures:
        everything is matched with the whole truth, then only edges with both ends scored, and points, switches,
        divisions and segments made of such edges, are counted. What was reconstructed at truth that is not scored
        counts neither for nor against: precision = matched to scored / (reconstructed − matched to others).
    movement_um
        Movement vector of each reconstructed point, µm, shape (m, 3), to be judged too; None where there are none.

    Raises
    ------
    TracksError
        If there is no truth to judge by, or `scored` or `movement_um` do not fit.
    """
    scored = _check_scored(truth, scored)
    matched = match_tracks(reconstruction, truth, params.max_distance_um, scored)
    _warn_if_strange(matched)
    found, broken = _find_errors(matched, dense=params.dense)
    counted_edge, missing_edge = matched.counted_edge, find_missing_edges(matched)
    n_scored = int(scored.sum())
    n_true = n_scored if params.true_points is None and params.dense else params.true_points
    movement, daughter_movement = measure_movement(matched, movement_um)
    return Evaluation(
        threshold_um=params.max_distance_um,
        dense=params.dense,
        n_truth_points=n_scored,
        n_truth_edges=int(counted_edge.sum()),
        n_reconstructed_points=reconstruction.n,
        n_reconstructed_edges=len(reconstruction.edges),
        edge_errors=_count_errors(matched, found, dense=params.dense),
        error_free=measure_error_free(truth, counted_edge, missing_edge, broken, params.window_frames),
        nodes=measure_nodes(matched, dense=params.dense),
        divisions=score_divisions(matched, params.division_tolerance_frames, dense=params.dense),
        edge_jaccard=measure_edge_jaccard(reconstruction, truth, scored, params.jaccard_distance_um, n_true),
        errors=list_places(matched, found),
        movement=movement,
        daughter_movement=daughter_movement,
    )


def _find_errors(matched: MatchedTracks, *, dense: bool) -> tuple[dict[ErrorKind, IntArray], BoolArray]:
    """Return the rows of every kind of error, and which truth points break the lineages that run through them."""
    divisions, missed = judge_divisions(matched, dense=dense), find_missed_divisions(matched)
    wrong = ~divisions.right
    found: dict[ErrorKind, IntArray] = {
        "fn_edge": np.flatnonzero(find_missing_edges(matched)),
        "identity_switch": np.flatnonzero(find_identity_switches(matched)),
        "fp_division": divisions.row[wrong],
        "one_unconnected_child": missed.one_unconnected_child,
        "no_connection": missed.no_connection,
        "unconnected_parent": missed.unconnected_parent,
    }
    if dense:
        found["fp_edge"] = np.flatnonzero(find_unmatched_edges(matched))
    seen_at = divisions.seen_at[wrong]
    broken = np.zeros(matched.truth.n, np.bool_)
    for rows in (found["identity_switch"], found["one_unconnected_child"], found["no_connection"]):
        broken[rows] = True
    broken[seen_at[seen_at >= 0]] = True
    return found, broken


def _count_errors(matched: MatchedTracks, found: dict[ErrorKind, IntArray], *, dense: bool) -> EdgeErrors:
    fn_edges = len(found["fn_edge"])
    return EdgeErrors(
        matched_edges=int(matched.counted_edge.sum()) - fn_edges,
        fn_edges=fn_edges,
        identity_switches=len(found["identity_switch"]),
        fp_divisions=len(found["fp_division"]),
        one_unconnected_child=len(found["one_unconnected_child"]),
        no_connection=len(found["no_connection"]),
        unconnected_parents=len(found["unconnected_parent"]),
        fp_edges=len(found["fp_edge"]) if dense else None,
        unmatched_near_truth=int(find_unmatched_near_truth(matched).sum()),
    )


def _check_scored(truth: Tracks, scored: BoolArray | None) -> BoolArray:
    if not truth.n:
        raise TracksError(
            "the truth has no points, so nothing can be judged by it.",
            fix="give annotations or dense truth; a reconstruction may be empty, the truth may not",
        )
    if scored is None:
        return np.ones(truth.n, np.bool_)
    scored = np.asarray(scored, np.bool_)
    if scored.shape != (truth.n,) or not scored.any():
        raise TracksError(
            "the choice of truth points that count does not fit the truth, or leaves none.",
            measured=f"{int(scored.sum())} chosen, shape {scored.shape}, for {truth.n} truth points",
            fix="give one truth value per truth point, and leave out fewer lineages",
        )
    return scored


def _warn_if_strange(matched: MatchedTracks) -> None:
    truth, reconstruction = matched.truth, matched.reconstruction
    if reconstruction.n and not len(matched.pairs.row_a):
        _log.warning(
            "no reconstructed point lies within %g µm of a truth point in its frame (truth: frames %d–%d, "
            "reconstruction: frames %d–%d). Are both in µm, and do both count frames from the same first one?",
            matched.pairs.max_distance_um,
            *(int(bound) for tracks in (truth, reconstruction) for bound in (tracks.t.min(), tracks.t.max())),
        )
    spans = [tracks.t[tracks.edges[:, 1]] - tracks.t[tracks.edges[:, 0]] for tracks in (truth, reconstruction)]
    skipping, skipping_found = (int((span > 1).sum()) for span in spans)
    if skipping or skipping_found:
        _log.warning(
            "%d truth links and %d reconstructed links skip frames; such a link is matched only with a link between "
            "the same two frames, never with a chain through the frames between.",
            skipping,
            skipping_found,
        )
