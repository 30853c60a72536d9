"""Peaks against a brute-force maximum over the ellipsoid, plateaus and tilings included."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from morula.core.columns import IntArray
from morula.errors import ConfigError
from morula.peaks.maxima import Peaks, find_peaks, window_offsets

VOXEL = (2.0, 0.5, 1.0)


def brute_force_peaks(volume: np.ndarray, window: np.ndarray, voxel: np.ndarray, threshold: float) -> IntArray:
    """Compare every voxel with every other one, by value and then by index, exactly as the definition says."""
    index = np.indices(volume.shape).reshape(3, -1).T
    values = volume.ravel()
    difference = index[:, None] - index[None]
    inside = ((difference * voxel / window) ** 2).sum(axis=2) <= 1 + 1e-9
    order = np.arange(len(index))
    beats = (values[None] > values[:, None]) | ((values[None] == values[:, None]) & (order[None] < order[:, None]))
    return index[(values > threshold) & ~(inside & beats).any(axis=1)]


volumes = hnp.arrays(np.float32, hnp.array_shapes(min_dims=3, max_dims=3, max_side=7), elements=st.integers(0, 5))
windows = st.tuples(*[st.sampled_from([0.4, 0.5, 1.0, 2.0, 2.5, 6.0])] * 3)


@settings(max_examples=150, deadline=None)
@given(volumes, windows, st.integers(-1, 4))
def test_peaks_are_the_voxels_that_beat_their_whole_window(volume, window, threshold):
    peaks = find_peaks(volume, window_um=window, voxel_size_um=VOXEL, threshold=threshold)
    expected = brute_force_peaks(volume, np.array(window), np.array(VOXEL), threshold)
    assert peaks.voxel.tolist() == expected.tolist()
    assert peaks.value.tolist() == volume[tuple(expected.T)].tolist()


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(np.float32, (5, 12, 11), elements=st.sampled_from([0, 1, 1, 2, 3.5])),
    st.tuples(st.integers(1, 4), st.integers(1, 11), st.integers(1, 10)),
    st.sampled_from([1.0, 2.0, (4.0, 1.0, 2.0)]),
)
def test_a_volume_cut_into_tiles_with_a_halo_has_the_same_peaks(volume, cut, window):
    whole = find_peaks(volume, window_um=window, voxel_size_um=VOXEL, threshold=0.5)
    halo = np.abs(window_offsets(window, VOXEL)).max(axis=0) + 1
    found = []
    for corner in np.ndindex(2, 2, 2):
        start = np.where(corner, cut, 0)
        stop = np.where(corner, volume.shape, cut)
        low, high = np.maximum(start - halo, 0), np.minimum(stop + halo, volume.shape)
        tile = volume[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
        peaks = find_peaks(tile, window_um=window, voxel_size_um=VOXEL, threshold=0.5, origin_vox=low)
        own = peaks.rows(((peaks.voxel >= start) & (peaks.voxel < stop)).all(axis=1))
        found += [(*a, *b, c) for a, b, c in zip(own.voxel, own.refined_vox, own.value, strict=True)]
    expected = [(*a, *b, c) for a, b, c in zip(whole.voxel, whole.refined_vox, whole.value, strict=True)]
    assert sorted(found) == sorted(expected)


def test_large_noise_with_many_candidates_agrees_with_a_maximum_filter():
    from scipy import ndimage

    volume = np.random.default_rng(3).permutation(24 * 100 * 150).reshape(24, 100, 150).astype(np.float32)
    offsets = window_offsets(1.9, (1.0, 0.5, 0.5))
    extent = offsets.max(axis=0)
    footprint = np.zeros(2 * extent + 1, bool)
    footprint[tuple((offsets + extent).T)] = True
    highest = ndimage.maximum_filter(volume, footprint=footprint, mode="constant", cval=-1)
    peaks = find_peaks(volume, window_um=1.9, voxel_size_um=(1.0, 0.5, 0.5), threshold=-1)
    assert peaks.voxel.tolist() == np.argwhere(volume > highest).tolist()


def test_a_plateau_yields_its_first_voxel_only():
    volume = np.zeros((3, 6, 6), np.float32)
    volume[1:, 2:4, 3:5] = 1
    assert find_peaks(volume, window_um=3, voxel_size_um=(1, 1, 1), threshold=0).voxel.tolist() == [[1, 2, 3]]


@pytest.mark.parametrize("true_offset", [-0.45, -0.2, 0.0, 0.3])
def test_refinement_finds_the_top_of_a_parabola_between_voxels(true_offset):
    axis = np.arange(5) - 2 - true_offset
    volume = (10 - axis[:, None, None] ** 2 - axis[:, None] ** 2 - axis**2).astype(np.float32)
    peaks = find_peaks(volume, window_um=2, voxel_size_um=(1, 1, 1), threshold=0, origin_vox=(10, 20, 30))
    assert peaks.voxel.tolist() == [[12, 22, 32]]
    np.testing.assert_allclose(peaks.refined_vox, [np.array([12, 22, 32]) + true_offset], atol=1e-5)


def test_refinement_stays_at_the_voxel_where_the_profile_is_flat_or_ends():
    volume = np.zeros((1, 3, 3), np.float32)
    volume[0, 1, :] = 1
    peaks = find_peaks(volume, window_um=2, voxel_size_um=(1, 1, 1), threshold=0)
    assert peaks.voxel.tolist() == [[0, 1, 0]]
    assert peaks.refined_vox.tolist() == [[0, 1, 0]]


@settings(max_examples=30, deadline=None)
@given(volumes, windows)
def test_refined_positions_stay_within_half_a_voxel(volume, window):
    peaks = find_peaks(volume, window_um=window, voxel_size_um=VOXEL, threshold=-1)
    assert (np.abs(peaks.refined_vox - peaks.voxel) <= 0.5).all()


def test_a_nan_is_no_peak_and_beats_none():
    volume = np.full((3, 3, 3), np.nan, np.float32)
    volume[1, 1, 1] = 2
    peaks = find_peaks(volume, window_um=2, voxel_size_um=(1, 1, 1), threshold=0)
    assert peaks.refined_vox.tolist() == [[1, 1, 1]]


def test_a_volume_below_the_threshold_has_no_peak():
    peaks = find_peaks(np.ones((2, 3, 4)), window_um=2, voxel_size_um=(1, 1, 1), threshold=1)
    assert peaks.n == 0
    assert peaks.voxel.shape == (0, 3)


def test_a_window_of_zero_is_refused():
    with pytest.raises(ConfigError, match="peak window of 0 µm"):
        find_peaks(np.ones((2, 3, 4)), window_um=0, voxel_size_um=(1, 1, 1), threshold=0)


def test_a_plane_without_a_z_axis_is_refused():
    with pytest.raises(ConfigError, match=r"shape \(3, 4\)"):
        find_peaks(np.ones((3, 4)), window_um=1, voxel_size_um=(1, 1, 1), threshold=0)


def test_peaks_survive_pickling_read_only():
    peaks = pickle.loads(pickle.dumps(find_peaks(np.eye(3)[None], window_um=1, voxel_size_um=(1, 1, 1), threshold=0)))
    assert isinstance(peaks, Peaks)
    assert not peaks.voxel.flags.writeable
