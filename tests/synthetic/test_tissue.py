from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from morula.synthetic.tissue import ellipsoid_semi_axes, flow_velocity, pack_cells, relax_cells


def test_packed_cells_keep_about_their_spacing_inside_the_ellipsoid() -> None:
    semi_um = ellipsoid_semi_axes(200, 9.0, 0.7)
    zyx_um = pack_cells(200, 9.0, semi_um, np.random.default_rng(0))
    nearest = cKDTree(zyx_um).query(zyx_um, 2)[0][:, 1]
    assert nearest.min() > 0.75 * 9.0
    assert np.median(nearest) == pytest.approx(9.0, rel=0.1)
    assert (np.linalg.norm(zyx_um / semi_um, axis=1) < 1.15).all()


def test_the_ellipsoid_grows_with_the_number_of_cells_and_is_flat_in_z() -> None:
    small, large = ellipsoid_semi_axes(100, 9.0, 0.5), ellipsoid_semi_axes(800, 9.0, 0.5)
    np.testing.assert_allclose(large, 2 * small)
    assert small[0] == pytest.approx(0.5 * np.sqrt(small[1] * small[2]))


def test_two_overlapping_cells_are_pushed_apart_symmetrically() -> None:
    pair = np.array([[0.0, 0.0, -1.0], [0.0, 0.0, 1.0]])
    apart = relax_cells(pair, np.ones(2), 9.0, np.full(3, 100.0), steps=60)
    np.testing.assert_allclose(apart, [[0, 0, -4.5], [0, 0, 4.5]], atol=1e-3)


def test_two_newborn_cells_rest_closer_than_grown_ones() -> None:
    pair = np.array([[0.0, 0.0, -1.0], [0.0, 0.0, 1.0]])
    apart = relax_cells(pair, np.full(2, 0.5), 9.0, np.full(3, 100.0), steps=60)
    assert np.linalg.norm(apart[1] - apart[0]) == pytest.approx(4.5, abs=1e-3)


def test_relaxation_leaves_the_given_positions_alone() -> None:
    pair = np.array([[0.0, 0.0, -1.0], [0.0, 0.0, 1.0]])
    before = pair.copy()
    relax_cells(pair, np.ones(2), 9.0, np.full(3, 100.0), steps=2)
    np.testing.assert_array_equal(pair, before)


coordinate = st.floats(-0.55, 0.55)


@settings(deadline=None, max_examples=60)
@given(st.tuples(coordinate, coordinate, coordinate), st.floats(0, 6.28))
def test_the_flow_neither_compresses_nor_thins_the_tissue(place: tuple[float, ...], phase: float) -> None:
    semi_um = np.array([20.0, 33.0, 29.0])
    strengths = np.array([0.7, 1.0, 0.35])
    centre = np.array(place) * semi_um
    step = 1e-4 * np.eye(3)
    ahead = flow_velocity(centre + step, semi_um, phase, strengths)
    behind = flow_velocity(centre - step, semi_um, phase, strengths)
    assert np.trace(ahead - behind) / 2e-4 == pytest.approx(0.0, abs=1e-6)


@settings(deadline=None, max_examples=60)
@given(st.tuples(coordinate, coordinate, coordinate).filter(lambda p: np.linalg.norm(p) > 0.05), st.floats(0, 6.28))
def test_on_the_surface_the_flow_runs_along_it(place: tuple[float, ...], phase: float) -> None:
    semi_um = np.array([20.0, 33.0, 29.0])
    on_surface = np.array(place) / np.linalg.norm(place)
    velocity = flow_velocity((on_surface * semi_um)[None], semi_um, phase, np.array([0.7, 1.0, 0.35]))[0]
    assert velocity @ (on_surface / semi_um) == pytest.approx(0.0, abs=1e-9)
