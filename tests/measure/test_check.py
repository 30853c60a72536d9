"""Annotations that cannot belong to the movie are refused for the true reason."""

from __future__ import annotations

import numpy as np
import pytest

from morula.core.movie import Movie
from morula.core.tracks import Tracks
from morula.errors import AnnotationError
from morula.measure.check import check_annotations
from morula.measure.evidence import list_readings, measure_fit

AWAY = np.array([0.0, 0.0, 25.0])


def replaced(tracks: Tracks, *, zyx_um=None, t=None) -> Tracks:
    return Tracks(
        t=tracks.t if t is None else t,
        zyx_um=tracks.zyx_um if zyx_um is None else zyx_um,
        id=tracks.id,
        parent_row=tracks.parent_row,
    )


def test_annotations_of_the_movie_pass_in_silence(scene, caplog):
    for role in ("training", "validation", "truth"):
        check_annotations(scene.movie, scene.annotations, role=role)
    assert caplog.text == ""


def test_voxels_in_the_place_of_um_are_named_as_the_cause(scene):
    movie = scene.movie
    points = replaced(scene.annotations, zyx_um=scene.annotations.zyx_um / movie.voxel_size_um)
    with pytest.raises(AnnotationError, match="points lie outside tiny") as caught:
        check_annotations(movie, points)
    assert "voxels in the order z, y, x" in caught.value.cause
    assert "multiply z, y, x by the voxel size (2.0, 0.7, 0.7)" in caught.value.fix


def test_voxels_that_happen_to_fall_inside_are_seen_by_the_image(scene):
    inside = (scene.annotations.zyx_um[:, 1:] < 23).all(axis=1)
    points = scene.annotations.rows(inside)
    points = replaced(points, zyx_um=points.zyx_um / scene.movie.voxel_size_um)
    assert points.n >= 10
    with pytest.raises(AnnotationError, match="would if read as voxels") as caught:
        check_annotations(scene.movie, points)
    assert "chance: 10%" in caught.value.measured


def test_nanometres_are_named_as_the_cause(scene):
    with pytest.raises(AnnotationError, match="lie outside tiny") as caught:
        check_annotations(scene.movie, replaced(scene.annotations, zyx_um=scene.annotations.zyx_um * 1000))
    assert caught.value.fix == "divide the positions by 1000"


def test_a_single_lineage_off_the_nuclei_is_warned_about_not_refused(scene, caplog):
    """Its few places may fit another reading by chance."""
    one = scene.annotations.rows(scene.annotations.lineage_id() == 0)
    one = replaced(one, zyx_um=one.zyx_um / scene.movie.voxel_size_um)
    check_annotations(scene.movie, one, role="validation")
    assert "validation annotations: only 0 % of the points" in caplog.text


def test_axes_in_the_order_of_other_programs_are_named_as_the_cause(scene):
    movie = Movie(np.asarray(scene.movie.tzyx)[:, :, :, :30], scene.movie.voxel_size_um, name="narrow")
    points = scene.annotations.rows(scene.annotations.zyx_um[:, 2] < 20)
    points = replaced(points, zyx_um=points.zyx_um[:, ::-1])
    with pytest.raises(AnnotationError, match="lie outside narrow") as caught:
        check_annotations(movie, points)
    assert "x, y, z" in caught.value.cause
    assert caught.value.fix == "exchange the columns z and x"


def test_points_of_another_place_are_an_error_with_both_extents(scene):
    with pytest.raises(AnnotationError, match="points lie outside tiny") as caught:
        check_annotations(scene.movie, replaced(scene.annotations, zyx_um=scene.annotations.zyx_um + AWAY))
    assert "from 0 to (30, 32.9, 35.7) µm" in caught.value.measured
    assert "another movie" in caught.value.cause


def test_frames_counted_from_one_are_recognised(scene):
    with pytest.raises(AnnotationError, match="frames tiny does not have") as caught:
        check_annotations(scene.movie, replaced(scene.annotations, t=scene.annotations.t + 1))
    assert "counted from 1" in caught.value.cause


def test_frames_beyond_a_shorter_movie_are_an_error(scene):
    short = Movie(np.asarray(scene.movie.tzyx)[:3], scene.movie.voxel_size_um, name="short")
    with pytest.raises(AnnotationError, match=r"points lie in frames short does not have") as caught:
        check_annotations(short, scene.annotations)
    assert "frames 0 to 2, the annotations reach from 0 to 4" in caught.value.measured


@pytest.mark.parametrize("n", [0, 9])
def test_too_few_points_to_learn_from_are_an_error(scene, n):
    few = scene.annotations.rows(np.arange(scene.annotations.n) < n)
    with pytest.raises(AnnotationError, match="fewer than can be learned from"):
        check_annotations(scene.movie, few)


def test_points_without_any_link_cannot_train_but_may_validate(scene, caplog):
    loose = Tracks(
        t=scene.annotations.t,
        zyx_um=scene.annotations.zyx_um,
        id=scene.annotations.id,
        parent_row=np.full(scene.annotations.n, -1),
    )
    with pytest.raises(AnnotationError, match="0 links are fewer than can be learned from"):
        check_annotations(scene.movie, loose)
    check_annotations(scene.movie, loose, role="validation")
    assert "validation annotations have no links" in caplog.text


def test_an_empty_validation_set_is_an_error(scene):
    with pytest.raises(AnnotationError, match="validation annotations: there is no point"):
        check_annotations(scene.movie, scene.annotations.rows(np.zeros(scene.annotations.n, bool)), role="validation")


def test_points_between_the_nuclei_are_warned_about(scene, caplog):
    rng = np.random.default_rng(0)
    noise = Movie(rng.normal(100, 5, scene.movie.shape).astype(np.float32), scene.movie.voxel_size_um, name="empty")
    check_annotations(noise, scene.annotations)
    assert "of the points lie on bright blobs of empty" in caplog.text


def test_readings_that_do_not_differ_or_fit_any_movie_are_left_out(scene):
    cubic = Movie(np.zeros((5, 40, 40, 40)), np.ones(3))
    names = [reading.name for reading in list_readings(cubic, scene.annotations)]
    assert names == ["µm in the order z, y, x", "µm in the order x, y, z"]


def test_points_on_nuclei_fit_and_others_do_not(scene):
    given, voxels = list_readings(scene.movie, scene.annotations)[:2]
    assert measure_fit(scene.movie, scene.annotations, given) > 0.95
    assert measure_fit(scene.movie, scene.annotations, voxels) < 0.5
