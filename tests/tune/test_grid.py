"""Choosing cost weights on validation annotations."""

from __future__ import annotations

import numpy as np
import pytest

from morula.core.detections import Detections
from morula.core.graph import CandidateGraph
from morula.core.progress import Progress
from morula.core.tracks import Tracks
from morula.evaluate.params import EvaluateParams
from morula.solve.params import SolveParams
from morula.tune.grid import WEIGHTS, search_weights
from morula.tune.params import TuneParams

FRAMES = 12
SHY = SolveParams(node_constant=5.0, node_score_weight=-1.0, start_cost=5.0)
"""Nothing pays with these weights: every link of the truth is missed."""
NEAR = EvaluateParams(max_distance_um=1.0)
GRID = TuneParams(
    break_even_scores=(0.3,), node_score_weights=(-10.0,), start_costs=(2.0,), division_costs=(1.0,), fewest_links=5
)


@pytest.fixture
def graph() -> CandidateGraph:
    """One cell seen in every frame, one link between each two frames."""
    frames = np.arange(FRAMES)
    nodes = Detections.sorted(frames, np.zeros((FRAMES, 3)), np.full(FRAMES, 0.9), np.zeros((FRAMES, 3)))
    edges = np.stack([frames[:-1], frames[1:]], axis=1)
    return CandidateGraph(nodes=nodes, edges=edges, distance_um=np.full(FRAMES - 1, 0.5))


@pytest.fixture
def truth() -> Tracks:
    """The same cell as a person would click it."""
    ids = list(range(FRAMES))
    return Tracks.from_ids(ids, [[0.0, 0.0, 0.1]] * FRAMES, ids, [-1, *ids[:-1]])


def test_the_weights_with_fewest_errors_are_chosen(graph: CandidateGraph, truth: Tracks) -> None:
    tuned = search_weights(graph, truth, GRID, SHY, NEAR)
    assert tuned.errors == 0
    assert [errors for _, errors in tuned.tried] == [FRAMES - 1, 0]
    assert tuned.params.node_constant == 3.0
    assert tuned.params.start_cost == 2.0
    assert tuned.tried[1][0] == {name: getattr(tuned.params, name) for name in WEIGHTS}
    assert f"on {FRAMES - 1} validation links" in tuned.reason


def test_what_is_not_a_weight_stays_as_it_was(graph: CandidateGraph, truth: Tracks) -> None:
    shy = SolveParams(node_constant=5.0, node_score_weight=-1.0, edge_distance_weight=0.7, min_track_frames=2)
    tuned = search_weights(graph, truth, GRID, shy, NEAR)
    assert tuned.params.edge_distance_weight == 0.7
    assert tuned.params.min_track_frames == 2


def test_weights_that_do_as_well_as_any_are_kept(graph: CandidateGraph, truth: Tracks) -> None:
    good = SolveParams(node_constant=1.0, node_score_weight=-8.0, start_cost=1.0)
    assert search_weights(graph, truth, GRID, good, NEAR).params == good


@pytest.mark.parametrize(
    ("changes", "why"),
    [({"enabled": False}, r"switched off"), ({"fewest_links": FRAMES}, r"11 validation links, 12 are needed")],
)
def test_without_enough_to_choose_by_the_given_weights_are_used(
    graph: CandidateGraph, truth: Tracks, changes: dict[str, object], why: str
) -> None:
    params = TuneParams(**{"start_costs": (2.0,), "fewest_links": 5, **changes})  # type: ignore[arg-type]
    tuned = search_weights(graph, truth, params, SHY, NEAR)
    assert (tuned.params, tuned.errors, tuned.tried) == (SHY, -1, ())
    assert why in tuned.reason


def test_progress_counts_the_weights_tried(graph: CandidateGraph, truth: Tracks) -> None:
    heard: list[Progress] = []
    search_weights(graph, truth, GRID, SHY, NEAR, progress=heard.append)
    assert [(event.stage, event.done, event.total) for event in heard] == [("tune", 1, 2), ("tune", 2, 2)]
    assert heard[-1].detail == "fewest errors 0"
