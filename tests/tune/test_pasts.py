from __future__ import annotations

import numpy as np
import pytest

from morula.core.detections import Detections
from morula.core.graph import CandidateGraph
from morula.core.lineages import Lineages, Selection
from morula.core.tracks import Tracks
from morula.tune.pasts import FEATURES, RIGHT, UNKNOWN, WRONG, describe_pasts, judge_pasts


def lineages(*points: tuple[int, float, int]) -> Lineages:
    """Lineages from points (t, x, row of the parent)."""
    t, x, parent = (np.array(column) for column in zip(*points, strict=True))
    zyx = np.stack([np.zeros(len(x)), np.zeros(len(x)), x], axis=1)
    return Lineages.from_parents(Detections(t, zyx, np.full(len(t), 0.9), np.zeros_like(zyx)), parent)


def tracks(*points: tuple[int, float, int]) -> Tracks:
    return lineages(*points).tracks


def judge(found: Lineages, annotated: Tracks) -> list[int]:
    return judge_pasts(found, annotated, 2.0).tolist()


def test_a_link_that_is_annotated_is_right_and_one_far_from_annotations_unknown() -> None:
    """
    t0    t1
     0 --- 2     annotated
     1 --- 3     far away
    """
    found = lineages((0, 0.0, -1), (0, 50.0, -1), (1, 1.0, 0), (1, 50.0, 1))
    assert judge(found, tracks((0, 0.2, -1), (1, 1.1, 0))) == [UNKNOWN, UNKNOWN, RIGHT, UNKNOWN]


def test_a_link_to_another_parent_and_a_missing_one_are_wrong() -> None:
    """Annotated are the two straight lines; found are the link from below and none.

    t0    t1
     0     2
        /
     1     3
    """
    found = lineages((0, 0.0, -1), (0, 10.0, -1), (1, 0.0, 1), (1, 10.0, -1))
    annotated = tracks((0, 0.0, -1), (0, 10.0, -1), (1, 0.0, 0), (1, 10.0, 1))
    assert judge(found, annotated) == [UNKNOWN, UNKNOWN, WRONG, WRONG]


def test_a_link_from_an_annotated_cell_that_goes_on_elsewhere_is_wrong() -> None:
    """The annotated cell goes on straight, the found one goes to a place nobody annotated."""
    found = lineages((0, 0.0, -1), (1, 30.0, 0))
    assert judge(found, tracks((0, 0.0, -1), (1, 0.0, 0))) == [UNKNOWN, WRONG]


def test_an_annotation_that_ends_or_begins_says_nothing() -> None:
    found = lineages((0, 0.0, -1), (1, 0.0, 0), (2, 0.0, 1))
    assert judge(found, tracks((0, 0.0, -1), (1, 0.0, 0))) == [UNKNOWN, RIGHT, UNKNOWN]
    assert judge(found, tracks((1, 0.0, -1), (2, 0.0, 0))) == [UNKNOWN, UNKNOWN, RIGHT]


def test_a_chain_beside_an_annotated_link_over_a_frame_is_not_judged() -> None:
    """Only the link from t0 to t2 is annotated; whether the cell found in t1 is on the way is unknown."""
    found = lineages((1, 0.0, -1), (2, 0.0, 0))
    assert judge(found, tracks((0, 0.0, -1), (2, 0.0, 0))) == [UNKNOWN, UNKNOWN]


def test_without_annotations_or_cells_nothing_is_judged() -> None:
    found = lineages((0, 0.0, -1), (1, 0.0, 0))
    nothing = Tracks.from_ids([], [], [], [])
    assert judge(found, nothing) == [UNKNOWN, UNKNOWN]
    assert judge(Lineages.from_parents(Detections.empty(), np.zeros(0, int)), found.tracks) == []


def test_margin_and_distance_count_in_typical_ones() -> None:
    """Of three links one is a division's other daughter; the fourth cell was left.

    t0    t1
     0 --- 2
     1 --- 3
      `--- 4     5 left
    """
    nodes = Detections(
        t=np.array([0, 0, 1, 1, 1, 1]),
        zyx_um=np.zeros((6, 3)),
        score=np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.1]),
        movement_um=np.zeros((6, 3)),
    )
    graph = CandidateGraph(nodes=nodes, edges=np.array([[0, 2], [1, 3], [1, 4], [0, 5]]), distance_um=[1.0, 2, 4, 9])
    chosen = Selection(np.arange(6) < 5, np.arange(4) < 3, 0.0, 0.0, "optimal", 0.0)
    pasts = describe_pasts(graph, chosen, np.array([5.0, 5, 1, 4, 2, 0.1]))
    assert pasts.linked.tolist() == [False, False, True, True, True]
    assert pasts.features.shape == (5, len(FEATURES))
    assert pasts.features[:2].tolist() == [[0.0] * 5] * 2
    margin, excess_squared, score, score_of_parent, division = pasts.features[2:].T
    assert np.exp(margin) - 0.03 == pytest.approx([0.5, 2, 1])
    assert excess_squared.tolist() == [0, 0, 1]
    spread = 0.1 / 1.35
    assert score == pytest.approx(np.array([0.1, 0, -0.1]) / spread)
    assert score_of_parent == pytest.approx(np.array([0.3, 0.2, 0.2]) / spread)
    assert division.tolist() == [0, 1, 1]
