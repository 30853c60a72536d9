"""What annotations say about links, and where they are silent."""

from __future__ import annotations

import numpy as np

from morula.core.detections import Detections
from morula.core.graph import CandidateGraph
from morula.core.pins import FREE, IN, OUT
from morula.core.tracks import Tracks
from morula.solve.params import SolveParams
from morula.solve.problem.costs import price_graph
from morula.solve.problem.problem import Problem
from morula.tune.labels import label_graph

LABEL = {IN: "in", FREE: "free", OUT: "out"}


def graph_of(nodes, edges):
    t, x = np.array(nodes, float).T
    zyx = np.stack([0 * x, 0 * x, x], axis=1)
    detections = Detections(t=t, zyx_um=zyx, score=0 * x + 0.9, movement_um=0 * zyx)
    return CandidateGraph(nodes=detections, edges=edges, distance_um=np.ones(len(edges)))


def tracks_of(points):
    """Tracks from (t, x, id, parent)."""
    t, x, ids, parents = zip(*points, strict=True)
    return Tracks.from_ids(list(t), [[0.0, 0.0, float(value)] for value in x], list(ids), list(parents))


def labels_of(graph, annotations):
    labels = label_graph(graph, annotations, max_distance_um=2.0)
    named = {tuple(edge): LABEL[value] for edge, value in zip(graph.edges.tolist(), labels.edge.tolist(), strict=True)}
    return labels.node.tolist(), named


def test_annotated_links_are_right_and_what_contradicts_them_is_wrong() -> None:
    """
    x 0:  0 --- 2 --- 4      annotated, from frame 0 to 2
            \\ /   \\
            / \\     \\
    x 9:  1 --- 3 --- 5      nobody looked
    """
    graph = graph_of(
        [(0, 0), (0, 9), (1, 0), (1, 9), (2, 0), (2, 9)],
        [(0, 2), (0, 3), (1, 2), (1, 3), (2, 4), (2, 5), (3, 5)],
    )
    nodes, edges = labels_of(graph, tracks_of([(0, 0.5, 1, -1), (1, 0.5, 2, 1), (2, 0.5, 3, 2)]))
    assert nodes == [IN, FREE, IN, FREE, IN, FREE]
    assert edges == {
        (0, 2): "in", (2, 4): "in", (0, 3): "out", (1, 2): "out", (2, 5): "out", (1, 3): "free", (3, 5): "free",
    }  # fmt: skip


def test_where_an_annotated_track_begins_or_ends_its_past_and_future_are_unknown() -> None:
    graph = graph_of([(0, 0), (1, 0), (2, 0), (3, 0)], [(0, 1), (1, 2), (2, 3)])
    _, edges = labels_of(graph, tracks_of([(1, 0, 1, -1), (2, 0, 2, 1)]))
    assert edges == {(0, 1): "free", (1, 2): "in", (2, 3): "free"}


def test_both_daughters_of_an_annotated_division_are_right() -> None:
    graph = graph_of([(0, 0), (1, -3), (1, 3), (1, 6)], [(0, 1), (0, 2), (0, 3)])
    _, edges = labels_of(graph, tracks_of([(0, 0, 1, -1), (1, -3, 2, 1), (1, 3, 3, 1)]))
    assert edges == {(0, 1): "in", (0, 2): "in", (0, 3): "out"}


def test_a_link_over_a_frame_is_right_where_the_cell_was_not_detected_between() -> None:
    annotated = tracks_of([(0, 0, 1, -1), (1, 0, 2, 1), (2, 0, 3, 2)])
    missed = graph_of([(0, 0), (1, 9), (2, 0)], [(0, 2), (1, 2)])
    assert labels_of(missed, annotated)[1] == {(0, 2): "in", (1, 2): "out"}
    found = graph_of([(0, 0), (1, 0), (2, 0)], [(0, 1), (0, 2), (1, 2)])
    assert labels_of(found, annotated)[1] == {(0, 1): "in", (0, 2): "out", (1, 2): "in"}


def test_a_link_from_before_the_annotation_began_is_unknown_even_over_frames() -> None:
    """The parent in frame 1 was not detected; the link from frame 0 may be the cell's true past."""
    graph = graph_of([(0, 0), (2, 0)], [(0, 1)])
    _, edges = labels_of(graph, tracks_of([(1, 0, 1, -1), (2, 0, 2, 1)]))
    assert edges == {(0, 1): "free"}


def test_labels_never_contradict_each_other(tissue) -> None:
    labels = label_graph(tissue.graph, tissue.annotated, max_distance_um=3.0)
    assert (labels.edge == IN).sum() > 100
    assert (labels.edge == OUT).sum() > 100
    problem = Problem(tissue.graph.edges, price_graph(tissue.graph, SolveParams()), labels)
    assert problem.pins.any


def test_without_a_detection_near_them_annotations_label_nothing(tissue) -> None:
    far = Tracks.from_ids([0, 1], [[500.0, 0, 0], [500.0, 0, 0]], [1, 2], [-1, 1])
    labels = label_graph(tissue.graph, far, max_distance_um=3.0)
    assert not labels.any
