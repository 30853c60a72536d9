from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from morula.core.movie import Movie
from morula.core.tracks import Tracks
from morula.errors import ChunkError
from morula.network.intensity import IntensityRange
from morula.network.prediction import Prediction
from morula.network.spec import NetworkSpec
from morula.train.params import TrainParams
from morula.train.sampling import FrameReader
from morula.train.validate import validate_network

VOXEL = (2.0, 1.0, 1.0)
SPEC = NetworkSpec(voxel_size_um=VOXEL, stem_stride=(1, 2, 2), downsampling=((1, 2, 2),), channels=(4, 4))
PARAMS = TrainParams(crop_outputs=(8, 10, 10), threads=1)
STEP = np.array([0.0, 2.0, -1.0])
FRAMES = 4


class Pooled(nn.Module):
    """Calls brightness the indicator; the movement is the same everywhere."""

    def __init__(self, movement_um) -> None:
        super().__init__()
        self.movement = nn.Parameter(torch.tensor(movement_um, dtype=torch.float32).reshape(1, 3, 1, 1, 1))

    def forward(self, frames: torch.Tensor) -> Prediction:
        indicator = (frames[:, 1] ** 2).clamp(1e-6, 1 - 1e-6)
        coarse = functional.avg_pool3d(frames[:, 1:2], SPEC.vector_stride).shape[2:]
        return Prediction(torch.logit(indicator), self.movement.expand(-1, -1, *coarse), None)


@pytest.fixture(scope="module")
def scene() -> tuple[np.ndarray, Tracks]:
    """Two Gaussians that move by the same step each frame, one near a corner of the movie."""
    shape, start = (8, 40, 40), np.array([[8.0, 10.0, 30.0], [1.0, 30.0, 8.0]])
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1) * VOXEL
    centres = start + np.arange(FRAMES).reshape(-1, 1, 1) * STEP
    squared = ((grid - centres[:, :, None, None, None]) ** 2).sum(axis=-1)
    tzyx = (0.9 * np.exp(-squared / (2 * 2.5**2))).max(axis=1).astype(np.float32)
    ids = np.arange(2 * FRAMES).reshape(FRAMES, 2)
    parents = np.vstack([[[-1, -1]], ids[:-1]])
    tracks = Tracks.from_ids(np.repeat(np.arange(FRAMES), 2), centres.reshape(-1, 3), ids.ravel(), parents.ravel())
    return tzyx, tracks


def _validate(tzyx, tracks, movement_um):
    reader = FrameReader(Movie(tzyx, VOXEL), IntensityRange(0.0, 1.0))
    return validate_network(Pooled(movement_um), SPEC, reader, tracks, PARAMS)


def test_a_network_that_is_right_has_full_recall_and_vectors_as_good_as_its_voxels(scene) -> None:
    """The vector is asked for at the true centre, read at the nearest working voxel: a constant one is off by that."""
    result = _validate(*scene, -STEP)
    assert result.recall == 1.0
    assert result.movement_um <= np.linalg.norm([1.0, 1.0, 1.0])  # half a working voxel of 2 µm on each axis
    assert result.no_motion_um == pytest.approx(np.linalg.norm(STEP))


def test_vectors_are_judged_by_their_distance_from_the_truth(scene) -> None:
    off = _validate(*scene, -STEP + [0.0, 0.0, 10.0])
    assert off.movement_um == pytest.approx(10.0, abs=1.8)


def test_the_vector_is_read_at_the_nearest_voxel_and_counted_from_the_point(scene) -> None:
    """The point lies beside the centre (8, 10.5, 30.5) of its voxel, and so does the tip of its vector."""
    beside = np.array([0.4, 0.3, -0.7])
    point = np.array([8.0, 10.5, 30.5]) + beside
    pair = Tracks.from_ids([0, 1], [point - STEP, point], [1, 2], [-1, 1])
    result = _validate(scene[0], pair, -STEP)
    assert result.movement_um == pytest.approx(np.linalg.norm(beside), abs=1e-5)
    assert _validate(scene[0], pair, -STEP + beside).movement_um == pytest.approx(0.0, abs=1e-5)


def test_points_without_a_peak_nearby_are_not_found(scene) -> None:
    tzyx, tracks = scene
    blind = np.where(np.arange(40) < 20, tzyx, 0.0).astype(np.float32)  # the nucleus at x ≥ 27 is gone
    assert _validate(blind, tracks, -STEP).recall == 0.5
    assert _validate(0.2 * tzyx, tracks, -STEP).recall == 0.0


def test_roots_and_skipped_frames_have_no_movement_to_judge(scene) -> None:
    tzyx, tracks = scene
    roots = _validate(tzyx, tracks.rows(tracks.t == 2), -STEP)
    assert roots.recall == 1.0
    assert math.isnan(roots.movement_um)
    assert math.isnan(roots.no_motion_um)


def test_nothing_held_out_says_nothing(scene) -> None:
    result = _validate(scene[0], Tracks.from_ids([], [], [], []), -STEP)
    assert all(map(math.isnan, (result.recall, result.movement_um, result.no_motion_um)))


def test_points_whose_pixels_cannot_be_read_are_left_out(scene) -> None:
    tzyx, tracks = scene

    class Torn:
        shape, dtype = tzyx.shape, tzyx.dtype

        def __getitem__(self, box):
            if box[0].stop > 3:
                raise ChunkError("frame 3 is damaged.")
            return np.where(np.arange(40) < 20, tzyx[box], 0.0)

    assert _validate(Torn(), tracks, -STEP).recall == 0.5  # of the four points in frames 0 and 1


def test_at_most_sixty_points_are_looked_at_evenly_spread(scene, monkeypatch) -> None:
    looked = []
    read = FrameReader.read
    monkeypatch.setattr(FrameReader, "read", lambda self, t, *box: (looked.append(t), read(self, t, *box))[1])
    many = np.arange(400)
    zyx = np.tile([8.0, 20.0, 20.0], (400, 1))
    movie = np.broadcast_to(scene[0][:1], (400, 8, 40, 40))
    _validate(movie, Tracks.from_ids(many, zyx, many, np.full(400, -1)), -STEP)
    assert len(looked) == 3 * 60
    assert {0, 399} <= set(looked[1::3])
