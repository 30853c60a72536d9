"""Points to link."""

from __future__ import annotations

import numpy as np
import pytest

from morula.core.detections import Detections


def _detections(*frames: list[list[float]], movement: list[list[float]] | None = None) -> Detections:
    points = [point for frame in frames for point in frame]
    t = [t for t, frame in enumerate(frames) for _ in frame]
    still = np.zeros((len(points), 3)) if movement is None else np.array(movement, float)
    return Detections(
        t=np.array(t, np.int32), zyx_um=np.array(points, float), score=np.ones(len(points)), movement_um=still
    )


@pytest.fixture
def detections():
    """Build detections from one list of positions per frame."""
    return _detections


@pytest.fixture(scope="session")
def tissue():
    """Positions of 300 cells in a packed tissue, spacing about 9 µm."""
    rng = np.random.default_rng(11)
    grid = np.stack(np.meshgrid(*[np.arange(7)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)[:300] * 9.0
    return grid + rng.normal(0, 1.5, grid.shape)
