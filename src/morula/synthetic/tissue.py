"""Mechanics of packed tissue: cells push each other apart inside an ellipsoid and are carried by a smooth flow.

Positions here are in µm from the embryo's centre, order z, y, x. Knows nothing of time, lineages or images.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from morula.core.columns import FloatArray

CELLS_PER_CUBE = 1.0
"""Cells per cube of side `spacing`; spheres packed at random reach 1.2, real nuclei are a little looser."""


def ellipsoid_semi_axes(n_cells: int, spacing_um: float, flatness: float) -> FloatArray:
    """Return the semi-axes (z, y, x) in µm of an ellipsoid that holds `n_cells`, shape (3,)."""
    volume_um3 = n_cells * spacing_um**3 / CELLS_PER_CUBE
    width_um = (volume_um3 / (4.0 / 3.0 * np.pi * flatness)) ** (1.0 / 3.0)
    return np.array([flatness * width_um, 1.06 * width_um, width_um / 1.06])


def pack_cells(n_cells: int, spacing_um: float, semi_um: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Fill an ellipsoid with cells at about equal distances, positions in µm, shape (n, 3)."""
    direction = rng.normal(size=(n_cells, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    zyx_um = direction * rng.random((n_cells, 1)) ** (1.0 / 3.0) * semi_um
    return relax_cells(zyx_um, np.ones(n_cells), spacing_um, semi_um, steps=150)


def relax_cells(
    zyx_um: FloatArray, size: FloatArray, spacing_um: float, semi_um: FloatArray, *, steps: int
) -> FloatArray:
    """Push cells apart until neighbours are about `spacing_um` away, keeping them inside the ellipsoid.

    Parameters
    ----------
    zyx_um
        Positions in µm, shape (n, 3).
    size
        Room each cell takes, 1 for a grown cell, shape (n,); two cells rest at spacing × mean size.
    spacing_um
        Distance in µm of two grown neighbours.
    semi_um
        Semi-axes of the ellipsoid in µm, shape (3,).
    steps
        Number of half-way corrections of all overlaps.

    Returns
    -------
    array
        New positions in µm, shape (n, 3).
    """
    zyx_um = zyx_um.copy()
    for _ in range(steps):
        pairs = cKDTree(zyx_um).query_pairs(spacing_um, output_type="ndarray")
        first, second = pairs[:, 0], pairs[:, 1]
        offset = zyx_um[second] - zyx_um[first]
        distance = np.maximum(np.linalg.norm(offset, axis=1), 1e-6)
        overlap = np.maximum(spacing_um * (size[first] + size[second]) / 2 - distance, 0.0)
        push = offset * (0.25 * overlap / distance)[:, None]
        for axis in range(3):
            zyx_um[:, axis] += np.bincount(second, push[:, axis], len(zyx_um))
            zyx_um[:, axis] -= np.bincount(first, push[:, axis], len(zyx_um))
        reach = np.linalg.norm(zyx_um / semi_um, axis=1)
        zyx_um *= (1.0 - 0.5 * np.maximum(reach - 1.0, 0.0) / np.maximum(reach, 1.0))[:, None]
    return zyx_um


def flow_velocity(zyx_um: FloatArray, semi_um: FloatArray, phase: float, handedness: FloatArray) -> FloatArray:
    """Return a smooth, divergence-free flow that stays inside the ellipsoid, as in gastrulation.

    The flow is a swirl in the yx plane, joined by two counter-rotating vortices (tissue converges on their common
    line and extends along it) whose axis turns with `phase`, and a weaker overturning in the zx plane. Each comes from
    a stream function (1 − r²)·f, r being 1 on the surface, which is why nothing flows out.

    Parameters
    ----------
    zyx_um
        Positions in µm, shape (n, 3).
    semi_um
        Semi-axes in µm, shape (3,).
    phase
        Direction of the vortices, radians.
    handedness
        Strengths of the swirl, the two vortices and the overturning, shape (3,).

    Returns
    -------
    array
        Velocity in arbitrary units, shape (n, 3).
    """
    z, y, x = (zyx_um / semi_um).T
    inside = 1.0 - (z**2 + y**2 + x**2)
    swirl, pair, overturn = handedness
    strength = swirl + pair * (np.cos(phase) * y + np.sin(phase) * x)
    slope_y = (-2 * y * strength + inside * pair * np.cos(phase)) / semi_um[1]
    slope_x = (-2 * x * strength + inside * pair * np.sin(phase)) / semi_um[2]
    turn_z = -2 * z * overturn / semi_um[0]
    turn_x = -2 * x * overturn / semi_um[2]
    return np.stack([turn_x, slope_x, -slope_y - turn_z], axis=1)
