"""A movement field made smooth: around each cell, the affine movement its neighbours agree on.

Tissue does not only shift, it turns, stretches and shears. A shift alone fits few neighbours where it does so quickly.
"""

from __future__ import annotations

import numba
import numpy as np

from morula.core.columns import FloatArray, IntArray

_LENDERS = 9
"""Cells, the cell itself included, among whose movements the one closest to all of them is the start."""

_RIDGE = 0.3
"""Penalty on the gradient per spacing, squared, beside the squared deviations of the neighbours (all in µm)."""

_FIRST_TOLERANCE, _TOLERANCE = 0.16, 0.11
"""Deviation, in spacings, at which a neighbour has half its weight: at the start and later (Cauchy weights)."""

_ROUNDS = 3
_LESS = 1 - 1e-9

_jit = numba.njit(cache=True, error_model="numpy", fastmath={"nsz"})


def fit_affine(
    zyx_um: FloatArray, flow_um: FloatArray, nearest: IntArray, spacing_um: float
) -> tuple[FloatArray, FloatArray]:
    """Fit an affine movement around some cells to those of their neighbours, mistaken ones left out by their weight.

    Parameters
    ----------
    zyx_um
        Positions, µm, shape (n, 3).
    flow_um
        Movement of each cell, some of them mistaken, µm, shape (n, 3).
    nearest
        Rows of each of these cells and its neighbours, the cell first, shape (r, k).
    spacing_um
        Distance between neighbouring cells, µm.

    Returns
    -------
    movement
        Movement at each of them, µm, shape (r, 3).
    gradient
        Change of each component (first axis) along each axis (second), µm per µm, shape (r, 3, 3).

    Notes
    -----
    Iteratively reweighted least squares with a ridge on the gradient; about 1 µs per cell.
    """
    fitted = np.empty((len(nearest), 4, 3))
    _fit_all(zyx_um, flow_um, nearest, spacing_um, fitted)
    return fitted[:, 0], np.ascontiguousarray(fitted[:, 1:].transpose(0, 2, 1)) / spacing_um


@_jit
def _fit_all(zyx, flow, nearest, spacing, fitted):
    """Write the movement (first row) and its change per spacing along each axis of the fit around each cell."""
    cells = nearest.shape[1]
    design, vectors, weight = np.ones((cells, 4)), np.empty((cells, 3)), np.empty(cells)
    for r in range(len(nearest)):
        for k in range(cells):
            for axis in range(3):
                design[k, 1 + axis] = (zyx[nearest[r, k], axis] - zyx[nearest[r, 0], axis]) / spacing
                vectors[k, axis] = flow[nearest[r, k], axis]
        fit, tolerance = fitted[r], _FIRST_TOLERANCE * spacing
        fit[:] = 0.0
        fit[0] = _find_agreed(vectors, spacing)
        for _ in range(_ROUNDS):
            for k in range(cells):
                weight[k] = 1.0 / (1.0 + _deviate(design, vectors, fit, k) / (tolerance * tolerance))
            _solve(design, vectors, weight, fit)
            tolerance = _TOLERANCE * spacing


@_jit
def _find_agreed(vectors, most):
    """Return, of the movements of a cell and its nearest, the one closest to all of them, each at most so far."""
    lenders = min(_LENDERS, len(vectors))
    agreed, least = 0, np.inf
    for i in range(lenders):
        total = 0.0
        for j in range(lenders):
            dz, dy, dx = vectors[i, 0] - vectors[j, 0], vectors[i, 1] - vectors[j, 1], vectors[i, 2] - vectors[j, 2]
            total += min(np.sqrt(dz * dz + dy * dy + dx * dx), most)
        if total < least * _LESS:  # of two that agree with each other alone the first, whatever the rounding
            agreed, least = i, total
    return vectors[agreed]


@_jit
def _deviate(design, vectors, fit, k):
    """Return by how much a neighbour's movement deviates from the fit, squared."""
    squared = 0.0
    for axis in range(3):
        off = vectors[k, axis]
        for i in range(4):
            off -= design[k, i] * fit[i, axis]
        squared += off * off
    return squared


@_jit
def _solve(design, vectors, weight, fit):
    """Solve the weighted ridge problem for all three components at once.

    Written out because a call of LAPACK takes longer than all of it. The matrix is positive definite by its ridge, so
    elimination needs no search for a pivot.
    """
    left = np.zeros((4, 4))
    fit[:] = 0.0
    for i in range(4):
        left[i, i] = _RIDGE if i else 1e-6
    for k in range(len(design)):
        for i in range(4):
            share = weight[k] * design[k, i]
            for j in range(4):
                left[i, j] += share * design[k, j]
            for axis in range(3):
                fit[i, axis] += share * vectors[k, axis]
    for i in range(4):
        for row in range(4):
            if row != i:
                factor = left[row, i] / left[i, i]
                for j in range(i, 4):
                    left[row, j] -= factor * left[i, j]
                for axis in range(3):
                    fit[row, axis] -= factor * fit[i, axis]
    for i in range(4):
        for axis in range(3):
            fit[i, axis] /= left[i, i]
