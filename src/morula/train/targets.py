"""Targets of a crop, drawn from points after augmentation: indicator, movement vectors and where each counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from morula.core.columns import BoolArray, FloatArray, IntArray
from morula.train.labels import LabelKind
from morula.train.params import TrainParams

Float32Array = npt.NDArray[np.float32]
_FOUR_SIGMA = 4.0


@dataclass(frozen=True, slots=True, eq=False)
class CropPoints:
    """Label points of one crop in crop coordinates.

    Parameters
    ----------
    crop_um
        Position, shape (n, 3).
    mother_um
        Position of the mother in frame t−1, crop coordinates, shape (n, 3); used where `has_mother`.
    kind, has_mother
        As in `Labels`, shape (n,).
    """

    crop_um: FloatArray
    mother_um: FloatArray
    kind: IntArray
    has_mother: BoolArray


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """What the network should say, on the working grid.

    Parameters
    ----------
    indicator
        Gaussian of height 1 at each centre, shape (z, y, x).
    near
        Voxels close to a labelled centre, where the indicator counts, shape (z, y, x).
    background
        Voxels known to be background, shape (z, y, x).
    movement_um
        Mother centre minus voxel position, µm, shape (3, z, y, x).
    moving
        Voxels where the movement counts, shape (z, y, x).
    """

    indicator: Float32Array
    near: BoolArray
    background: BoolArray
    movement_um: Float32Array
    moving: BoolArray


def draw_targets(points: CropPoints, grid_um: Float32Array, params: TrainParams) -> Targets:
    """Draw the targets of a crop.

    Parameters
    ----------
    points
        Label points.
    grid_um
        Position of each output voxel in crop coordinates, shape (z, y, x, 3).
    params
        Widths and masks. With ``background="paper"`` the loss is confined to balls around annotations
        (Malin-Mayor et al. 2023); where balls overlap, the nearest annotation wins.
    """
    labelled = points.kind != LabelKind.WEAK_BLOB
    centres = points.crop_um[labelled]
    reach = max(params.mask_radius_um, params.movement_radius_um, _FOUR_SIGMA * max(params.target_sigma_um))
    distance, nearest = _nearest(centres, grid_um, 1.01 * reach)
    near = distance <= params.mask_radius_um
    if params.background == "paper":
        background = np.zeros_like(near)
    else:
        weak_distance, _ = _nearest(points.crop_um[~labelled], grid_um, 1.01 * params.mask_radius_um)
        background = ~near & (weak_distance > params.mask_radius_um)
    movement, moving = _draw_movement(points, labelled, grid_um, distance, nearest, params.movement_radius_um)
    indicator = _draw_indicator(centres, grid_um, distance, nearest, params)
    return Targets(indicator, near, background, movement, moving)


def _draw_indicator(
    centres_um: FloatArray, grid_um: Float32Array, distance: Float32Array, nearest: IntArray, params: TrainParams
) -> Float32Array:
    """Gaussian of height 1 around the nearest centre, zero beyond reach."""
    indicator = np.zeros(distance.shape, np.float32)
    inside = np.isfinite(distance)
    offset = (grid_um[inside] - centres_um.astype(np.float32)[nearest[inside]]) / np.array(
        params.target_sigma_um, np.float32
    )
    indicator[inside] = np.exp(-0.5 * (offset**2).sum(axis=-1))
    return indicator


def _draw_movement(
    points: CropPoints,
    labelled: BoolArray,
    grid_um: Float32Array,
    distance: Float32Array,
    nearest: IntArray,
    reach_um: float,
) -> tuple[Float32Array, BoolArray]:
    if not labelled.any():
        return np.zeros((3, *distance.shape), np.float32), np.zeros(distance.shape, bool)
    mothers = points.mother_um[labelled].astype(np.float32)[nearest]
    moving = (distance <= reach_um) & points.has_mother[labelled].astype(bool)[nearest]
    movement = np.where(moving[..., None], mothers - grid_um, 0.0).astype(np.float32)
    return np.ascontiguousarray(np.moveaxis(movement, -1, 0)), moving


def _nearest(centres_um: FloatArray, grid_um: Float32Array, reach_um: float) -> tuple[Float32Array, IntArray]:
    """Distance of each voxel to the nearest centre in µm, infinite beyond the reach; and its row."""
    shape = grid_um.shape[:-1]
    if not len(centres_um):
        return np.full(shape, np.inf, np.float32), np.zeros(shape, np.int64)
    found = cKDTree(centres_um).query(grid_um.reshape(-1, 3), distance_upper_bound=reach_um)
    distance, row = np.asarray(found[0], np.float32), np.minimum(found[1], len(centres_um) - 1)
    return distance.reshape(shape), np.asarray(row, np.int64).reshape(shape)
