"""Small movies of drifting blobs, with their tracks; settings that train in a second."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from morula.core.movie import Movie
from morula.core.tracks import Tracks
from morula.train.params import TrainParams

MakeDrift = Callable[..., tuple[Movie, Tracks]]


def _draw_frame(shape, voxel, centres, sigma_um) -> np.ndarray:
    axes = [np.arange(n) * v for n, v in zip(shape, voxel, strict=True)]
    frame = np.zeros(shape)
    for centre in centres:
        profiles = [np.exp(-((axis - c) ** 2) / (2 * sigma_um**2)) for axis, c in zip(axes, centre, strict=True)]
        frame += profiles[0][:, None, None] * profiles[1][:, None] * profiles[2]
    return frame


def _place(rng: np.random.Generator, extent, spacing: float) -> np.ndarray:
    """Positions in a box, no two closer than the spacing."""
    placed: list[np.ndarray] = []
    for point in rng.uniform(0, extent, (4000, 3)):
        if all(np.linalg.norm(point - other) >= spacing for other in placed):
            placed.append(point)
    return np.array(placed)


@pytest.fixture(scope="session")
def make_drift() -> MakeDrift:
    """Build a movie of Gaussian blobs that all move by `drift_um` per frame, and the tracks of those inside."""

    def make(*, drift_um=(0.0, 2.0, 0.0), shape=(6, 8, 32, 32), voxel_um=(2.0, 1.0, 1.0), sigma_um=1.5, seed=0):
        rng, frames = np.random.default_rng(seed), shape[0]
        extent = (np.array(shape[1:]) - 1) * voxel_um
        start = _place(rng, extent + frames * np.abs(drift_um), 8.0) - frames * np.maximum(drift_um, 0)
        t, row = np.meshgrid(np.arange(frames), np.arange(len(start)), indexing="ij")
        zyx = start[row] + t[..., None] * np.array(drift_um)
        pixels = [
            1000 * _draw_frame(shape[1:], voxel_um, zyx[i], sigma_um) + rng.normal(100, 10, shape[1:])
            for i in range(frames)
        ]
        inside = ((zyx >= 0) & (zyx <= extent)).all(axis=-1)
        ids = t * len(start) + row
        follows = inside[1:] & inside[:-1]
        parent = np.full(ids.shape, -1)
        parent[1:][follows] = ids[:-1][follows]
        tracks = Tracks.from_ids(t[inside], zyx[inside], ids[inside], parent[inside])
        return Movie(np.stack(pixels).astype(np.float32), voxel_um, name="drift"), tracks

    return make


@pytest.fixture(scope="session")
def drift(make_drift) -> tuple[Movie, Tracks]:
    """A movie of blobs that drift by 2 µm per frame along y, and their tracks."""
    return make_drift()


@pytest.fixture(scope="session")
def quick() -> TrainParams:
    """A few steps on tiny crops."""
    return TrainParams(iterations=30, batch_size=1, crop_outputs=(4, 8, 8), validations=2, threads=1)
