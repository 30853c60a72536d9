from __future__ import annotations

import numpy as np
import pytest

from morula.core.pins import IN, Pins
from morula.errors import SolveError
from morula.solve.forest import check_forest, keep_long_lineages

EDGES = np.array([[0, 3], [1, 3], [0, 4], [0, 5]])


@pytest.mark.parametrize(
    ("node", "edge", "fault"),
    [
        ([1, 0, 0, 0, 0, 0], [1, 0, 0, 0], "1 selected links lack one of their nodes"),
        ([1, 1, 1, 1, 1, 1], [1, 1, 0, 0], "1 nodes have two parents"),
        ([1, 1, 1, 1, 1, 1], [1, 0, 1, 1], "1 nodes have three children"),
    ],
)
def test_what_is_no_forest_is_refused(node, edge, fault):
    with pytest.raises(SolveError, match=fault):
        check_forest(EDGES, np.array(node, bool), np.array(edge, bool))


def test_a_forest_passes():
    check_forest(EDGES, np.array([1, 0, 0, 1, 1, 0], bool), np.array([1, 0, 1, 0], bool))
    check_forest(np.zeros((0, 2), np.int64), np.zeros(0, bool), np.zeros(0, bool))


def test_lineages_shorter_than_asked_are_dropped_whole():
    """
    t0  t1  t2  t3
     0---1---2           three frames: kept
         3---4           two frames, though
          `--5           three nodes: dropped
                 6       one frame: dropped
    """
    t = np.array([0, 1, 2, 1, 2, 2, 3], np.int32)
    edges = np.array([[0, 1], [1, 2], [3, 4], [3, 5]])
    node, edge = keep_long_lineages(t, edges, np.ones(7, bool), np.ones(4, bool), 3)
    assert np.flatnonzero(node).tolist() == [0, 1, 2]
    assert edge.tolist() == [True, True, False, False]


def test_short_lineages_that_are_pinned_in_stay():
    """
    t0  t1  t2
     0---1---2           three frames: kept
         3---4           the link is pinned in: kept
         5---6           two frames: dropped, though node 7 is pinned in
             7           pinned in: kept
    """
    t = np.array([0, 1, 2, 1, 2, 1, 2, 2], np.int32)
    edges = np.array([[0, 1], [1, 2], [3, 4], [5, 6], [5, 7]])
    pins = Pins(node=np.array([0, 0, 0, 0, 0, 0, 0, IN]), edge=np.array([0, 0, IN, 0, 0]))
    chosen = np.ones(8, bool), np.array([1, 1, 1, 1, 0], bool)
    node, edge = keep_long_lineages(t, edges, *chosen, 3, pins)
    assert np.flatnonzero(node).tolist() == [0, 1, 2, 3, 4, 7]
    assert edge.tolist() == [True, True, True, False, False]


def test_a_graph_shorter_than_the_minimum_keeps_lineages_as_long_as_itself():
    t, edges = np.array([4, 5, 5], np.int32), np.array([[0, 1]])
    node, _ = keep_long_lineages(t, edges, np.ones(3, bool), np.ones(1, bool), 10)
    assert node.tolist() == [True, True, False]
