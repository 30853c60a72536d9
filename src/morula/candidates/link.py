"""Possible links: every detection to the detections of earlier frames near its predicted earlier position.

Owns the candidate graph's edges and their distances. Refuses consecutive frames that both hold cells and not one
possible link (`UnlinkableFrameError`), because that is a wrong unit or a jump, not biology; empty frames are legal.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator

import numpy as np
from scipy.spatial import cKDTree

from morula.candidates.drift import estimate_drift_um
from morula.candidates.flow import estimate_flow_um, spread_flow
from morula.candidates.neighbours import find_nearest, find_one_nearest
from morula.candidates.params import CandidatesParams
from morula.core.columns import BoolArray, FloatArray, IntArray
from morula.core.detections import Detections
from morula.core.graph import CandidateGraph
from morula.core.progress import Progress, ProgressSink, ignore_progress
from morula.errors import UnlinkableFrameError

logger = logging.getLogger(__name__)

_LIKELY_SHARE, _HIGH_PERCENTILE = 0.5, 95.0  # a likely cell scores half of what the best in its frame do

_Links = tuple[IntArray, IntArray, FloatArray]


def link_candidates(
    detections: Detections, params: CandidatesParams, *, progress: ProgressSink = ignore_progress
) -> CandidateGraph:
    """Offer links from each detection back to those near its predicted earlier position.

    Detection v of frame t may have come from any u of frame t−1 within theta of ``position(v) + movement(v)``, after
    the rigid drift of the two frames is removed (Malin-Mayor et al. 2023, "candidate graph"; the drift is ours). The
    movement is the mean of the network's vector and of how the tissue around moves (`estimate_flow_um`, ours); where
    these disagree, links around both are offered. For a link over n frames the movement is taken n times and theta
    grows by the square root of n.

    Parameters
    ----------
    detections
        Detections of the whole movie or of a block of it.
    params
        Settings of this stage.
    progress
        Told after every frame.

    Returns
    -------
    graph
        Edges parent → child, sorted by child row, then frames reached over, then distance, then parent row; distances
        in µm from the predicted position without drift to the parent.

    Raises
    ------
    UnlinkableFrameError
        If two consecutive frames hold detections and no possible link, unless `params.allow_unlinkable`.

    Notes
    -----
    One k-d tree per frame; about 60 µs per detection, most of it for the tissue's movement, growing linearly with
    their number.
    """
    rows = {int(t): detections.frame(int(t)) for t in np.unique(detections.t)}
    _warn_of_empty_frames(rows)
    trees: dict[int, cKDTree] = {}
    found: list[_Links] = []
    for done, t in enumerate(rows, start=1):
        found.extend(_link_frame(detections, rows, trees, t, params))
        trees[t] = cKDTree(detections.zyx_um[rows[t]])
        trees.pop(t - 1 - params.max_skip_frames, None)
        progress(Progress("candidates", done, len(rows), "frames"))
    if not found:
        return CandidateGraph(nodes=detections, edges=np.zeros((0, 2), np.int64), distance_um=np.zeros(0))
    parent, child, distance = (np.concatenate(part) for part in zip(*found, strict=True))
    order = np.argsort(child, kind="stable")
    edges = np.stack([parent[order], child[order]], axis=1)
    return CandidateGraph(nodes=detections, edges=edges, distance_um=distance[order])


def _link_frame(
    detections: Detections, rows: dict[int, slice], trees: dict[int, cKDTree], t: int, params: CandidatesParams
) -> Iterator[_Links]:
    """Yield the links of the children in frame `t` to each earlier frame they may reach."""
    here = rows[t]
    for steps in range(1, params.max_skip_frames + 2):
        tree = trees.get(t - steps)
        if tree is None:
            continue
        predicted = detections.zyx_um[here] + steps * detections.movement_um[here]
        if params.correct_drift:
            predicted = predicted - _measure_drift(detections, predicted, rows, t, steps, params)
        radius = params.max_distance_um * math.sqrt(steps)
        offers = [find_nearest(predicted, tree, radius, params.max_parents)]
        if params.flow_neighbours:
            carried = _follow_flow(detections, predicted, here, rows[t - steps], radius, params)
            offers = _weigh_offers(predicted, carried, tree, radius, params)
        child, parent, distance = offers[0] if len(offers) == 1 else _join_links(*offers)
        if steps == 1 and not len(child):
            _report_unlinkable(t, predicted, tree, params)
        yield parent + rows[t - steps].start, child + here.start, distance


def _follow_flow(
    detections: Detections, predicted: FloatArray, here: slice, earlier: slice, radius: float, params: CandidatesParams
) -> FloatArray:
    """Where the tissue around each cell was in the earlier frame; only likely cells are asked, the others follow."""
    cells = detections.zyx_um[here]
    likely, before = _are_likely(detections.score[here]), _are_likely(detections.score[earlier])
    flow = estimate_flow_um(
        cells[likely],
        (predicted - cells)[likely],
        detections.zyx_um[earlier][before],
        reach_um=radius,
        neighbours=params.flow_neighbours,
    )
    carried: FloatArray = cells + spread_flow(cells, cells[likely], flow)
    return carried


def _weigh_offers(
    predicted: FloatArray, carried: FloatArray, tree: cKDTree, radius: float, params: CandidatesParams
) -> list[_Links]:
    """Offer links around the mean of what a cell's vector and the tissue say, or around both where they disagree.

    A vector that goes against the tissue is a mistake, or a daughter's on her way from the mother: its links cost more.
    """
    doubted = np.linalg.norm(predicted - carried, axis=1) > params.flow_tolerance_um
    agreed = np.where(doubted[:, None], carried, (predicted + carried) / 2)
    child, parent, distance = find_nearest(predicted[doubted], tree, radius, params.max_parents)
    others = np.flatnonzero(doubted)[child], parent, distance + params.doubt_cost_um
    return [find_nearest(agreed, tree, radius, params.max_parents), others]


def _join_links(own: _Links, others: _Links) -> _Links:
    """Join two offers; a link in both keeps its shorter distance. Sorted by child, distance, parent."""
    child, parent, distance = (np.concatenate(pair) for pair in zip(own, others, strict=True))
    order = np.lexsort((distance, parent, child))
    child, parent, distance = child[order], parent[order], distance[order]
    first = np.ones(len(child), bool)
    first[1:] = (child[1:] != child[:-1]) | (parent[1:] != parent[:-1])
    child, parent, distance = child[first], parent[first], distance[first]
    order = np.lexsort((parent, distance, child))
    return child[order], parent[order], distance[order]


def _measure_drift(
    detections: Detections,
    predicted: FloatArray,
    rows: dict[int, slice],
    t: int,
    steps: int,
    params: CandidatesParams,
) -> FloatArray:
    """Estimate the drift of frame `t` against frame `t − steps` from the likely cells; say so where there is one."""
    here, earlier = rows[t], rows[t - steps]
    shift = estimate_drift_um(
        predicted[_are_likely(detections.score[here])],
        detections.zyx_um[earlier][_are_likely(detections.score[earlier])],
        max_distance_um=params.max_distance_um * math.sqrt(steps),
        max_drift_um=params.max_drift_um,
    )
    length = float(np.linalg.norm(shift))
    if length > 0:
        jump = length > params.max_distance_um / 2
        logger.log(
            logging.WARNING if jump else logging.DEBUG,
            "frame %d is shifted by %s µm (z, y, x) against frame %d beyond the predicted movement%s; removed.",
            t,
            np.round(shift, 1).tolist(),
            t - steps,
            ", a jump of the stage or of the embryo" if jump else "",
        )
    return shift


def _are_likely(score: FloatArray) -> BoolArray:
    """Leave out weak detections: most are false, and many false ones outvote the cells."""
    likely: BoolArray = score >= _LIKELY_SHARE * np.percentile(score, _HIGH_PERCENTILE)
    return likely


def _warn_of_empty_frames(rows: dict[int, slice]) -> None:
    empty = sorted(set(range(min(rows), max(rows))) - rows.keys()) if rows else []
    if empty:
        named = ", ".join(map(str, empty[:10])) + (" ..." if len(empty) > 10 else "")
        logger.warning("no detection in %d frames between the first and the last: %s.", len(empty), named)


def _report_unlinkable(t: int, predicted: FloatArray, tree: cKDTree, params: CandidatesParams) -> None:
    nearest, _ = find_one_nearest(predicted, tree)
    reach = params.max_distance_um
    enough = math.ceil(float(nearest.min()) * 10) / 10
    error = UnlinkableFrameError(
        f"frame {t}: none of {len(predicted)} cells lies within {reach:g} µm of a cell in frame {t - 1}.",
        measured=f"nearest earlier cell at {nearest.min():.1f} µm, median {np.median(nearest):.1f} µm",
        cause="positions in voxels instead of µm, or a stage jump between frames",
        fix=f"check the movie's voxel size, or raise candidates.max_distance_um above {enough:g}",
    )
    if not params.allow_unlinkable:
        raise error
    logger.warning("%s", error)
