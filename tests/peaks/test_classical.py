"""The blob baseline on tiny movies: every nucleus of every frame, lazily, inside the mask."""

from __future__ import annotations

import numpy as np
import pytest

from morula.core.movie import Movie
from morula.peaks.classical import detect_blobs

VOXEL = np.array([2.0, 0.5, 0.5])
SHAPE = (12, 44, 48)
CENTRES = np.array([[6.0, 6.0, 6.0], [16.0, 8.0, 16.0], [10.0, 16.0, 12.0]])
STEP = np.array([0.0, 0.0, 0.5])


class FramesReadOneByOne:
    """A lazy movie that counts reads and refuses more than one frame at once."""

    def __init__(self, frames: np.ndarray) -> None:
        self.frames, self.reads = frames, 0
        self.shape, self.dtype = frames.shape, frames.dtype

    def __getitem__(self, box):
        assert box[0].stop - box[0].start == 1
        self.reads += 1
        return self.frames[box]


@pytest.fixture
def frames(render) -> np.ndarray:
    """Four frames of three nuclei that move 0.5 µm per frame along x, with noise."""
    noise = np.random.default_rng(0).normal(0, 6, (4, *SHAPE))
    drawn = [100 * render(SHAPE, VOXEL, CENTRES + t * STEP, 1.8, heights=[1, 0.6, 1.4]) for t in range(4)]
    return np.clip(np.stack(drawn) + noise + 200, 0, 65535).astype(np.uint16)


def test_every_nucleus_of_every_frame_is_found_once_without_a_threshold(frames):
    lazy = FramesReadOneByOne(frames)
    heard = []
    found = detect_blobs(Movie(lazy, VOXEL), sigma_um=1.5, progress=heard.append)
    assert np.bincount(found.t).tolist() == [3, 3, 3, 3]
    for t in range(4):
        expected = CENTRES[np.argsort(CENTRES[:, 0])] + t * STEP
        np.testing.assert_allclose(found.zyx_um[found.frame(t)], expected, atol=0.3)
    assert [event.done for event in heard] == [1, 2, 3, 4]
    assert lazy.reads == 8


def test_scores_lie_between_zero_and_one_and_follow_brightness(frames):
    found = detect_blobs(Movie(frames, VOXEL), sigma_um=1.5)
    assert 0 < found.score.min() < 0.6
    assert found.score.max() == 1
    assert not found.movement_um.any()


def test_a_higher_threshold_leaves_the_faintest_out(frames):
    found = detect_blobs(Movie(frames, VOXEL), sigma_um=1.5, threshold=40)
    assert np.bincount(found.t).tolist() == [2, 2, 2, 2]


def test_blobs_outside_the_mask_are_left_out(frames):
    mask = np.ones(frames.shape, np.uint8)
    mask[:, :, :, 24:] = 0
    found = detect_blobs(Movie(frames, VOXEL, mask_tzyx=mask), sigma_um=1.5)
    assert (found.zyx_um[:, 2] < 12).all()
    assert 4 <= found.n < 12


def test_an_empty_movie_has_no_detections():
    found = detect_blobs(Movie(np.full((2, 4, 8, 8), 7, np.uint8), VOXEL), sigma_um=1.5)
    assert found.n == 0


def test_voxels_that_are_not_finite_are_named_in_a_warning(frames, caplog):
    broken = frames.astype(np.float32)
    broken[2, 0, 0, :5] = np.nan
    found = detect_blobs(Movie(broken, VOXEL), sigma_um=1.5, threshold=20)
    assert np.bincount(found.t).tolist() == [3, 3, 3, 3]
    assert "frame 2: 5 voxels are not finite" in caplog.text
