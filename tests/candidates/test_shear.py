from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from morula.candidates.shear import fit_affine

SPACING_UM = 9.0


def _nearest(points, count=14):
    return np.asarray(cKDTree(points).query(points, k=count)[1], np.int64)


def _solve_plainly(zyx, flow, nearest, spacing):
    """The same fit, cell by cell, in plain numpy."""
    movement, gradient = np.zeros((len(nearest), 3)), np.zeros((len(nearest), 3, 3))
    for r, rows in enumerate(nearest):
        design = np.column_stack([np.ones(len(rows)), (zyx[rows] - zyx[rows[0]]) / spacing])
        lent = flow[rows[:9]]
        apart = np.minimum(np.linalg.norm(lent[:, None] - lent, axis=2), spacing).sum(axis=1)
        fit, tolerance = np.zeros((4, 3)), 0.16 * spacing
        fit[0] = lent[np.argmax(apart <= apart.min() * (1 + 1e-9))]  # the first of equals, whatever the rounding
        for _ in range(3):
            off = np.linalg.norm(flow[rows] - design @ fit, axis=1)
            weighted = design.T / (1 + (off / tolerance) ** 2)
            fit = np.linalg.solve(weighted @ design + np.diag([1e-6, 0.3, 0.3, 0.3]), weighted @ flow[rows])
            tolerance = 0.11 * spacing
        movement[r], gradient[r] = fit[0], fit[1:].T / spacing
    return movement, gradient


def _affine(tissue, size):
    return np.random.default_rng(3).normal(0, size, (3, 3)), np.array([4.0, -2.0, 7.0])


def test_a_common_shift_is_returned_as_it_is(tissue):
    movement, gradient = fit_affine(tissue, np.tile([1.0, -2.0, 3.0], (300, 1)), _nearest(tissue), SPACING_UM)
    assert movement == pytest.approx(np.tile([1.0, -2.0, 3.0], (300, 1)), abs=1e-4)
    assert gradient == pytest.approx(np.zeros((300, 3, 3)), abs=1e-5)


def test_an_affine_field_is_recovered_but_for_the_ridge(tissue):
    change, shift = _affine(tissue, 0.05)
    true = shift + tissue @ change.T
    movement, gradient = fit_affine(tissue, true, _nearest(tissue), SPACING_UM)
    assert np.abs(movement - true).max() < 0.02 * SPACING_UM
    assert np.linalg.norm(gradient - change, axis=(1, 2)).max() < 0.25 * np.linalg.norm(change)


def test_a_third_of_mistaken_movements_is_ignored(tissue):
    change, shift = _affine(tissue, 0.03)
    true = shift + tissue @ change.T
    rng = np.random.default_rng(5)
    flow, mistaken = true.copy(), rng.random(300) < 1 / 3
    flow[mistaken] += rng.uniform(-12, 12, (mistaken.sum(), 3))
    off = np.linalg.norm(fit_affine(tissue, flow, _nearest(tissue), SPACING_UM)[0] - true, axis=1)
    assert np.median(off) < 0.03 * SPACING_UM
    assert (off > 0.3 * SPACING_UM).mean() < 0.03


def test_only_the_cells_asked_for_are_fitted(tissue):
    flow = np.random.default_rng(1).normal(0, 3, (300, 3))
    nearest = _nearest(tissue)
    everywhere, some = (
        fit_affine(tissue, flow, nearest, SPACING_UM),
        fit_affine(tissue, flow, nearest[7:20], SPACING_UM),
    )
    assert some[0].tolist() == everywhere[0][7:20].tolist()
    assert some[1].tolist() == everywhere[1][7:20].tolist()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), cells=st.integers(2, 25), noise=st.floats(0.1, 10))
def test_it_equals_a_solution_in_plain_numpy(seed, cells, noise):
    rng = np.random.default_rng(seed)
    points, flow = rng.uniform(0, 30, (cells, 3)), rng.normal(0, noise, (cells, 3))
    nearest = _nearest(points, min(cells, 14))
    movement, gradient = fit_affine(points, flow, nearest, SPACING_UM)
    expected, change = _solve_plainly(points, flow, nearest, SPACING_UM)
    assert movement == pytest.approx(expected, abs=1e-9)
    assert gradient == pytest.approx(change, abs=1e-9)


def test_cells_in_one_place_do_not_break_it():
    movement, gradient = fit_affine(np.zeros((8, 3)), np.ones((8, 3)), np.tile(np.arange(8), (8, 1)), 1e-3)
    assert np.isfinite(movement).all()
    assert not gradient.any()
