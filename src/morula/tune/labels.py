"""What annotations say about a candidate graph: cells and links that are right, links that are wrong, and silence.

Owns the reading of sparse annotations. Most of a graph gets no label: where nobody annotated, nothing is
right or wrong.
"""

from __future__ import annotations

import numpy as np

from morula.core.columns import BoolArray, FrameArray, IntArray
from morula.core.graph import CandidateGraph
from morula.core.pins import FREE, IN, OUT, Pins
from morula.core.tracks import Tracks
from morula.matching.points import match_points


def label_graph(graph: CandidateGraph, annotations: Tracks, *, max_distance_um: float) -> Pins:
    """Label the nodes and links that annotations speak about.

    Parameters
    ----------
    graph
        The candidate graph.
    annotations
        Some lineages, points in µm.
    max_distance_um
        Largest distance of an annotated point and the detection taken for it, µm.

    Returns
    -------
    labels
        A node is `IN` if it is matched with an annotated point. A link is `IN` if it joins an annotated cell to where
        it was found last: its parent or, where that was not detected, the nearest ancestor that was. A link is `OUT`
        if it gives an annotated cell another past than its own, or an annotated cell that goes on another future.
        Everything else is `FREE`: no label says that a detection is no cell, since sparse annotations cannot know. The
        labels contradict each other nowhere, so that they can be pins.

    Notes
    -----
    An annotated cell whose parent was not detected has wrong links only: for it, a start is right.
    """
    nodes = graph.nodes
    annotated, found, _ = match_points(annotations.zyx_um, annotations.t, nodes.zyx_um, nodes.t, max_distance_um)
    detected = np.zeros(annotations.n, bool)
    detected[annotated] = True
    point_of_node = np.full(nodes.n, -1)
    point_of_node[found] = annotated
    known_past, known_since = _trace_back(annotations, detected)
    goes_on_at = _find_next_frame(annotations)
    parent, child = graph.edges.T
    of_parent, of_child = point_of_node[parent], point_of_node[child]
    right = (of_child >= 0) & (of_parent >= 0) & (known_past[of_child] == of_parent)
    other_past = (of_child >= 0) & (known_since[of_child] <= nodes.t[parent])
    other_future = (of_parent >= 0) & (goes_on_at[of_parent] <= nodes.t[child])
    return Pins(
        node=np.where(point_of_node >= 0, IN, FREE).astype(np.int8),
        edge=np.select([right, other_past | other_future], [IN, OUT], FREE).astype(np.int8),
    )


def _trace_back(annotations: Tracks, detected: BoolArray) -> tuple[IntArray, FrameArray]:
    """Return the nearest detected ancestor of each point (−1 for none) and the first frame its lineage is known in."""
    ancestor, since = np.full(annotations.n, -1), annotations.t.copy()
    for row in np.argsort(annotations.t, kind="stable"):
        parent = annotations.parent_row[row]
        if parent >= 0:
            ancestor[row] = parent if detected[parent] else ancestor[parent]
            since[row] = since[parent]
    return ancestor, since


def _find_next_frame(annotations: Tracks) -> FrameArray:
    """Return the frame in which each point is annotated to go on; the largest number where it is not."""
    frame = np.full(annotations.n, np.iinfo(np.int32).max, np.int32)
    parent, child = annotations.edges.T
    np.minimum.at(frame, parent, annotations.t[child])
    return frame
