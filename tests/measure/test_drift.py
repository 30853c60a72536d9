"""The shift of a frame against the one before, and when it is believed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from morula.measure.drift import coarsen_box, estimate_shift_um, find_peak_um
from morula.measure.params import DriftParams

VOXEL = np.array([2.0, 0.8, 0.8])
SHAPE = (20, 60, 64)
SIGMA = 1.7
PARAMS = DriftParams()


def scene(centres_um: np.ndarray, seed: int = 0, noise: float = 6.0) -> np.ndarray:
    """A frame of blurred points with camera noise."""
    frame = np.zeros(SHAPE)
    voxel = np.rint(centres_um / VOXEL).astype(int)
    inside = ((voxel >= 0) & (voxel < SHAPE)).all(axis=1)
    np.add.at(frame, tuple(voxel[inside].T), 1.0)
    light = 4e3 * gaussian_filter(frame, 2.0 / VOXEL)
    return 100 + light + np.random.default_rng(seed).normal(0, noise, SHAPE)


def cells(seed: int, n: int = 150) -> np.ndarray:
    """Places spread over twice the frame's size, so that a shifted frame stays full."""
    extent = np.array(SHAPE) * VOXEL
    return np.random.default_rng(seed).uniform(-extent / 2, 1.5 * extent, (8 * n, 3))


def shift_of(before: np.ndarray, after: np.ndarray, params: DriftParams = PARAMS) -> np.ndarray:
    one, other = ([coarsen_box(frame, SIGMA, VOXEL)] for frame in (before, after))
    return estimate_shift_um(one, other, SIGMA, params)


@settings(max_examples=10, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    shift=st.tuples(st.floats(-8, 8), st.floats(-18, 18), st.floats(-18, 18)).filter(lambda s: np.linalg.norm(s) > 2.5),
)
def test_a_shift_is_found_though_every_cell_moves_on_its_own(seed, shift):
    places = cells(seed)
    moved = places + np.array(shift) + np.random.default_rng(seed + 1).normal(0, 0.7, places.shape)
    found = shift_of(scene(places, 1), scene(moved, 2))
    assert np.linalg.norm(found - shift) < 1.5


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000), own_um=st.floats(0, 2.5))
def test_without_a_common_shift_there_is_exactly_none(seed, own_um):
    places = cells(seed)
    moved = places + np.random.default_rng(seed + 1).normal(0, own_um, places.shape)
    assert not shift_of(scene(places, 1), scene(moved, 2)).any()


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_frames_that_have_nothing_in_common_are_not_shifted_onto_each_other(seed):
    assert not shift_of(scene(cells(seed), 1), scene(cells(seed + 20_000), 2)).any()


def test_noise_alone_has_no_shift():
    rng = np.random.default_rng(0)
    for _ in range(5):
        assert not shift_of(*rng.poisson(100, (2, *SHAPE))).any()


@pytest.mark.parametrize("value", [0.0, 65535.0, np.nan])
def test_a_blank_saturated_or_unknown_frame_has_no_shift(value):
    frame, blank = scene(cells(3)), np.full(SHAPE, value)
    for pair in ((frame, blank), (blank, frame), (blank, blank)):
        assert not shift_of(*pair).any()


def test_a_frame_with_saturated_and_unknown_voxels_is_still_found():
    places = cells(4)
    before, after = scene(places, 1), scene(places + np.array([0.0, 12.0, -5.0]), 2)
    after[:, :10, :10] = 65535
    before[3, 20:30, 20:30] = np.nan
    assert shift_of(before, after) == pytest.approx([0, 12, -5], abs=1.5)


def test_shifts_that_are_too_short_or_too_long_are_left():
    places = cells(5)
    before, after = scene(places, 1), scene(places + np.array([0.0, 8.0, 6.0]), 2)
    assert shift_of(before, after) == pytest.approx([0, 8, 6], abs=1.0)
    assert not shift_of(before, after, DriftParams(min_shift_um=12.0)).any()
    assert not shift_of(before, after, DriftParams(max_shift_um=7.0)).any()
    assert not shift_of(before, after, DriftParams(min_gain=1.0)).any()


def test_the_peak_lies_at_a_fraction_of_a_voxel():
    places = cells(6)
    boxes = [
        [coarsen_box(scene(c, seed), SIGMA, VOXEL)]
        for seed, c in ((1, places), (2, places + np.array([0.0, 4.4, 7.2])))
    ]
    assert find_peak_um(*boxes, SIGMA, 40.0) == pytest.approx([0, 4.4, 7.2], abs=0.4)


def test_several_boxes_say_together_what_one_of_noise_cannot():
    places = cells(7)
    rng = np.random.default_rng(0)
    before, after = scene(places, 1), scene(places + np.array([0.0, 9.0, 9.0]), 2)
    empty = [rng.normal(100, 6, SHAPE) for _ in range(4)]
    one = [coarsen_box(frame, SIGMA, VOXEL) for frame in (empty[0], before, empty[1])]
    other = [coarsen_box(frame, SIGMA, VOXEL) for frame in (empty[2], after, empty[3])]
    assert estimate_shift_um(one, other, SIGMA, PARAMS) == pytest.approx([0, 9, 9], abs=1.0)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 40, 40), (2, 3, 200), (5, 1, 9)])
def test_frames_of_any_shape_are_taken(shape):
    one, other = np.random.default_rng(0).normal(100, 5, (2, *shape))
    assert np.isfinite(shift_of(one, other)).all()


@settings(max_examples=4, deadline=None)
@given(scale=st.sampled_from([0.25, 4.0, 256.0]), gain=st.sampled_from([0.5, 3.0]))
def test_units_of_length_and_intensity_do_not_matter(scale, gain):
    places = cells(8)
    before, after = scene(places, 1), scene(places + np.array([0.0, 9.0, -9.0]), 2)
    one = shift_of(before, after)
    boxes = [[coarsen_box(gain * frame + 7, SIGMA * scale, VOXEL * scale)] for frame in (before, after)]
    params = DriftParams(min_shift_um=1.5 * scale, max_shift_um=40 * scale)
    assert estimate_shift_um(*boxes, SIGMA * scale, params) / scale == pytest.approx(one, abs=1e-3)
