"""Links of one frame to the frames before it. Says nothing aloud: what is to be told comes back with the links."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping

import numpy as np
from scipy.spatial import cKDTree

from morula.candidates.drift import estimate_drift_um
from morula.candidates.flow import estimate_flow_um, spread_flow
from morula.candidates.neighbours import find_nearest, find_one_nearest
from morula.candidates.params import CandidatesParams
from morula.core.columns import BoolArray, FloatArray, IntArray
from morula.core.detections import Detections
from morula.errors import UnlinkableFrameError

_LIKELY_SHARE, _HIGH_PERCENTILE = 0.5, 95.0  # a likely cell scores half of what the best in its frame do

Links = tuple[IntArray, IntArray, FloatArray]
"""Rows of parents, rows of children, distances in µm."""
Note = tuple[int, str]
"""Something to be logged: level and text."""


def link_frame(
    detections: Detections,
    rows: Mapping[int, slice],
    trees: Mapping[int, cKDTree],
    t: int,
    params: CandidatesParams,
    notes: list[Note],
) -> Iterator[Links]:
    """Yield the links of the children in frame `t` to each earlier frame they may reach.

    Parameters
    ----------
    detections
        Detections of this and the earlier frames.
    rows, trees
        Rows of every frame, and trees of the positions in the earlier ones.
    t
        The frame.
    params
        Settings of this stage.
    notes
        What is to be told is added here.

    Raises
    ------
    UnlinkableFrameError
        If there is no link to the frame before, unless `params.allow_unlinkable`.
    """
    here = rows[t]
    for steps in range(1, params.max_skip_frames + 2):
        tree = trees.get(t - steps)
        if tree is None:
            continue
        predicted = detections.zyx_um[here] + steps * detections.movement_um[here]
        if params.correct_drift:
            predicted = predicted - _measure_drift(detections, predicted, rows, t, steps, params, notes)
        radius = params.max_distance_um * math.sqrt(steps)
        offers = [find_nearest(predicted, tree, radius, params.max_parents)]
        if params.flow_neighbours:
            carried = _follow_flow(detections, predicted, here, rows[t - steps], radius, params)
            offers = _weigh_offers(predicted, carried, tree, radius, params)
        child, parent, distance = offers[0] if len(offers) == 1 else _join_links(*offers)
        if steps == 1 and not len(child):
            _report_unlinkable(t, predicted, tree, params, notes)
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
    carried = cells.copy()
    carried[likely] += flow
    carried[~likely] += spread_flow(cells[~likely], cells[likely], flow)
    return carried


def _weigh_offers(
    predicted: FloatArray, carried: FloatArray, tree: cKDTree, radius: float, params: CandidatesParams
) -> list[Links]:
    """Offer links around the mean of what a cell's vector and the tissue say, or around both where they disagree.

    A vector that goes against the tissue is a mistake, or a daughter's on her way from the mother: its links cost more.
    """
    doubted = np.linalg.norm(predicted - carried, axis=1) > params.flow_tolerance_um
    agreed = np.where(doubted[:, None], carried, (predicted + carried) / 2)
    child, parent, distance = find_nearest(predicted[doubted], tree, radius, params.max_parents)
    others = np.flatnonzero(doubted)[child], parent, distance + params.doubt_cost_um
    return [find_nearest(agreed, tree, radius, params.max_parents), others]


def _join_links(own: Links, others: Links) -> Links:
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
    rows: Mapping[int, slice],
    t: int,
    steps: int,
    params: CandidatesParams,
    notes: list[Note],
) -> FloatArray:
    """Estimate the drift of frame `t` against frame `t − steps` from the likely cells; note it where there is one."""
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
        text = (
            f"frame {t} is shifted by {np.round(shift, 1).tolist()} µm (z, y, x) against frame {t - steps} beyond the "
            f"predicted movement{', a jump of the stage or of the embryo' if jump else ''}; removed."
        )
        notes.append((logging.WARNING if jump else logging.DEBUG, text))
    return shift


def _are_likely(score: FloatArray) -> BoolArray:
    """Leave out weak detections: most are false, and many false ones outvote the cells."""
    likely: BoolArray = score >= _LIKELY_SHARE * np.percentile(score, _HIGH_PERCENTILE)
    return likely


def _report_unlinkable(
    t: int, predicted: FloatArray, tree: cKDTree, params: CandidatesParams, notes: list[Note]
) -> None:
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
    notes.append((logging.WARNING, str(error)))
