from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from morula.core.detections import Detections
from morula.core.graph import CandidateGraph
from morula.errors import GraphError

FRAMES = [0, 0, 1, 1, 2, 4]
"""Frames of the six nodes of every graph here."""


def _nodes() -> Detections:
    n = len(FRAMES)
    return Detections(t=FRAMES, zyx_um=np.zeros((n, 3)), score=np.ones(n), movement_um=np.zeros((n, 3)))


def _is_right(edges: list[tuple[int, int]]) -> bool:
    rows = all(0 <= parent < 6 and 0 <= child < 6 for parent, child in edges)
    return rows and all(FRAMES[a] < FRAMES[b] for a, b in edges) and len(set(edges)) == len(edges)


EDGES = st.one_of(
    st.lists(st.tuples(st.integers(-1, 6), st.integers(-1, 6)), max_size=6),
    st.lists(st.sampled_from([(0, 2), (1, 2), (1, 3), (2, 4), (0, 5), (4, 5)]), max_size=6),
)


@given(edges=EDGES)
def test_a_graph_is_built_exactly_if_rows_exist_time_increases_and_no_pair_repeats(edges) -> None:
    pairs, distance = np.array(edges, np.int64).reshape(-1, 2), np.ones(len(edges))
    if _is_right(edges):
        graph = CandidateGraph(nodes=_nodes(), edges=pairs, distance_um=distance)
        assert graph.n_edges == len(edges)
        assert graph.edges.tolist() == pairs.tolist()
    else:
        with pytest.raises(GraphError, match=r"candidate graph: (an edge names|edge .* does not go|a pair of nodes)"):
            CandidateGraph(nodes=_nodes(), edges=pairs, distance_um=distance)


@pytest.mark.parametrize(
    ("edges", "distance", "message"),
    [
        ([[0, 2], [0, 2]], [1.0, 2.0], "a pair of nodes is linked twice"),
        ([[2, 0]], [1.0], r"edge \[2, 0\] does not go forward in time.\n  measured: 1 such edges of 1"),
        ([[0, 1]], [1.0], r"edge \[0, 1\] does not go forward in time"),
        ([[0, 6]], [1.0], "names row 6, there are 6 nodes"),
        ([[-1, 2]], [1.0], "names row -1, there are 6 nodes"),
        ([[0, 2]], [-1.0], "a distance is negative"),
        ([[0, 2]], [np.nan], "distance_um holds 1 values that are not finite"),
        ([[0, 2]], [1.0, 2.0], r"distance_um has shape \(2,\), expected \(1,\)"),
        ([[0, 2, 3]], [1.0], r"edges has shape \(1, 3\)"),
        ([[0.5, 2.0]], [1.0], "edges holds 1 values that are not whole numbers"),
    ],
)
def test_impossible_links_are_refused_with_their_reason(edges, distance, message) -> None:
    with pytest.raises(GraphError, match=message):
        CandidateGraph(nodes=_nodes(), edges=edges, distance_um=distance)


def test_a_graph_may_have_no_links_and_no_nodes() -> None:
    assert CandidateGraph(nodes=_nodes(), edges=[], distance_um=[]).n_edges == 0
    assert CandidateGraph(nodes=Detections.empty(), edges=[], distance_um=[]).edges.shape == (0, 2)


def test_the_callers_links_stay_writable() -> None:
    edges, distance = np.array([[0, 2]]), np.array([1.0])
    graph = CandidateGraph(nodes=_nodes(), edges=edges, distance_um=distance)
    assert [a.flags.writeable for a in (edges, distance, graph.edges, graph.distance_um)] == [True, True, False, False]
