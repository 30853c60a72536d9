"""Training on a movie that jumps: the crops show the jump taken off, and so do the targets."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from morula.core.drift import MovieDrift
from morula.core.movie import Movie
from morula.core.tracks import Tracks
from morula.network.intensity import IntensityRange
from morula.network.prediction import Prediction
from morula.network.spec import NetworkSpec
from morula.train.labels import annotation_labels
from morula.train.params import TrainParams
from morula.train.sampling import CropSampler, FrameReader
from morula.train.validate import validate_network

VOXEL = np.array([2.0, 1.0, 1.0])
SPEC = NetworkSpec(voxel_size_um=(2.0, 1.0, 1.0), stem_stride=(1, 2, 2), downsampling=((1, 2, 2),), channels=(4, 4))
UNIT = IntensityRange(0.0, 1.0)
STEPS = np.array([[0, 0, 0], [1, -6, 9], [0, 0, 0], [-1, 6, -9]])
PLAIN = TrainParams(
    noise=0.0, intensity_change=0.0, frame_shift_um=0.0, batch_size=2, crop_outputs=(6, 10, 10), threads=1
)


@pytest.fixture(scope="module")
def jumping() -> tuple[np.ndarray, Tracks]:
    """A still scene through a window that jumps away and back, and three of its points."""
    scene = np.random.default_rng(0).random((22, 90, 90)).astype(np.float32)
    place = np.cumsum(STEPS, axis=0)  # where the scene lies in each frame
    corners = np.array([2, 10, 10]) - place
    frames = [scene[z : z + 16, y : y + 64, x : x + 64] for z, y, x in corners]
    points = np.array([[8, 32, 32], [7, 28, 34], [9, 35, 28]])
    ids = np.arange(12).reshape(4, 3)
    parents = np.vstack([[[-1] * 3], ids[:-1]])
    zyx = (points + place[:, None]) * VOXEL
    t = np.repeat(np.arange(4), 3)
    return np.stack(frames), Tracks.from_ids(t, zyx.reshape(-1, 3), ids.ravel(), parents.ravel())


def reader_of(tzyx: np.ndarray, *, steady: bool) -> FrameReader:
    return FrameReader(Movie(tzyx, VOXEL, drift=MovieDrift(STEPS, VOXEL) if steady else None), UNIT)


@pytest.mark.parametrize("warp_share", [0.0, 1.0])
def test_all_frames_of_a_crop_show_the_same_place_and_no_point_has_moved(jumping, warp_share) -> None:
    tzyx, tracks = jumping
    labels = annotation_labels(tracks.rows(tracks.t < 2))
    params = TrainParams(**{**vars(PLAIN), "warp_share": warp_share, "elastic_um": 0.0})
    moved = {True: [], False: []}
    for steady in (True, False):
        sampler = CropSampler(reader_of(tzyx, steady=steady), labels, SPEC, params)
        for iteration in range(6):
            for crop, target in zip(*sampler.draw_batch(iteration), strict=True):
                inner = crop.numpy()
                alike = np.abs(inner[0] - inner[1]).mean() < 0.02
                if target.moving.any():
                    here = np.linalg.norm(target.movement_um[:, target.moving], axis=0).min()
                    moved[steady].append(bool(alike))
                    assert (here < 3) == alike, "vectors and pixels tell the same"
    assert all(moved[True])
    assert not any(moved[False])


class Still(nn.Module):
    """Predicts no motion anywhere; notes what it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.nothing = nn.Parameter(torch.zeros(1))
        self.shown: list[torch.Tensor] = []

    def forward(self, frames: torch.Tensor) -> Prediction:
        self.shown.append(frames[0].numpy())
        coarse = [n // s for n, s in zip(frames.shape[2:], SPEC.vector_stride, strict=True)]
        return Prediction(frames[:, 1], torch.zeros(1, 3, *coarse), None)


@pytest.mark.parametrize("steady", [True, False])
def test_validation_adds_the_shift_back_to_the_vectors(jumping, steady) -> None:
    """No motion is right once the jumps are taken off (but for half an output voxel); it is far off otherwise."""
    tzyx, tracks = jumping
    network = Still()
    jumps = tracks.rows(np.isin(tracks.t, [0, 1]))
    result = validate_network(network, SPEC, reader_of(tzyx, steady=steady), jumps, PLAIN)
    assert result.no_motion_um == pytest.approx(np.linalg.norm(STEPS[1] * VOXEL))
    assert (result.movement_um < 2.0) == steady
    assert result.movement_um > 9 or steady
    same = [np.abs(shown[0] - shown[1]).max() < 1e-6 for shown in network.shown[3:]]
    assert all(same) if steady else not any(same)


def test_without_a_shift_crops_are_those_of_a_movie_whose_drift_nobody_measured(jumping) -> None:
    tzyx, tracks = jumping
    none = MovieDrift.none(4, VOXEL)
    readers = [FrameReader(Movie(tzyx, VOXEL, drift=drift), UNIT) for drift in (None, none)]
    batches = [CropSampler(reader, annotation_labels(tracks), SPEC, PLAIN).draw_batch(3) for reader in readers]
    assert torch.equal(batches[0][0], batches[1][0])
    for one, other in zip(batches[0][1], batches[1][1], strict=True):
        assert np.array_equal(one.movement_um, other.movement_um)
