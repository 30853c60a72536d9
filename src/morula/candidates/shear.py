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
_inlined = numba.njit(inline="always", error_model="numpy", fastmath={"nsz"})


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
    Iteratively reweighted least squares with a ridge on the gradient; about 0.8 µs per cell.
    """
    fitted = np.empty((len(nearest), 4, 3))
    _fit_all(zyx_um, flow_um, nearest, spacing_um, fitted)
    return fitted[:, 0], np.ascontiguousarray(fitted[:, 1:].transpose(0, 2, 1)) / spacing_um


@_jit
def _fit_all(zyx, flow, nearest, spacing, fitted):
    """Write the movement (first row) and its change per spacing along each axis of the fit around each cell."""
    cells = nearest.shape[1]
    design, vectors, weight, normal = np.empty((cells, 3)), np.empty((cells, 3)), np.empty(cells), np.empty((4, 7))
    for r in range(len(nearest)):
        for k in range(cells):
            for axis in range(3):
                design[k, axis] = (zyx[nearest[r, k], axis] - zyx[nearest[r, 0], axis]) / spacing
                vectors[k, axis] = flow[nearest[r, k], axis]
        fit, tolerance = fitted[r], _FIRST_TOLERANCE * spacing
        fit[:] = 0.0
        fit[0] = vectors[_find_agreed(vectors, spacing)]
        for _ in range(_ROUNDS):
            _weigh(design, vectors, fit, tolerance, weight)
            _add_up(design, vectors, weight, normal)
            _solve(normal, fit)
            tolerance = _TOLERANCE * spacing


@_inlined
def _find_agreed(vectors, most):
    """Return which movement of a cell and its nearest is the closest to all of them, each at most so far."""
    lenders = min(_LENDERS, len(vectors))
    total = np.zeros(_LENDERS)
    for i in range(lenders):
        for j in range(i):
            dz, dy, dx = vectors[i, 0] - vectors[j, 0], vectors[i, 1] - vectors[j, 1], vectors[i, 2] - vectors[j, 2]
            apart = min(np.sqrt(dz * dz + dy * dy + dx * dx), most)
            total[i] += apart
            total[j] += apart
    agreed = 0
    for i in range(lenders):
        if total[i] < total[agreed] * _LESS:  # of two that agree with each other alone the first, whatever the rounding
            agreed = i
    return agreed


@_inlined
def _weigh(design, vectors, fit, tolerance, weight):
    """Write the weight of each neighbour by how far its movement deviates from the fit."""
    for k in range(len(design)):
        squared = 0.0
        for axis in range(3):
            off = vectors[k, axis] - fit[0, axis]
            for i in range(3):
                off -= design[k, i] * fit[i + 1, axis]
            squared += off * off
        weight[k] = 1.0 / (1.0 + squared / (tolerance * tolerance))


@_inlined
def _add_up(design, vectors, weight, normal):
    """Write the normal equations of the weighted ridge problem: the matrix from its diagonal on, and three right sides.

    Written out, so that sums stay in registers: this is most of the time.
    """
    n00, n01, n02, n03, n11, n12, n13, n22, n23, n33 = 1e-6, 0.0, 0.0, 0.0, _RIDGE, 0.0, 0.0, _RIDGE, 0.0, _RIDGE
    for k in range(len(design)):
        z, y, x = design[k, 0], design[k, 1], design[k, 2]
        wz, wy, wx = weight[k] * z, weight[k] * y, weight[k] * x
        n00, n01, n02, n03 = n00 + weight[k], n01 + wz, n02 + wy, n03 + wx
        n11, n12, n13 = n11 + wz * z, n12 + wz * y, n13 + wz * x
        n22, n23, n33 = n22 + wy * y, n23 + wy * x, n33 + wx * x
    normal[0, 0], normal[0, 1], normal[0, 2], normal[0, 3] = n00, n01, n02, n03
    normal[1, 1], normal[1, 2], normal[1, 3], normal[2, 2], normal[2, 3], normal[3, 3] = n11, n12, n13, n22, n23, n33
    for axis in range(3):
        s, sz, sy, sx = 0.0, 0.0, 0.0, 0.0
        for k in range(len(design)):
            share = weight[k] * vectors[k, axis]
            s, sz, sy, sx = s + share, sz + share * design[k, 0], sy + share * design[k, 1], sx + share * design[k, 2]
        normal[0, 4 + axis], normal[1, 4 + axis], normal[2, 4 + axis], normal[3, 4 + axis] = s, sz, sy, sx


@_inlined
def _solve(normal, fit):
    """Solve them by elimination, without a search for a pivot: the ridge makes the matrix positive definite."""
    for i in range(4):
        for row in range(i + 1, 4):
            factor = normal[i, row] / normal[i, i]
            for j in range(row, 7):
                normal[row, j] -= factor * normal[i, j]
    for i in range(3, -1, -1):
        for axis in range(3):
            rest = normal[i, 4 + axis]
            for j in range(i + 1, 4):
                rest -= normal[i, j] * fit[j, axis]
            fit[i, axis] = rest / normal[i, i]
