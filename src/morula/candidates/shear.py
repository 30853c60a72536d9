"""A movement field made smooth: around each cell, the affine movement its neighbours agree on.

Tissue does not only shift, it turns, stretches and shears. A shift alone fits few neighbours where it does so quickly.
"""

from __future__ import annotations

import numpy as np

from morula.core.columns import FloatArray, IntArray

_LENDERS = 9
"""Cells, the cell itself included, among whose movements the one closest to all of them is the start."""

_RIDGE = 0.3
"""Penalty on the gradient per spacing, squared, beside the squared deviations of the neighbours (all in µm)."""

_FIRST_TOLERANCE, _TOLERANCE = 0.16, 0.11
"""Deviation, in spacings, at which a neighbour has half its weight: at the start and later (Cauchy weights)."""

_ROUNDS = 3


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
    Iteratively reweighted least squares with a ridge on the gradient; about 15 µs per cell.
    """
    place = (zyx_um[nearest] - zyx_um[nearest[:, :1]]) / spacing_um
    design = np.concatenate([np.ones((*nearest.shape, 1)), place], axis=2)
    vectors = flow_um[nearest]
    penalty = np.diag([1e-6, _RIDGE, _RIDGE, _RIDGE])
    apart = np.linalg.norm(vectors - _find_agreed(flow_um, nearest, spacing_um)[:, None], axis=2)
    weight = _weigh(apart, _FIRST_TOLERANCE * spacing_um)
    for _ in range(_ROUNDS):
        weighted = (weight[:, :, None] * design).transpose(0, 2, 1)
        fitted = np.linalg.solve(weighted @ design + penalty, weighted @ vectors)
        weight = _weigh(np.linalg.norm(vectors - design @ fitted, axis=2), _TOLERANCE * spacing_um)
    return fitted[:, 0], np.ascontiguousarray(fitted[:, 1:].transpose(0, 2, 1)) / spacing_um


def _weigh(apart_um: FloatArray, tolerance_um: float) -> FloatArray:
    weight: FloatArray = 1.0 / (1.0 + (apart_um / tolerance_um) ** 2)
    return weight


def _find_agreed(flow_um: FloatArray, nearest: IntArray, most_um: float) -> FloatArray:
    """Return, of the movements of each cell and its nearest, the one closest to all of them, each at most so far."""
    vectors = flow_um[nearest[:, :_LENDERS]]
    apart = np.minimum(np.linalg.norm(vectors[:, :, None] - vectors[:, None], axis=3), most_um)
    agreed: FloatArray = vectors[np.arange(len(vectors)), apart.sum(axis=2).argmin(axis=1)]
    return agreed
