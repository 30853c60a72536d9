"""Possible links: every detection to the detections of earlier frames near its predicted earlier position.

Owns the candidate graph's edges and their distances. Refuses consecutive frames that both hold cells and not one
possible link (`UnlinkableFrameError`), because that is a wrong unit or a jump, not biology; empty frames are legal.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
from scipy.spatial import cKDTree

from morula.candidates.frame import Links, Note, link_frame
from morula.candidates.params import CandidatesParams
from morula.core.detections import Detections
from morula.core.graph import CandidateGraph
from morula.core.progress import Progress, ProgressSink, ignore_progress

logger = logging.getLogger(__name__)


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
    One k-d tree per frame; most of the time is for the tissue's movement, 10 to 35 µs per detection. It grows linearly
    with their number.
    """
    rows = find_frames(detections)
    warn_of_empty_frames(detections)
    trees: dict[int, cKDTree] = {}
    found: list[Links] = []
    for done, t in enumerate(rows, start=1):
        notes: list[Note] = []
        found.extend(link_frame(detections, rows, trees, t, params, notes))
        tell(notes)
        trees[t] = cKDTree(detections.zyx_um[rows[t]])
        trees.pop(t - 1 - params.max_skip_frames, None)
        progress(Progress("candidates", done, len(rows), "frames"))
    return build_graph(detections, found)


def find_frames(detections: Detections) -> dict[int, slice]:
    """Return the rows of every frame that has any, in order."""
    return {int(t): detections.frame(int(t)) for t in np.unique(detections.t)}


def build_graph(detections: Detections, found: Sequence[Links]) -> CandidateGraph:
    """Return the graph of links that were found frame by frame, in the frames' order."""
    if not found:
        return CandidateGraph(nodes=detections, edges=np.zeros((0, 2), np.int64), distance_um=np.zeros(0))
    parent, child, distance = (np.concatenate(part) for part in zip(*found, strict=True))
    order = np.argsort(child, kind="stable")
    edges = np.stack([parent[order], child[order]], axis=1)
    return CandidateGraph(nodes=detections, edges=edges, distance_um=distance[order])


def tell(notes: Sequence[Note]) -> None:
    """Log what was noted of a frame."""
    for level, text in notes:
        logger.log(level, "%s", text)


def warn_of_empty_frames(detections: Detections) -> None:
    """Log which frames between the first and the last have no detection."""
    frames = np.unique(detections.t).tolist()
    empty = sorted(set(range(frames[0], frames[-1])) - set(frames)) if frames else []
    if empty:
        named = ", ".join(map(str, empty[:10])) + (" ..." if len(empty) > 10 else "")
        logger.warning("no detection in %d frames between the first and the last: %s.", len(empty), named)
