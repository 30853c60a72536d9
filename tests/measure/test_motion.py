"""Displacements of annotated cells, with and without the drift of the whole image."""

from __future__ import annotations

import numpy as np
import pytest

from morula.core.tracks import Tracks
from morula.measure.motion import Drift, measure_drift, measure_motion


def walk(frames_um: np.ndarray) -> Tracks:
    """Tracks from positions of shape (frames, cells, 3)."""
    frames, cells = frames_um.shape[:2]
    n = frames * cells
    t = np.repeat(np.arange(frames, dtype=np.int32), cells)
    return Tracks(
        t=t, zyx_um=frames_um.reshape(-1, 3), id=np.arange(n), parent_row=np.maximum(np.arange(n) - cells, -1)
    )


def test_motion_is_counted_per_frame_over_links_of_any_length():
    """One cell moves 2 µm in one frame, then 6 µm in three."""
    tracks = Tracks.from_ids([0, 1, 4], [[0, 0, 0], [0, 2, 0], [0, 2, 6]], [1, 2, 3], [-1, 1, 2])
    motion = measure_motion(tracks, [])
    assert (motion.median_um, motion.p95_um, motion.daughters_p90_um) == (2, 2, None)


def test_annotations_without_links_have_no_motion():
    motion = measure_motion(Tracks.from_ids([0, 3], [[0, 0, 0], [0, 2, 0]], [1, 2], [-1, -1]), [])
    assert (motion.p95_um, motion.largest_jump) == (0, None)


def test_daughters_are_measured_apart():
    r"""A cell walks 1 µm per frame and divides; its daughters appear 3 µm to either side.

    0 ── 1 ──┬── 3
             └── 4
    """
    zyx = [[0, 0, 0], [0, 1, 0], [0, 2, 3], [0, 2, -3]]
    motion = measure_motion(Tracks.from_ids([0, 1, 2, 2], zyx, [0, 1, 3, 4], [-1, 0, 1, 1]), [])
    assert motion.daughters_p90_um == pytest.approx(np.hypot(1, 3))
    assert motion.median_um == pytest.approx(np.hypot(1, 3))
    assert motion.sisters_um == (6.0,)


def test_daughters_that_are_not_both_seen_just_born_say_nothing_about_their_distance():
    zyx = [[0, 0, 0], [0, 1, 0], [0, 2, 3], [0, 2, -3], [0, 0, 0], [0, 0, 9]]
    tracks = Tracks.from_ids([0, 1, 2, 3, 0, 1], zyx, [0, 1, 3, 4, 5, 6], [-1, 0, 1, 1, -1, 5])
    assert measure_motion(tracks, []).sisters_um == ()


def test_a_jump_of_all_cells_is_found_and_taken_off():
    rng = np.random.default_rng(0)
    frames = rng.uniform(0, 50, (1, 12, 3)) + rng.normal(0, 0.3, (6, 12, 3))
    frames[4:] += [0, 12, 5]
    motion = measure_motion(walk(frames), [])
    assert motion.largest_jump is not None
    assert motion.largest_jump.t == 3
    assert motion.largest_jump.length_um == pytest.approx(13, abs=0.5)
    assert motion.p95_um > 12
    assert motion.residual_p95_um < 2


def test_too_few_cells_say_nothing_about_the_stage_but_the_image_does():
    rng = np.random.default_rng(0)
    frames = rng.uniform(0, 50, (1, 3, 3)) + rng.normal(0, 0.1, (6, 3, 3))
    frames[4:] += [0, 12, 5]
    assert measure_motion(walk(frames), []).residual_p95_um > 12
    assert measure_motion(walk(frames), [Drift(3, (0.0, 12.0, 5.0))]).residual_p95_um < 1


def test_an_image_drift_that_does_not_fit_the_cells_is_not_taken_off():
    frames = np.zeros((5, 3, 3)) + np.arange(5)[:, None, None]
    motion = measure_motion(walk(frames), [Drift(1, (-4.0, 0.0, 0.0))])
    assert motion.residual_p95_um == motion.p95_um == pytest.approx(np.sqrt(3))


@pytest.mark.parametrize("jump", [(0.0, 0.0, 0.0), (0.0, 5.0, -4.0), (2.5, -6.0, 3.0)])
def test_the_shift_of_an_image_is_found_to_a_fraction_of_a_nucleus(build_scene, jump):
    movie = build_scene(step_um=(0, 0, 0), jump_um=jump).movie
    drift = measure_drift(movie.frame(2), movie.frame(3), 2, 1.5, movie.voxel_size_um)
    np.testing.assert_allclose(drift.shift_um, jump, atol=0.5)
    assert drift.t == 2


def test_constant_frames_do_not_drift():
    flat = np.full((4, 20, 20), 7.0)
    assert measure_drift(flat, flat, 0, 1.5, np.array([2.0, 0.7, 0.7])).length_um == 0
