"""One threshold for the blobs of a movie, from samples, without annotations."""

from __future__ import annotations

import numpy as np
import pytest

from morula.core.movie import Movie
from morula.measure import samples
from morula.measure.blobs import measure_blob_search
from morula.peaks.blobs import find_blobs
from morula.peaks.scale import split_blob_responses

VOXEL = np.array([2.0, 1.0, 1.0])
SIGMA = 2.0


@pytest.fixture
def tzyx() -> np.ndarray:
    """Twelve frames of noise around 100 and 25 nuclei 400 bright."""
    rng = np.random.default_rng(1)
    grid = np.stack(np.meshgrid(np.arange(16), np.arange(60), np.arange(60), indexing="ij"), axis=-1) * VOXEL
    frame = rng.normal(100, 5, grid.shape[:3])
    for y in range(6, 60, 12):
        for x in range(6, 60, 12):
            frame += 400 * np.exp(-((grid - [15, y, x]) ** 2).sum(axis=-1) / (2 * 2.4**2))
    return np.clip(frame + rng.normal(0, 5, (12, *frame.shape)), 0, 65535).astype(np.uint16)


def test_the_threshold_parts_noise_from_nuclei(tzyx: np.ndarray) -> None:
    search = measure_blob_search(Movie(tzyx, VOXEL), sigma_um=SIGMA, window_um=None)
    for frame in tzyx[::5]:
        look = {"sigma_um": SIGMA, "voxel_size_um": VOXEL, "window_um": search.reach_um}
        assert find_blobs(frame, threshold=search.threshold, **look).n == 25
        assert find_blobs(frame, threshold=0.0, **look).n > 50
    assert search.filling == pytest.approx(np.median(tzyx), abs=1)


def test_whole_frames_are_sampled_where_they_are_small(tzyx: np.ndarray) -> None:
    search = measure_blob_search(Movie(tzyx, VOXEL), sigma_um=SIGMA, window_um=3.0)
    responses = [
        find_blobs(tzyx[t], sigma_um=SIGMA, voxel_size_um=VOXEL, threshold=0.0, window_um=3.0).response
        for t in np.linspace(0, 11, 8).round().astype(int)
    ]
    assert search.threshold == split_blob_responses(np.concatenate(responses))


def test_of_large_frames_the_middle_is_sampled(tzyx: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "_MOST_VOXELS", 16 * 30 * 30)
    middle = Movie(tzyx[:, :, 14:44, 14:44], VOXEL)
    whole = measure_blob_search(Movie(tzyx, VOXEL), sigma_um=SIGMA, window_um=3.0)
    assert whole == measure_blob_search(middle, sigma_um=SIGMA, window_um=3.0)


def test_nothing_outside_the_mask_counts(tzyx: np.ndarray) -> None:
    mask = np.ones(tzyx.shape, np.uint8)
    mask[..., 30:] = 0
    bright = tzyx.copy()
    bright[..., 40:] *= 30
    masked = measure_blob_search(Movie(bright, VOXEL, mask_tzyx=mask), sigma_um=SIGMA, window_um=3.0)
    alone = measure_blob_search(Movie(tzyx, VOXEL, mask_tzyx=mask), sigma_um=SIGMA, window_um=3.0)
    assert masked.threshold == alone.threshold


def test_a_movie_without_structure_has_a_threshold_of_zero() -> None:
    search = measure_blob_search(Movie(np.full((2, 4, 8, 8), 7, np.uint8), VOXEL), sigma_um=1.5, window_um=None)
    assert (search.threshold, search.filling) == (0.0, 7.0)
