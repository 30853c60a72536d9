"""The drift of a movie: what is read, what is left out, and going on after an interruption."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from morula.core.movie import Movie
from morula.errors import ChunkError
from morula.measure.params import DriftParams
from morula.measure.stabilise import choose_boxes, measure_movie_drift

SIGMA = 1.5
JUMP = (0.0, 5.6, -4.2)


class Counting:
    """Pixels that count the voxels read, some frames of which cannot be read."""

    def __init__(self, tzyx, broken=()):
        self.tzyx, self.broken, self.read, self.dtype = tzyx, broken, [], tzyx.dtype
        self.shape = tzyx.shape

    def __getitem__(self, box):
        if box[0].start in self.broken:
            raise ChunkError(f"frame {box[0].start} cannot be decoded.")
        self.read.append(box[0].start)
        return self.tzyx[box]


@pytest.fixture(scope="module")
def jumping(build_scene):
    return build_scene(step_um=(0.0, 0.3, 0.0), jump_um=JUMP).movie


def broken(movie: Movie, frames) -> Movie:
    return Movie(Counting(np.asarray(movie.tzyx), frames), movie.voxel_size_um)


def test_the_jump_is_found_and_every_other_frame_has_exactly_none(jumping):
    drift = measure_movie_drift(jumping, DriftParams(), sigma_um=SIGMA)
    assert drift.shifted_frames.tolist() == [3]
    assert drift.step_um[3] == pytest.approx(np.add(JUMP, (0, 0.3, 0)), abs=0.8)


def test_a_movie_that_stands_still_has_no_drift(scene):
    assert measure_movie_drift(scene.movie, DriftParams(), sigma_um=SIGMA).to_plain() == {}


def test_two_frames_are_enough(jumping):
    two = Movie(np.asarray(jumping.tzyx)[2:4], jumping.voxel_size_um)
    assert measure_movie_drift(two, DriftParams(), sigma_um=SIGMA).shifted_frames.tolist() == [1]


def test_one_frame_has_no_drift(jumping):
    one = Movie(np.asarray(jumping.tzyx)[:1], jumping.voxel_size_um)
    assert measure_movie_drift(one, DriftParams(), sigma_um=SIGMA).n_frames == 1


@pytest.mark.parametrize("frame", [2, 3])
def test_beside_a_frame_that_cannot_be_read_there_is_no_drift_and_a_warning(jumping, frame, caplog):
    with caplog.at_level(logging.WARNING):
        drift = measure_movie_drift(broken(jumping, [frame]), DriftParams(), sigma_um=SIGMA)
    assert drift.to_plain() == {}
    assert f"no drift is measured at frame {frame}" in caplog.text


def test_an_unreadable_frame_elsewhere_does_not_hide_the_jump(jumping):
    drift = measure_movie_drift(broken(jumping, [0]), DriftParams(), sigma_um=SIGMA)
    assert drift.shifted_frames.tolist() == [3]


def test_blank_frames_have_no_drift(jumping):
    pixels = np.asarray(jumping.tzyx).copy()
    pixels[2] = 0
    drift = measure_movie_drift(Movie(pixels, jumping.voxel_size_um), DriftParams(), sigma_um=SIGMA)
    assert drift.to_plain() == {}


@pytest.mark.parametrize("done", [0, 1, 2, 3, 4, 5])
def test_an_interrupted_measurement_goes_on_and_ends_alike(jumping, done):
    kept = []
    whole = measure_movie_drift(jumping, DriftParams(), sigma_um=SIGMA, keep=kept.append)
    assert [len(steps) for steps in kept] == [1, 2, 3, 4, 5]
    rest = broken(jumping, [])
    again = measure_movie_drift(rest, DriftParams(), sigma_um=SIGMA, done_um=kept[done - 1] if done else None)
    assert again.step_vox.tolist() == whole.step_vox.tolist()
    assert rest.tzyx.read == list(range(max(done - 1, 0), 5)), "only the last one is read again"


def test_a_large_frame_is_read_in_part_and_each_part_once(jumping):
    movie = broken(jumping, [])
    voxels = np.prod(movie.shape[1:])
    params = DriftParams(frame_megavoxels=0.6 * voxels / 1e6, max_shift_um=8.0)
    boxes = choose_boxes(movie, params)
    assert sum(int(np.prod(size)) for _, size in boxes) <= 0.6 * voxels
    drift = measure_movie_drift(movie, params, sigma_um=SIGMA)
    assert len(movie.tzyx.read) == movie.n_frames * len(boxes)
    assert drift.shifted_frames.tolist() == [3]


@pytest.mark.parametrize(
    ("shape", "voxel"),
    [((988, 2048, 2169), (2.0, 0.4, 0.4)), ((60, 2048, 2048), (5.0, 0.2, 0.2)), ((1, 9000, 9000), (1.0, 1.0, 1.0))],
)
def test_boxes_of_a_huge_frame_lie_inside_it_apart_and_within_the_budget(shape, voxel):
    class Huge:
        dtype = np.dtype(np.uint16)

    Huge.shape = (3, *shape)
    movie = Movie(Huge(), np.array(voxel))
    boxes = choose_boxes(movie, DriftParams())
    assert 0.3 * 64e6 < sum(float(np.prod(size)) for _, size in boxes) <= 64e6
    for start, size in boxes:
        assert (start >= 0).all()
        assert (start + size <= shape).all()
    apart = [(np.abs(a - b) >= size).any() for i, (a, size) in enumerate(boxes) for b, _ in boxes[i + 1 :]]
    assert all(apart)
