"""Movement vectors held against the true mothers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from morula.core.tracks import Tracks
from morula.errors import TracksError
from morula.evaluate.evaluate import evaluate_tracks
from morula.evaluate.movement import find_flow_um
from morula.evaluate.params import EvaluateParams

PARAMS = EvaluateParams(max_distance_um=3.0, dense=True)


def walk(n_cells: int, step_um: float, n_frames: int = 2) -> Tracks:
    """Cells 20 µm apart along y that move along x."""
    t = np.repeat(np.arange(n_frames), n_cells)
    zyx = np.stack([0 * t, np.tile(np.arange(n_cells) * 20, n_frames), t * step_um], axis=1).astype(float)
    row = np.arange(len(t))
    return Tracks(t, zyx, row, np.where(t > 0, row - n_cells, -1))


def dividing() -> Tracks:
    r"""A mother at x = 0 and her daughters 4 µm to either side.

    0 ──┬── 1 (x = 4)
        └── 2 (x = −4)
    """
    return Tracks.from_ids([0, 1, 1], [[0, 0, 0], [0, 0, 4], [0, 0, -4]], [1, 2, 3], [-1, 1, 1])


def test_the_error_is_the_distance_from_the_true_mother_to_where_the_vector_points():
    """Three cells move 5 µm; their vectors are right, 1 µm short, and none. Their neighbours' means are 2, 2.5, 4.5 µm
    long: 3, 2.5 and 0.5 µm short."""
    truth = walk(3, 5.0)
    vectors = np.zeros((6, 3))
    vectors[3:, 2] = [-5, -4, 0]
    movement = evaluate_tracks(truth, truth, PARAMS, movement_um=vectors).movement
    assert movement.links == 3
    assert movement.median_um == 1
    assert movement.p95_um == pytest.approx(4.6)
    assert (movement.still_median_um, movement.still_p95_um) == (5, 5)
    assert movement.flow_median_um == pytest.approx(2.5)
    assert movement.flow_p95_um == pytest.approx(2.95)


def test_a_vector_starts_at_the_detection_not_at_the_true_cell():
    truth = walk(1, 5.0)
    found = Tracks(truth.t, truth.zyx_um + np.array([0, 0, 1]), truth.id, truth.parent_row)
    movement = evaluate_tracks(found, truth, PARAMS, movement_um=np.array([[0, 0, 0], [0, 0, -6.0]])).movement
    assert movement.median_um == pytest.approx(0)
    assert movement.still_median_um == pytest.approx(6)
    assert movement.flow_median_um == pytest.approx(6), "alone in its frame there is no flow"


def test_daughters_in_their_first_frame_are_measured_apart():
    truth = dividing()
    judged = evaluate_tracks(truth, truth, PARAMS, movement_um=np.array([[0, 0, 0], [0, 0, -4.0], [0, 0, 3.0]]))
    assert judged.daughter_movement == judged.movement
    assert judged.daughter_movement.median_um == 0.5
    assert judged.daughter_movement.flow_median_um == 7.5, "each follows its sister: 7 and 8 µm off"


def test_only_links_that_count_to_the_frame_before_and_whose_child_was_found_are_measured():
    """The link 0 → 1 counts, 1 → 3 skips a frame; the second cell is not found, the third not scored.

    0 ── 1 ────── 3
    """
    t, y = [0, 1, 3, 0, 1, 0, 1], [0, 0, 0, 20, 20, 40, 40]
    truth = Tracks.from_ids(t, [[0, place, 0] for place in y], range(1, 8), [-1, 1, 2, -1, 4, -1, 6])
    found = truth.rows(truth.zyx_um[:, 1] != 20)
    scored = truth.zyx_um[:, 1] != 40
    judged = evaluate_tracks(found, truth, PARAMS, scored=scored, movement_um=np.ones((found.n, 3)))
    assert judged.movement.links == 1
    assert judged.movement.median_um == pytest.approx(math.sqrt(3))
    assert judged.daughter_movement.links == 0
    assert math.isnan(judged.daughter_movement.p95_um)


def test_without_vectors_nothing_is_said():
    truth = walk(2, 1.0)
    judged = evaluate_tracks(truth, truth, PARAMS)
    assert judged.movement is judged.daughter_movement is None
    assert judged.to_dict()["movement_median_um"] is None


def test_the_figures_are_in_the_result_under_flat_names():
    figures = evaluate_tracks(walk(2, 1.0), walk(2, 1.0), PARAMS, movement_um=np.zeros((4, 3))).to_dict()
    assert figures["movement_links"] == 2
    assert figures["movement_median_um"] == figures["movement_still_p95_um"] == figures["movement_flow_p95_um"] == 1
    assert (figures["daughter_movement_links"], figures["daughter_movement_median_um"]) == (0, None)


def test_vectors_that_do_not_fit_are_refused():
    with pytest.raises(TracksError, match=r"movement vectors do not fit[\s\S]*shape \(3, 3\) for 4 points"):
        evaluate_tracks(walk(2, 1.0), walk(2, 1.0), PARAMS, movement_um=np.zeros((3, 3)))


def test_cells_in_one_place_still_have_eight_neighbours():
    cells = Tracks(np.zeros(12, int), np.zeros((12, 3)), np.arange(12), np.full(12, -1))
    assert find_flow_um(cells, np.ones((12, 3))) == pytest.approx(np.ones((12, 3)))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), n=st.integers(1, 40))
def test_the_flow_is_the_mean_over_the_nearest_others(seed, n):
    rng = np.random.default_rng(seed)
    t, zyx, vectors = rng.integers(0, 2, n), rng.uniform(0, 50, (n, 3)), rng.normal(size=(n, 3))
    cells = Tracks(t, zyx, np.arange(n), np.full(n, -1))
    flow = find_flow_um(cells, vectors)
    for row in range(n):
        others = np.flatnonzero((t == t[row]) & (np.arange(n) != row))
        near = others[np.argsort(np.linalg.norm(zyx[others] - zyx[row], axis=1))[:8]]
        expected = vectors[near].mean(axis=0) if len(near) else np.zeros(3)
        assert flow[row] == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(8))
def test_vectors_of_the_truth_itself_have_no_error(make_scene, seed):
    truth, _ = make_scene(seed, crowded=False)
    parent = truth.parent_row
    vectors = np.where((parent >= 0)[:, None], truth.zyx_um[parent] - truth.zyx_um, 9.0)
    movement = evaluate_tracks(truth, truth, PARAMS, movement_um=vectors).movement
    assert movement.links == 0 or movement.p95_um == pytest.approx(0)
