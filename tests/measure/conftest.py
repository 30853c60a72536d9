"""A tiny movie of moving nuclei with its dense truth, and sparse annotations of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from morula.core.movie import Movie
from morula.core.tracks import Tracks

VOXEL = np.array([2.0, 0.7, 0.7])
SHAPE = (16, 48, 52)
SPACING, WIDTH = 8.0, 1.8
N_FRAMES = 5


@dataclass(frozen=True)
class Scene:
    """A movie, all its nuclei as tracks, and every fourth of them as annotations."""

    movie: Movie
    truth: Tracks
    annotations: Tracks


Build = Callable[..., Scene]


def draw_nuclei(centres_um: np.ndarray) -> np.ndarray:
    """Gaussian nuclei of width WIDTH µm, height 1."""
    grids = [np.arange(n) * h for n, h in zip(SHAPE, VOXEL, strict=True)]
    frame = np.zeros(SHAPE)
    for centre in centres_um:
        z, y, x = (np.exp(-((g - c) ** 2) / 2 / WIDTH**2) for g, c in zip(grids, centre, strict=True))
        frame += z[:, None, None] * y[:, None] * x
    return frame


def lattice_centres() -> np.ndarray:
    """Nuclei about SPACING apart, in disorder, away from the faces."""
    axes = [np.arange(SPACING, (n - 1) * h - SPACING / 2, SPACING) for n, h in zip(SHAPE, VOXEL, strict=True)]
    centres = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    return centres + np.random.default_rng(5).uniform(-0.8, 0.8, centres.shape)


def make_tracks(frames_um: np.ndarray) -> Tracks:
    """Tracks from positions of shape (frames, cells, 3), one track per cell."""
    frames, cells = frames_um.shape[:2]
    return Tracks(
        t=np.repeat(np.arange(frames, dtype=np.int32), cells),
        zyx_um=frames_um.reshape(-1, 3),
        id=np.arange(frames * cells),
        parent_row=np.maximum(np.arange(frames * cells) - cells, -1),
    )


@pytest.fixture(scope="session")
def build_scene() -> Build:
    """Return a function that renders a scene: a step per frame (µm), a jump before frame 3, and noise."""

    def build(*, step_um=(0.0, 0.6, 0.0), jump_um=(0.0, 0.0, 0.0), noise=4.0) -> Scene:
        rng = np.random.default_rng(1)
        moved = [np.array(step_um) * t + (np.array(jump_um) if t >= 3 else 0) for t in range(N_FRAMES)]
        centres = np.stack([lattice_centres() + shift for shift in moved])
        frames = np.stack([200 + 100 * draw_nuclei(c) + rng.normal(0, noise, SHAPE) for c in centres])
        truth = make_tracks(centres)
        cell = np.arange(truth.n) % centres.shape[1]
        return Scene(Movie(frames.astype(np.uint16), VOXEL, name="tiny"), truth, truth.rows(cell % 4 == 0))

    return build


@pytest.fixture(scope="session")
def scene(build_scene) -> Scene:
    """The scene most tests look at."""
    return build_scene()
