"""Choosing cost weights on validation annotations."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest

from morula.core.detections import Detections
from morula.core.graph import CandidateGraph
from morula.core.progress import Progress
from morula.core.tracks import Tracks
from morula.evaluate.params import EvaluateParams
from morula.solve.params import SolveParams
from morula.tune.grid import GridWork, count_point, list_candidates, pick_weights, plan_points, search_weights
from morula.tune.params import TuneParams
from morula.tune.weights import WEIGHTS

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


GIVEN = SolveParams(
    node_constant=6.0, node_score_weight=-20.0, edge_distance_weight=1.0, start_cost=8.0, division_cost=4.0
)
DIVISION_GRID = TuneParams(
    break_even_scores=(0.3,),
    node_score_weights=(-20.0,),
    start_costs=(4.0, 8.0, 30.0),
    division_costs=(1.0, 4.0, 15.0),
    fewest_links=3,
)


def _graph(nodes: list[tuple[int, float, float]], edges: list[tuple[int, int, float]]) -> CandidateGraph:
    """Build a graph from nodes (t, x, score) and edges (parent, child, distance)."""
    t, x, score = (np.array(part, float) for part in zip(*nodes, strict=True))
    zyx = np.stack([0 * x, 0 * x, x], axis=1)
    detections = Detections(t=t, zyx_um=zyx, score=score, movement_um=0 * zyx)
    return CandidateGraph(nodes=detections, edges=[e[:2] for e in edges], distance_um=[e[2] for e in edges])


@pytest.fixture
def wide_division() -> CandidateGraph:
    """Daughters 6 µm from their mother: with the given weights a new track (8) costs less than a division (4 + 6).

    t0      t1      t2        t3
                     ,-6- 2 --- 4
     0 ----- 1 ----<
                     `-6- 3 --- 5
    """
    nodes = [(0, 0, 0.9), (1, 0, 0.9), (2, -6, 0.9), (2, 6, 0.9), (3, -6, 0.9), (3, 6, 0.9)]
    return _graph(nodes, [(0, 1, 0.5), (1, 2, 6.0), (1, 3, 6.0), (2, 4, 0.5), (3, 5, 0.5)])


@pytest.fixture
def division_tracks() -> Tracks:
    """The division of `wide_division`, annotated."""
    zyx = [[0.0, 0.0, x] for x in (0, 0, -6, 6, -6, 6)]
    return Tracks.from_ids([0, 1, 2, 2, 3, 3], zyx, [1, 2, 3, 4, 5, 6], [-1, 1, 2, 2, 3, 4])


def test_weights_that_mend_a_missed_division_are_chosen(wide_division: CandidateGraph, division_tracks: Tracks) -> None:
    tuned = search_weights(wide_division, division_tracks, DIVISION_GRID, GIVEN, NEAR)
    errors = [count for _, count in tuned.tried]
    assert errors[0] > 0
    assert tuned.errors == min(errors) == 0
    assert tuned.params.start_cost - tuned.params.division_cost > 6


def test_of_weights_that_err_equally_the_nearest_to_the_given_ones_wins(
    wide_division: CandidateGraph, division_tracks: Tracks
) -> None:
    tuned = search_weights(wide_division, division_tracks, DIVISION_GRID, GIVEN, NEAR)
    faultless = {(w["start_cost"], w["division_cost"]) for w, count in tuned.tried if count == 0}
    assert faultless == {(8.0, 1.0), (30.0, 1.0), (30.0, 4.0), (30.0, 15.0)}
    assert (tuned.params.start_cost, tuned.params.division_cost) == (8.0, 1.0)


def test_ties_go_to_the_given_weights_even_off_the_grid(wide_division: CandidateGraph, division_tracks: Tracks) -> None:
    right = replace(GIVEN, start_cost=13.7, division_cost=2.9)
    tuned = search_weights(wide_division, division_tracks, DIVISION_GRID, right, NEAR)
    assert tuned.params == right
    assert tuned.errors == 0


def test_a_few_errors_less_among_many_are_chance_and_change_nothing(
    wide_division: CandidateGraph, division_tracks: Tracks
) -> None:
    """Ten annotated cells have no detections: whatever the weights, their links are missed."""
    n, rows = 10, np.arange(10)
    zyx = np.concatenate([division_tracks.zyx_um, np.tile([[0.0, 500.0, 0.0]], (2 * n, 1))])
    t = np.concatenate([division_tracks.t, 0 * rows, 0 * rows + 1])
    ids = np.concatenate([division_tracks.id, 100 + rows, 200 + rows])
    parents = np.concatenate([division_tracks.parent_id, 0 * rows - 1, 100 + rows])
    tuned = search_weights(wide_division, Tracks.from_ids(t, zyx, ids, parents), DIVISION_GRID, GIVEN, NEAR)
    errors = [count for _, count in tuned.tried]
    assert 0 < errors[0] - min(errors) <= min(errors) ** 0.5
    assert tuned.params == GIVEN
    assert tuned.errors == errors[0]


def test_every_combination_is_tried_once_after_the_given_weights(
    wide_division: CandidateGraph, division_tracks: Tracks
) -> None:
    params = replace(DIVISION_GRID, break_even_scores=(0.2, 0.3), node_score_weights=(-10.0, -20.0))
    tuned = search_weights(wide_division, division_tracks, params, GIVEN, NEAR)
    tried = [tuple(weights[name] for name in WEIGHTS) for weights, _ in tuned.tried]
    assert tried[0] == (6.0, -20.0, 8.0, 4.0, -3.0, 0.0, 4.0)
    assert len(tried) == 1 + 2 * 2 * 3 * 3
    assert len(set(tried[1:])) == len(tried) - 1
    assert {round(-constant / weight, 6) for constant, weight, *_ in tried} == {0.2, 0.3}


def test_the_weight_of_division_scores_is_searched_only_where_values_are_given() -> None:
    assert {one.division_score_weight for one in list_candidates(DIVISION_GRID, GIVEN)} == {-3.0}
    searched = list_candidates(replace(DIVISION_GRID, division_score_weights=(-1.0, -5.0)), GIVEN)
    assert {one.division_score_weight for one in searched[1:]} == {-1.0, -5.0}
    assert len(searched) == 1 + 2 * 9


def test_starts_near_the_movies_faces_are_free_only_if_its_extent_is_known(
    wide_division: CandidateGraph, division_tracks: Tracks
) -> None:
    """With free starts daughters may begin anew for nothing, and no division cost of the grid keeps them."""
    border = replace(GIVEN, free_border_um=7.0)
    known = search_weights(
        wide_division, division_tracks, DIVISION_GRID, border, NEAR, extent_um=np.array([0.0, 0.0, 6.0])
    )
    unknown = search_weights(wide_division, division_tracks, DIVISION_GRID, border, NEAR)
    assert unknown.errors == 0
    assert min(count for _, count in known.tried) > 0


def test_a_graph_in_which_nothing_pays_keeps_the_given_weights(division_tracks: Tracks) -> None:
    dim = _graph([(0, 0, 0.01), (1, 0, 0.01)], [(0, 1, 0.5)])
    tuned = search_weights(dim, division_tracks, DIVISION_GRID, GIVEN, NEAR)
    assert tuned.errors >= 5
    assert tuned.params == GIVEN


def test_points_counted_one_by_one_in_any_order_and_elsewhere_choose_the_same(
    wide_division: CandidateGraph, division_tracks: Tracks
) -> None:
    candidates = list_candidates(DIVISION_GRID, GIVEN)
    work = GridWork(wide_division, division_tracks, candidates, NEAR)
    sent = pickle.loads(pickle.dumps(work))
    points = plan_points(candidates)
    assert [point.index for point in points] == list(range(10))
    counted = {point.index: count_point(point, sent) for point in reversed(points)}
    whole = search_weights(wide_division, division_tracks, DIVISION_GRID, GIVEN, NEAR)
    assert pick_weights(candidates, counted, len(division_tracks.edges)) == whole
