"""Targets of a crop, drawn from points after augmentation: indicator, movement, events, and where each counts."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from morula.core.columns import BoolArray, FloatArray, IntArray
from morula.train.grids import Grid
from morula.train.labels import LabelKind
from morula.train.params import TrainParams

Float32Array = npt.NDArray[np.float32]
_FOUR_SIGMA = 4.0
_LEAST_NEAR = 0.04
"""Indicator from which a voxel counts as near a nucleus; the ring around it is background, where that is taught."""

_ROUNDING_UM = 1e-3
UNKNOWN = -1
"""Value of an event nobody knows about."""


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
    events
        `divides` and `born` of `Labels`, shape (n, 2): 1, 0, or −1 where nobody knows.
    size
        Factor of widths and radii around each point, shape (n,); ones if left out.
    """

    crop_um: FloatArray
    mother_um: FloatArray
    kind: IntArray
    has_mother: BoolArray
    events: IntArray
    size: FloatArray = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        if not len(self.size):
            object.__setattr__(self, "size", np.ones(len(self.kind)))


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """What the network should say, on its two grids.

    Parameters
    ----------
    indicator
        Gaussian of height 1 at each centre, shape (z, y, x).
    near
        Voxels close to a labelled centre, where the indicator counts, shape (z, y, x).
    background
        Voxels known to be background, shape (z, y, x).
    movement_um
        Mother centre minus voxel position, µm, shape (3, z', y', x'), on the grid of the vectors.
    moving
        Voxels where the movement counts, shape (z', y', x').
    events
        `divides` and `born`: 1 or 0 near the centre of a nucleus where it is known, −1 elsewhere, shape
        (2, z', y', x'), float32.
    """

    indicator: Float32Array
    near: BoolArray
    background: BoolArray
    movement_um: Float32Array
    moving: BoolArray
    events: Float32Array


def draw_targets(points: CropPoints, outputs: Grid, vectors: Grid, params: TrainParams) -> Targets:
    """Draw the targets of a crop.

    Parameters
    ----------
    points
        Label points.
    outputs, vectors
        Where the network says the indicator, and where it says movement and events, in crop coordinates.
    params
        Widths and masks. With ``background="paper"`` the loss is confined to balls around annotations
        (Malin-Mayor et al. 2023); where balls overlap, the nearest annotation wins. Otherwise only the inner part of
        a ball counts as near, where the indicator is above 0.04, and the rest of it as background: the nucleus itself
        then has a quarter of the loss near it instead of a tenth.
    """
    labelled = points.kind != LabelKind.WEAK_BLOB
    centres, size = points.crop_um[labelled], points.size[labelled].astype(np.float32)
    largest = float(size.max(initial=1.0))
    reach = largest * max(params.mask_radius_um, _FOUR_SIGMA * max(params.target_sigma_um))
    distance, nearest = _find_nearest(centres, outputs, reach)
    indicator = _draw_indicator(centres, size, outputs, np.isfinite(distance), nearest, params.target_sigma_um)
    near = _within(distance, nearest, params.mask_radius_um, size)
    if params.background == "paper":
        background = np.zeros_like(near)
    else:
        near &= indicator > _LEAST_NEAR
        weak_distance, _ = _find_nearest(points.crop_um[~labelled], outputs, params.mask_radius_um)
        background = ~near & ~np.isfinite(weak_distance)
    distance_to_vectors, owner = _find_nearest(centres, vectors, largest * params.movement_radius_um)
    inner = _within(distance_to_vectors, owner, params.movement_radius_um, size)
    movement, moving = _draw_movement(points, labelled, vectors, inner, owner)
    return Targets(
        indicator=indicator,
        near=near,
        background=background,
        movement_um=movement,
        moving=moving,
        events=_draw_events(points.events[labelled], inner, owner),
    )


def _within(distance: Float32Array, nearest: IntArray, radius_um: float, size: Float32Array) -> BoolArray:
    """Voxels within the radius of the nearest centre, which is as much larger as its nucleus."""
    if not len(size):
        return np.zeros(distance.shape, bool)
    inside: BoolArray = distance <= np.float32(radius_um) * size[nearest]
    return inside


def _draw_indicator(
    centres_um: FloatArray,
    size: Float32Array,
    grid: Grid,
    inside: BoolArray,
    nearest: IntArray,
    sigma_um: tuple[float, float, float],
) -> Float32Array:
    """Gaussian of height 1 around the nearest centre, zero beyond reach."""
    indicator = np.zeros(grid.shape, np.float32)
    voxels = np.nonzero(inside)
    owners = centres_um.astype(np.float32)[nearest[voxels]]
    squared = np.zeros(len(owners), np.float32)
    for axis, index, sigma, owner in zip(grid.axes, voxels, sigma_um, owners.T, strict=True):
        squared += ((axis[index] - owner) / np.float32(sigma)) ** 2
    indicator[voxels] = np.exp(-0.5 * squared / size[nearest[voxels]] ** 2)
    return indicator


def _draw_movement(
    points: CropPoints, labelled: BoolArray, grid: Grid, inner: BoolArray, owner: IntArray
) -> tuple[Float32Array, BoolArray]:
    movement = np.zeros((3, *grid.shape), np.float32)
    moving = inner.copy()
    moving[inner] = points.has_mother[labelled].astype(bool)[owner[inner]]
    voxels = np.nonzero(moving)
    mothers = points.mother_um[labelled].astype(np.float32)[owner[voxels]]
    for axis, index, one, mother in zip(grid.axes, voxels, movement, mothers.T, strict=True):
        one[voxels] = mother - axis[index]
    return movement, moving


def _draw_events(events: IntArray, inner: BoolArray, owner: IntArray) -> Float32Array:
    drawn = np.full((2, *inner.shape), UNKNOWN, np.float32)
    drawn[:, inner] = events[owner[inner]].T
    return drawn


def _find_nearest(centres_um: FloatArray, grid: Grid, reach_um: float) -> tuple[Float32Array, IntArray]:
    """Distance of each voxel to the nearest centre in µm, infinite beyond the reach; and its row.

    Each centre is compared with the voxels of a box around it alone: few centres, many voxels.
    """
    side_um = reach_um + _ROUNDING_UM
    squared = np.full(grid.shape, np.inf, np.float32)
    row = np.zeros(grid.shape, np.int64)
    centres = centres_um.astype(np.float32)
    first, last = (
        np.stack([np.searchsorted(axis, c + side) for axis, c in zip(grid.axes, centres.T, strict=True)], axis=1)
        for side in (-side_um, side_um)
    )
    for index in np.flatnonzero((first < last).all(axis=1)):
        box = tuple(slice(a, b) for a, b in zip(first[index].tolist(), last[index].tolist(), strict=True))
        z, y, x = ((axis[side] - c) ** 2 for axis, side, c in zip(grid.axes, box, centres[index], strict=True))
        here = z[:, None, None] + y[:, None] + x
        nearer = here < squared[box]
        np.copyto(squared[box], here, where=nearer)
        np.copyto(row[box], index, where=nearer)
    squared[squared > reach_um**2] = np.inf
    return np.sqrt(squared), row
