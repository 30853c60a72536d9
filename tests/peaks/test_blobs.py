"""Blobs of tiny rendered frames: positive where bright, the same for any constant added, found once each."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from morula.errors import ConfigError
from morula.peaks.blobs import SIGMA_RATIO, blob_response, coarse_response, find_blobs, finite_frame

VOXEL = np.array([2.0, 0.5, 0.5])
CENTRES = np.array([[8.3, 6.1, 6.4], [8.0, 6.2, 14.9], [17.1, 14.7, 9.0]])
SHAPE = (13, 40, 44)


def test_each_blob_is_found_once_within_a_tenth_of_its_width(render):
    frame = 50 + 10 * render(SHAPE, VOXEL, CENTRES, 1.8, heights=[1, 0.7, 1.3])
    blobs = find_blobs(frame, sigma_um=1.5, voxel_size_um=VOXEL, threshold=1.0, window_um=2.6)
    assert blobs.n == 3
    np.testing.assert_allclose(blobs.zyx_um, CENTRES, atol=0.18)


def test_the_response_to_a_gaussian_blob_has_the_size_theory_says(render):
    sigma, width = 1.5, 1.8
    frame = render((41, 41, 41), (0.5, 0.5, 0.5), [[10, 10, 10]], width)
    near = (width**2 / (width**2 + sigma**2 / SIGMA_RATIO)) ** 1.5
    far = (width**2 / (width**2 + sigma**2 * SIGMA_RATIO)) ** 1.5
    response = blob_response(frame, sigma, (0.5, 0.5, 0.5))
    assert response[20, 20, 20] == pytest.approx((near - far) / np.log(SIGMA_RATIO), rel=0.01)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(-1000, 1000), st.floats(0.1, 6))
def test_the_response_does_not_change_when_a_constant_is_added(seed, constant, sigma):
    frame = np.random.default_rng(seed).normal(size=(4, 9, 10)).astype(np.float32)
    np.testing.assert_allclose(
        blob_response(frame + np.float32(constant), sigma, VOXEL), blob_response(frame, sigma, VOXEL), atol=2e-3
    )


def test_a_dark_blob_answers_negatively_and_a_constant_not_at_all(render):
    frame = 5 - render(SHAPE, VOXEL, [[12, 10, 11]], 1.8)
    assert blob_response(frame, 1.5, VOXEL)[6, 20, 22] < -0.4
    np.testing.assert_allclose(blob_response(np.full(SHAPE, 7.0), 1.5, VOXEL), 0, atol=1e-5)


def test_a_wide_blob_answers_most_at_its_own_scale(render):
    frame = render((60, 60, 60), (0.5, 0.5, 0.5), [[15, 15, 15]], 2.0)
    sigmas = np.geomspace(0.6, 5, 20)
    best = sigmas[np.argmax([blob_response(frame, s, (0.5, 0.5, 0.5))[30, 30, 30] for s in sigmas])]
    assert best == pytest.approx(2.0 * np.sqrt(2 / 3), rel=0.12)


def test_blurring_agrees_with_a_sampled_gaussian_where_sigma_spans_many_voxels():
    frame = np.random.default_rng(0).normal(size=(30, 30, 30)).astype(np.float32)
    narrow = ndimage.gaussian_filter(frame, 4 / np.sqrt(SIGMA_RATIO), mode="nearest")
    wide = ndimage.gaussian_filter(frame, 4 * np.sqrt(SIGMA_RATIO), mode="nearest")
    expected = (narrow - wide) / np.log(SIGMA_RATIO)
    np.testing.assert_allclose(blob_response(frame, 4, (1, 1, 1)), expected, atol=0.03 * np.abs(expected).max())


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_flat_movies_of_a_few_planes_have_blobs_too(render, depth):
    planes = render((depth, 40, 44), (1.0, 0.5, 0.5), [[0, 6, 7], [0, 14, 15]], (40, 1.8, 1.8))
    blobs = find_blobs(planes, sigma_um=1.6, voxel_size_um=(1.0, 0.5, 0.5), threshold=0.2, window_um=2.6)
    np.testing.assert_allclose(blobs.zyx_um[:, 1:], [[6, 7], [14, 15]], atol=0.1)


def test_planes_far_apart_are_not_mixed(render):
    frame = render((5, 40, 44), (20.0, 0.5, 0.5), [[20, 10, 10]], (1.0, 1.8, 1.8))
    response = blob_response(frame, 1.5, (20.0, 0.5, 0.5))
    assert response[1, 20, 20] > 0.3
    assert np.abs(response[[0, 2, 3, 4]]).max() < 0.01


def test_coarse_and_fine_responses_agree_to_three_percent(render):
    voxel = np.array([1.0, 0.2, 0.2])
    frame = render((5, 120, 123), voxel, [[1, 11.2, 12.9]], (2, 3.5, 3.5))
    fine = blob_response(frame, 3.0, voxel)
    coarse, cell = coarse_response(frame, 3.0, voxel)
    assert cell.tolist() == [1, 6, 6]
    centres = np.stack(np.indices(coarse.shape), -1).reshape(-1, 3) * cell + (cell - 1) / 2
    same = ndimage.map_coordinates(fine, centres.T, order=1, mode="nearest").reshape(coarse.shape)
    np.testing.assert_allclose(coarse[:, :-1, :-1], same[:, :-1, :-1], atol=0.03 * fine.max())


def test_coarsening_does_not_shift_blobs(render):
    voxel = np.array([1.0, 0.2, 0.2])
    centres = np.array([[2.0, 7.3, 7.7], [2.0, 16.1, 17.2]])
    frame = render((5, 118, 123), voxel, centres, (3, 2.2, 2.2))
    blobs = find_blobs(frame, sigma_um=2.2, voxel_size_um=voxel, threshold=0.1, window_um=3.5)
    np.testing.assert_allclose(blobs.zyx_um, centres, atol=0.1)


def test_blobs_stay_inside_the_frame(render):
    frame = render((5, 118, 123), (1.0, 0.2, 0.2), [[0, 0, 0], [4, 23.4, 24.4]], (3, 2.2, 2.2))
    blobs = find_blobs(frame, sigma_um=2.2, voxel_size_um=(1.0, 0.2, 0.2), threshold=0.05, window_um=3.5)
    assert blobs.n == 2
    assert (blobs.zyx_um >= 0).all()
    assert (blobs.zyx_um <= np.array([4, 117 * 0.2, 122 * 0.2]) + 1e-9).all()


def test_voxels_that_are_not_finite_count_as_the_median():
    frame = np.array([[[1.0, np.nan, 3.0, np.inf, 2.0]]])
    assert finite_frame(frame).tolist() == [[[1, 2, 3, 2, 2]]]
    assert finite_frame(np.full((1, 1, 2), np.nan)).tolist() == [[[0, 0]]]


def test_a_scale_of_zero_is_refused():
    with pytest.raises(ConfigError, match="scale of 0 µm"):
        blob_response(np.ones((3, 3, 3)), 0, (1, 1, 1))


def test_a_movie_in_the_place_of_a_frame_is_refused():
    with pytest.raises(ConfigError, match=r"\(2, 3, 3, 3\)"):
        blob_response(np.ones((2, 3, 3, 3)), 1, (1, 1, 1))
