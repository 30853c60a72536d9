"""Tiny frames of Gaussian blobs with known centres."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

Render = Callable[..., np.ndarray]


@pytest.fixture(scope="session")
def render() -> Render:
    """Draw Gaussian blobs (µm) on a grid: render(shape, voxel_um, centres_um, sigma_um, heights=1) -> float32 zyx."""

    def render(shape, voxel_um, centres_um, sigma_um, heights=1.0) -> np.ndarray:
        sigma = np.broadcast_to(sigma_um, 3)
        grids = [np.arange(n) * h for n, h in zip(shape, voxel_um, strict=True)]
        frame = np.zeros(shape)
        for centre, height in zip(centres_um, np.broadcast_to(heights, len(centres_um)), strict=True):
            z, y, x = (np.exp(-((g - c) ** 2) / 2 / s**2) for g, c, s in zip(grids, centre, sigma, strict=True))
            frame += height * z[:, None, None] * y[:, None] * x
        return frame.astype(np.float32)

    return render
