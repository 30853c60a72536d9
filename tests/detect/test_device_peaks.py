"""Peaks found by torch are those found by numpy: bit for bit on values with many ties, and on numbers that are none."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from morula.core.movie import Movie
from morula.detect import places
from morula.detect.device_peaks import find_device_peaks
from morula.detect.params import DetectParams
from morula.detect.plan import plan_blocks
from morula.detect.predict import detect_block
from morula.peaks.maxima import find_peaks

VOXEL = (2.0, 0.5, 1.0)
tied = st.sampled_from([0.0, 1.0, 1.0, 2.0, 3.5, -np.inf, np.nan])
windows = st.tuples(*[st.sampled_from([0.4, 0.5, 1.0, 2.0, 2.5, 6.0])] * 3)


def _assert_same(volume, **how) -> None:
    expected, found = find_peaks(volume, **how), find_device_peaks(torch.from_numpy(volume), **how)
    assert found.voxel.tolist() == expected.voxel.tolist()
    assert found.value.tobytes() == expected.value.tobytes()
    assert np.allclose(found.refined_vox, expected.refined_vox, rtol=0, atol=1e-12)


@settings(max_examples=150, deadline=None)
@given(
    hnp.arrays(np.float32, hnp.array_shapes(min_dims=3, max_dims=3, max_side=9), elements=tied),
    windows,
    st.integers(-1, 3),
    st.tuples(*[st.integers(-3, 9)] * 3),
)
def test_the_peaks_are_those_found_by_numpy(volume, window, threshold, origin) -> None:
    _assert_same(volume, window_um=window, voxel_size_um=VOXEL, threshold=threshold, origin_vox=origin)


@pytest.mark.parametrize("pairs", [1, 500, 1 << 22])
def test_a_noisy_volume_has_the_same_peaks_however_many_pairs_are_compared_at_once(monkeypatch, pairs) -> None:
    monkeypatch.setattr("morula.detect.device_peaks._PAIRS_AT_ONCE", pairs)
    volume = np.random.default_rng(0).random((20, 50, 60)).astype(np.float32).round(2)
    _assert_same(volume, window_um=3.0, voxel_size_um=VOXEL, threshold=0.2)


def test_a_volume_laid_out_otherwise_has_the_same_peaks() -> None:
    volume = np.random.default_rng(1).random((9, 30, 30)).astype(np.float32)
    how = {"window_um": 2.0, "voxel_size_um": VOXEL, "threshold": 0.2}
    turned = torch.from_numpy(np.ascontiguousarray(volume.transpose(2, 1, 0))).permute(2, 1, 0)
    assert find_device_peaks(turned, **how).voxel.tolist() == find_peaks(volume, **how).voxel.tolist()


def test_detections_are_the_same_whichever_finds_the_peaks(monkeypatch, shallow, random_model, unit_range) -> None:
    """The way of graphics cards, walked on a processor."""
    movie = Movie(np.random.default_rng(2).random((2, 6, 41, 43)).astype(np.float32), (2.0, 1.0, 1.0))
    model, params = random_model(shallow), DetectParams(threshold=0.2, window_um=2.5)
    block = plan_blocks(movie, shallow, params)[0]
    expected = detect_block(block, movie=movie, model=model, intensity=unit_range, params=params)
    called = []

    def on_device(volume, **how):
        called.append(volume.shape)
        return find_device_peaks(torch.from_numpy(volume), **how)

    monkeypatch.setattr(places, "find_peaks", on_device)
    found = detect_block(block, movie=movie, model=model, intensity=unit_range, params=params)
    assert len(called) == 4  # blobs and peaks of two frames
    assert found.n == expected.n > 50
    for column in ("t", "zyx_um", "score", "movement_um", "divides", "born"):
        assert np.allclose(getattr(found, column), getattr(expected, column), rtol=0, atol=1e-9)
