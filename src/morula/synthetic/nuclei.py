"""What each nucleus looks like: radii, orientation, brightness, texture, given its place in the lineage. Draws none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from morula.core.columns import FloatArray, IntArray
from morula.core.tracks import Tracks
from morula.synthetic.params import RenderParams

_GROWN = 50  # frames; any age or waiting time beyond the tables below

# Frames before the division (0: the mother's last frame) and after it (0: the daughters' first frame).
# Radius along and across the division axis over that of a resting nucleus, and brightness: the metaphase plate and
# the two anaphase plates lie across the axis, and DNA is conserved.
_BEFORE = {0: (0.52, 0.95, 1.9), 1: (0.88, 0.92, 1.25)}
_AFTER = {0: (0.55, 0.85, 1.6), 1: (0.8, 0.88, 1.25), 2: (0.95, 0.95, 1.05)}
_GROWTH = np.array([0.84, 0.88, 0.94, 1.0])
_HERITAGE = 0.7  # correlation of a daughter's size and brightness with her mother's


@dataclass(frozen=True, slots=True, eq=False)
class Nuclei:
    """Looks of all points of a table.

    Parameters
    ----------
    semi_um
        Semi-axes in µm, shape (n, 3).
    axes
        Orthonormal directions of the semi-axes as rows, order z, y, x, shape (n, 3, 3).
    brightness
        Brightness, 1 on average, shape (n,).
    tracklet
        Number of the unbranched piece each point belongs to, shape (n,); the texture is the same along it.
    """

    semi_um: FloatArray
    axes: FloatArray
    brightness: FloatArray
    tracklet: IntArray


def nucleus_radii(tracks: Tracks, spacing_um: float, params: RenderParams, *, seed: int) -> FloatArray:
    """Draw a radius for each nucleus, steady from birth to division but for daughters growing up, µm, shape (n,)."""
    tracklet = tracks.tracklet_id()
    rng = np.random.default_rng([seed, 3])
    own = np.exp(params.radius_spread * _inherited(tracks, tracklet, rng))
    age, _ = _division_clock(tracks)
    grown = _GROWTH[np.minimum(age, len(_GROWTH) - 1)]
    radius_um: FloatArray = params.nucleus_radius * spacing_um * own[tracklet] * grown
    return radius_um


def describe_nuclei(tracks: Tracks, params: RenderParams, *, seed: int) -> Nuclei:
    """Decide how each nucleus looks: its own shape for life, condensed and flattened around mitosis, shrunken at death.

    Parameters
    ----------
    tracks
        Points with `radius_um`.
    params
        Spread of shapes and brightness.
    seed
        Seed of everything random; one draw per unbranched piece of a lineage.
    """
    tracklet = tracks.tracklet_id()
    rng = np.random.default_rng([seed, 4])
    n_tracklets = int(tracklet.max(initial=-1)) + 1
    shape = np.exp(rng.normal(0.0, params.elongation, (n_tracklets, 3)))
    shape /= shape.prod(axis=1, keepdims=True) ** (1 / 3)
    turn = np.linalg.qr(rng.normal(size=(n_tracklets, 3, 3)))[0]
    brightness = np.exp(params.brightness_spread * _inherited(tracks, tracklet, rng))[tracklet]
    factor, axes = shape[tracklet], turn[tracklet]
    age, left = _division_clock(tracks)
    division_axis = _division_axes(tracks)
    for clock, table in ((left, _BEFORE), (age, _AFTER)):
        for frames, (along, across, glow) in table.items():
            rows = np.flatnonzero(clock == frames)
            factor[rows] = [along, across, across] if frames == 0 else factor[rows] * (along + 2 * across) / 3
            if frames == 0:
                axes[rows] = _frames_along(division_axis[rows])
            brightness[rows] *= glow
    dying = _last_before_death(tracks)
    factor[dying] *= 0.65
    brightness[dying] *= 1.5
    radius_um = np.ones(tracks.n) if tracks.radius_um is None else tracks.radius_um
    return Nuclei(radius_um[:, None] * factor, axes, brightness, tracklet)


def _inherited(tracks: Tracks, tracklet: IntArray, rng: np.random.Generator) -> FloatArray:
    """Draw one standard normal value per tracklet, correlated from mother to daughter, shape (tracklets,)."""
    value: FloatArray = rng.standard_normal(int(tracklet.max(initial=-1)) + 1)
    daughters = np.flatnonzero((tracks.parent_row >= 0) & (tracks.n_children[tracks.parent_row] == 2))
    for row in daughters[np.argsort(tracks.t[daughters], kind="stable")]:
        mother = value[tracklet[tracks.parent_row[row]]]
        value[tracklet[row]] = _HERITAGE * mother + np.sqrt(1 - _HERITAGE**2) * value[tracklet[row]]
    return value


def _division_clock(tracks: Tracks) -> tuple[IntArray, IntArray]:
    """Frames since the cell's birth and frames until its division, shape (n,) each; `_GROWN` where none is known."""
    order = np.argsort(tracks.t, kind="stable")
    children = tracks.n_children
    age, left = np.full(tracks.n, _GROWN), np.full(tracks.n, _GROWN)
    for row in order:
        parent = tracks.parent_row[row]
        if parent >= 0:
            age[row] = 0 if children[parent] == 2 else min(age[parent] + 1, _GROWN)
    left[children == 2] = 0
    for row in order[::-1]:
        parent = tracks.parent_row[row]
        if parent >= 0 and children[parent] == 1:
            left[parent] = min(left[row] + 1, _GROWN)
    return age, left


def _division_axes(tracks: Tracks) -> FloatArray:
    """Direction from one daughter to the other, for mothers and daughters, shape (n, 3); z elsewhere."""
    axes = np.tile([1.0, 0.0, 0.0], (tracks.n, 1))
    child = np.flatnonzero(tracks.parent_row >= 0)
    child = child[np.argsort(tracks.parent_row[child], kind="stable")]
    parent = tracks.parent_row[child]
    first = np.flatnonzero(parent[1:] == parent[:-1])
    a, b = child[first], child[first + 1]
    apart = tracks.zyx_um[b] - tracks.zyx_um[a]
    length = np.linalg.norm(apart, axis=1, keepdims=True)
    unit = np.where(length > 0, apart / np.maximum(length, 1e-9), [1.0, 0.0, 0.0])
    axes[a], axes[b], axes[parent[first]] = unit, unit, unit
    return axes


def _frames_along(direction: FloatArray) -> FloatArray:
    """Orthonormal rows of which the first is `direction`, shape (n, 3, 3)."""
    aside = np.eye(3)[np.abs(direction).argmin(axis=1)]
    second = np.cross(direction, aside)
    second /= np.linalg.norm(second, axis=1, keepdims=True)
    return np.stack([direction, second, np.cross(direction, second)], axis=1)


def _last_before_death(tracks: Tracks) -> IntArray:
    """Rows of cells that are gone in the next frame."""
    return np.flatnonzero((tracks.n_children == 0) & (tracks.t < tracks.t.max(initial=0)))
