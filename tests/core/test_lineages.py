from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from morula.core.detections import Detections
from morula.core.graph import CandidateGraph
from morula.core.lineages import Lineages, Selection
from morula.errors import GraphError, TracksError

LAYERS, WIDTH = 4, 3


def _graph() -> CandidateGraph:
    """Four frames of three cells, every cell linked with every one in the next frame."""
    t = np.repeat(np.arange(LAYERS), WIDTH)
    zyx = np.stack([t, np.tile(np.arange(WIDTH), LAYERS), np.arange(len(t))], axis=1)
    nodes = Detections(t=t, zyx_um=zyx, score=np.linspace(0.1, 0.9, len(t)), movement_um=-zyx)
    pairs = [(a, b) for b in range(len(t)) for a in range(len(t)) if t[a] == t[b] - 1]
    return CandidateGraph(nodes=nodes, edges=pairs, distance_um=np.ones(len(pairs)))


GRAPH = _graph()


def _select(nodes, edges) -> Selection:
    return Selection(np.array(nodes, bool), np.array(edges, bool), 0.0, 0.0, "optimal", 0.0)


def _faults(nodes: np.ndarray, edges: np.ndarray) -> list[str]:
    chosen = GRAPH.edges[edges]
    faults = []
    if not nodes[chosen].all():
        faults.append("without both of its nodes")
    if np.bincount(chosen[:, 1], minlength=1).max() > 1:
        faults.append("two selected parents")
    if np.bincount(chosen[:, 0], minlength=1).max() > 2:
        faults.append("3 children, a cell divides into two")
    return faults


def _booleans(n: int, likely: float) -> st.SearchStrategy[np.ndarray]:
    return st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed).random(n) < likely)


@given(
    nodes=st.one_of(_booleans(GRAPH.nodes.n, 1.0), _booleans(GRAPH.nodes.n, 0.6)),
    edges=st.one_of(_booleans(GRAPH.n_edges, 0.05), _booleans(GRAPH.n_edges, 0.15)),
)
def test_a_selection_is_either_a_forest_or_refused_for_what_is_wrong(nodes, edges) -> None:
    faults = _faults(nodes, edges)
    if faults:
        with pytest.raises((GraphError, TracksError), match="|".join(faults)):
            Lineages.from_selection(GRAPH, _select(nodes, edges))
        return
    lineages = Lineages.from_selection(GRAPH, _select(nodes, edges))
    rows = np.flatnonzero(nodes)
    links = {(int(rows[p]), int(rows[c])) for c, p in enumerate(lineages.parent_row) if p >= 0}
    assert links == {tuple(edge) for edge in GRAPH.edges[edges].tolist()}
    assert np.array_equal(lineages.nodes.score, GRAPH.nodes.score[nodes])
    assert np.array_equal(lineages.nodes.movement_um, GRAPH.nodes.movement_um[nodes])
    assert np.array_equal(lineages.lineage_id, lineages.tracks.lineage_id())
    assert np.array_equal(lineages.tracks.zyx_um, lineages.nodes.zyx_um)


def test_numbers_of_tracklets_and_lineages_cannot_be_changed() -> None:
    lineages = Lineages.from_parents(GRAPH.nodes, np.full(GRAPH.nodes.n, -1))
    for numbers in (lineages.tracklet_id, lineages.lineage_id):
        assert not numbers.flags.writeable


def test_nothing_selected_is_no_lineage() -> None:
    lineages = Lineages.from_selection(GRAPH, _select(np.zeros(GRAPH.nodes.n), np.zeros(GRAPH.n_edges)))
    assert lineages.nodes.n == lineages.tracks.n == len(lineages.lineage_id) == 0


@pytest.mark.parametrize(
    ("objective", "bound", "gap"),
    [(-100.0, -101.0, 0.01), (-100.0, -99.0, 0.0), (0.0, -1e-9, 1.0), (5.0, -np.inf, np.inf)],
)
def test_the_gap_is_relative_to_the_objective_and_never_negative(objective, bound, gap) -> None:
    assert Selection([], [], objective, bound, "feasible", 0.0).gap == pytest.approx(gap)
