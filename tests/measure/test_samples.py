"""Samples are few, inside the movie, and of bounded size."""

from __future__ import annotations

import numpy as np
import pytest

from morula.core.movie import Movie
from morula.measure import samples
from morula.measure.samples import choose_box, choose_frames, find_inside, read_samples


def test_few_frames_are_chosen_from_the_first_to_the_last():
    frames = choose_frames(np.repeat(np.arange(3, 100), 2))
    assert len(frames) == 8
    assert (frames[0], frames[-1]) == (3, 99)
    assert choose_frames(np.array([5, 1, 5])) == [1, 5]


def test_points_beyond_the_faces_or_the_last_frame_are_outside():
    movie = Movie(np.zeros((2, 3, 5, 5)), np.array([2.0, 1.0, 1.0]))
    t = np.array([0, 1, 2, 0, 0])
    zyx_um = np.array([[0, 0, 0], [5.0, 4.4, 4], [0, 0, 0], [0, 4.6, 0], [-1.2, 0, 0]])
    assert find_inside(movie, t, zyx_um).tolist() == [True, True, False, False, False]


def test_a_sample_holds_its_points_relative_to_its_box(scene, monkeypatch):
    monkeypatch.setattr(samples, "_MOST_VOXELS", scene.movie.tzyx[0].size // 4)
    t, zyx_um = scene.truth.t, scene.truth.zyx_um
    (sample,) = read_samples(scene.movie, t, zyx_um, [2])
    assert 0.1 < sample.share <= 0.26
    assert 0 < len(sample.points_um) < (t == 2).sum()
    absolute = sample.points_um + sample.start_vox * scene.movie.voxel_size_um
    nearest = np.abs(absolute[:, None] - zyx_um[t == 2]).max(axis=2).min(axis=1)
    np.testing.assert_allclose(nearest, 0, atol=1e-9)
    brightness = [sample.pixels[tuple(np.rint(p / scene.movie.voxel_size_um).astype(int))] for p in sample.points_um]
    assert np.median(brightness) > 250


@pytest.mark.parametrize("at", [(0.0, 0.0, 0.0), (30.0, 32.0, 35.0)])
def test_a_box_at_a_corner_stays_inside_the_frame(scene, monkeypatch, at):
    monkeypatch.setattr(samples, "_MOST_VOXELS", 5000)
    start, size = choose_box(scene.movie, np.array([at]))
    assert np.prod(size) <= 5000
    assert (start >= 0).all()
    assert (start + size <= scene.movie.shape[1:]).all()
