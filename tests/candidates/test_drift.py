from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from morula.candidates.drift import MIN_POINTS, estimate_drift_um


def _observed(points, rng, *, error_um=1.0, missed=0.05, false=0.05):
    """Points seen again, with errors, without some and with some that are none."""
    kept = points[rng.random(len(points)) >= missed]
    junk = rng.uniform(points.min(axis=0), points.max(axis=0), (int(false * len(points)), 3))
    return np.concatenate([kept + rng.normal(0, error_um, kept.shape), junk])


@pytest.mark.parametrize("length_um", [2.0, 5.0, 8.0, 16.0, 24.0, 35.0])
def test_a_shift_of_any_length_is_found_in_packed_tissue(tissue, length_um):
    rng = np.random.default_rng(int(length_um))
    direction = rng.normal(size=3)
    shift = direction * length_um / np.linalg.norm(direction)
    found = estimate_drift_um(_observed(tissue, rng) + shift, tissue, max_distance_um=10.0)
    assert np.linalg.norm(found - shift) < 0.5


def test_random_motion_without_common_shift_is_no_drift(tissue):
    for seed in range(10):
        rng = np.random.default_rng(seed)
        found = estimate_drift_um(_observed(tissue, rng, error_um=1.5), tissue, max_distance_um=10.0)
        assert np.linalg.norm(found) < 0.5


def test_unrelated_frames_are_not_shifted_onto_each_other(tissue):
    for seed in range(10):
        other = np.random.default_rng(seed).uniform(tissue.min(axis=0), tissue.max(axis=0), tissue.shape)
        assert np.linalg.norm(estimate_drift_um(other, tissue, max_distance_um=10.0)) < 2.0


def test_a_few_cells_say_nothing_about_a_common_shift(tissue):
    few = tissue[: MIN_POINTS - 1]
    assert not estimate_drift_um(few + 3.0, few, max_distance_um=10.0).any()
    assert not estimate_drift_um(few[:0], tissue, max_distance_um=10.0).any()
    assert not estimate_drift_um(tissue, few[:0], max_distance_um=10.0).any()


def test_a_jump_beyond_the_search_is_left(tissue):
    shift = np.array([0.0, 0.0, 24.0])
    assert np.linalg.norm(estimate_drift_um(tissue + shift, tissue, max_distance_um=10.0) - shift) < 0.1
    left = estimate_drift_um(tissue + shift, tissue, max_distance_um=10.0, max_drift_um=0.0)
    assert np.linalg.norm(left - shift) > 15


def test_points_all_in_one_place_do_not_break_it():
    same = np.zeros((20, 3))
    assert np.isfinite(estimate_drift_um(same, same, max_distance_um=10.0)).all()


@settings(max_examples=15, deadline=None)
@given(scale=st.sampled_from([0.125, 4.0, 1024.0]), seed=st.integers(0, 5))
def test_the_unit_of_length_does_not_matter(tissue, scale, seed):
    rng = np.random.default_rng(seed)
    predicted = _observed(tissue, rng) + np.array([0.0, 11.0, -9.0])
    one = estimate_drift_um(predicted, tissue, max_distance_um=10.0, max_drift_um=40.0)
    other = estimate_drift_um(
        predicted * scale, tissue * scale, max_distance_um=10.0 * scale, max_drift_um=40.0 * scale
    )
    assert other / scale == pytest.approx(one, abs=1e-9)
