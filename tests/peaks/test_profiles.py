"""Half-widths of single, anisotropic, crowded, textured and cut nuclei."""

from __future__ import annotations

import numpy as np
import pytest

from morula.peaks.profiles import measure_radii

VOXEL = np.array([1.0, 0.4, 0.4])
HALF_WIDTH = 1.1774  # of a Gaussian of width 1


def test_the_half_width_of_a_blob_is_measured_per_axis(render):
    frame = 30 + 5 * render((24, 60, 60), VOXEL, [[12, 12, 12]], (3.0, 1.5, 2.2))
    radii = measure_radii(frame, np.array([[12.2, 12.3, 11.7]]), VOXEL, sigma_um=1.6)
    np.testing.assert_allclose(radii[0], HALF_WIDTH * np.array([3.0, 1.5, 2.2]), rtol=0.15)


def test_close_neighbours_do_not_widen_a_nucleus(render):
    centres = np.array([[12, 12, 4.0], [12, 12, 10.0], [12, 12, 16.0], [12, 12, 22.0]])
    frame = render((24, 60, 66), VOXEL, centres, 1.8)
    radii = measure_radii(frame, centres[1:3], VOXEL, sigma_um=1.5)
    np.testing.assert_allclose(radii[:, :2], HALF_WIDTH * 1.8, rtol=0.1)
    assert (radii[:, 2] < HALF_WIDTH * 1.8).all()
    assert (radii[:, 2] > HALF_WIDTH * 1.2).all()


def test_texture_inside_a_nucleus_does_not_end_its_profile():
    z, y, x = np.indices((9, 120, 120)) * np.array([1.0, 0.2, 0.2])[:, None, None, None]
    ball = ((z - 4) / 3) ** 2 + ((y - 12) / 7) ** 2 + ((x - 12) / 7) ** 2 < 1
    texture = np.random.default_rng(0).uniform(0.6, 1.4, ball.shape)
    radii = measure_radii(ball * texture * 100, np.array([[4, 12, 12.0]]), (1.0, 0.2, 0.2), sigma_um=4.0)
    np.testing.assert_allclose(radii[0, 1:], 7, rtol=0.15)


def test_a_nucleus_that_spans_all_planes_has_no_radius_along_z(render):
    frame = render((4, 60, 60), VOXEL, [[1.5, 12, 12]], (50, 1.8, 1.8))
    radii = measure_radii(frame, np.array([[1.5, 12, 12]]), VOXEL, sigma_um=1.5)
    assert np.isnan(radii[0, 0])
    np.testing.assert_allclose(radii[0, 1:], HALF_WIDTH * 1.8, rtol=0.15)


def test_one_side_is_enough_at_the_edge_of_the_frame(render):
    frame = render((24, 60, 60), VOXEL, [[0, 12, 12]], 1.8)
    radii = measure_radii(frame, np.array([[0, 12, 12.0]]), VOXEL, sigma_um=1.5)
    assert radii[0, 0] == pytest.approx(HALF_WIDTH * 1.8, rel=0.2)


def test_a_constant_frame_has_no_radii():
    assert np.isnan(measure_radii(np.ones((5, 30, 30)), np.array([[2, 6, 6.0]]), VOXEL, sigma_um=1.5)).all()
