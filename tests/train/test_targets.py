from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from morula.train.augment import draw_warp
from morula.train.labels import LabelKind
from morula.train.params import TrainParams
from morula.train.targets import CropPoints, Targets, draw_targets

PARAMS = TrainParams(target_sigma_um=(1.5, 1.0, 1.0), mask_radius_um=3.0, movement_radius_um=2.0)
PAPER = replace(PARAMS, background="paper")


def _grid(size=(9, 21, 21), step=(1.0, 1.0, 1.0)) -> np.ndarray:
    axes = [(np.arange(n) - (n - 1) / 2) * s for n, s in zip(size, step, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).astype(np.float32)


GRID = _grid()


def _points(*points: tuple[tuple[float, float, float], LabelKind, tuple[float, float, float] | None]) -> CropPoints:
    """Points from position, kind and the mother's position (None if unknown)."""
    return CropPoints(
        crop_um=np.array([p[0] for p in points], float).reshape(-1, 3),
        mother_um=np.array([p[2] or (0, 0, 0) for p in points], float).reshape(-1, 3),
        kind=np.array([p[1] for p in points], np.int64),
        has_mother=np.array([p[2] is not None for p in points], bool),
    )


def _distance(point) -> np.ndarray:
    return np.linalg.norm(GRID - np.array(point, np.float32), axis=-1)


def _at(targets: Targets, voxel: tuple[int, int, int]) -> np.ndarray:
    return targets.movement_um[(slice(None), *voxel)]


ONE = ((0.3, -4.0, 2.0), LabelKind.ANNOTATION, (1.0, -3.0, 2.0))


def test_the_indicator_is_a_gaussian_of_height_one_with_its_own_width_on_each_axis() -> None:
    targets = draw_targets(_points(ONE), GRID, PARAMS)
    inside = _distance(ONE[0]) < 4.0 * 1.5
    expected = np.exp(-0.5 * (((GRID - np.array(ONE[0])) / PARAMS.target_sigma_um) ** 2).sum(axis=-1))
    assert np.allclose(targets.indicator[inside], expected[inside], atol=1e-6)
    assert targets.indicator[~inside].max() < 1e-3


def test_with_the_papers_mask_nothing_counts_outside_the_balls() -> None:
    targets = draw_targets(_points(ONE), GRID, PAPER)
    assert np.array_equal(targets.near, _distance(ONE[0]) <= 3.0)
    assert not targets.background.any()
    assert np.array_equal(targets.moving, _distance(ONE[0]) <= 2.0)


def test_the_movement_is_the_mother_minus_the_voxel() -> None:
    targets = draw_targets(_points(ONE), GRID, PARAMS)
    expected = np.array(ONE[2], np.float32) - GRID[targets.moving]
    assert np.allclose(np.moveaxis(targets.movement_um, 0, -1)[targets.moving], expected, atol=1e-6)
    assert (np.moveaxis(targets.movement_um, 0, -1)[~targets.moving] == 0).all()


@pytest.mark.parametrize("params", [PARAMS, PAPER])
def test_where_balls_overlap_the_nearest_annotation_wins(params) -> None:
    left = ((0.0, 0.0, -0.7), LabelKind.ANNOTATION, (0.0, 5.0, 0.0))
    right = ((0.0, 0.0, 0.7), LabelKind.ANNOTATION, (0.0, -5.0, 0.0))
    targets = draw_targets(_points(left, right), GRID, params)
    nearer = _distance(left[0]) < _distance(right[0])
    both = (_distance(left[0]) <= 2.0) & (_distance(right[0]) <= 2.0) & (GRID[..., 2] != 0)
    assert both.sum() > 3
    mothers = np.where(nearer[..., None], left[2], right[2])
    assert np.allclose(np.moveaxis(targets.movement_um, 0, -1)[both], (mothers - GRID)[both], atol=1e-6)
    assert np.array_equal(targets.near, (_distance(left[0]) <= 3.0) | (_distance(right[0]) <= 3.0))


def test_a_nearest_annotation_without_mother_gives_no_movement_even_if_a_farther_one_has_one() -> None:
    orphan = ((0.0, 0.0, -1.0), LabelKind.ANNOTATION, None)
    child = ((0.0, 0.0, 1.0), LabelKind.ANNOTATION, (0.0, 0.0, 2.0))
    targets = draw_targets(_points(orphan, child), GRID, PARAMS)
    assert not targets.moving[4, 10, 9]
    assert targets.moving[4, 10, 11]
    assert targets.indicator[4, 10, 9] == pytest.approx(1.0)


def test_far_from_every_blob_is_background_and_undecided_blobs_are_left_out() -> None:
    weak = ((0.0, 6.0, -5.0), LabelKind.WEAK_BLOB, None)
    targets = draw_targets(_points(ONE, weak), GRID, PARAMS)
    assert np.array_equal(targets.background, (_distance(ONE[0]) > 3.0) & (_distance(weak[0]) > 3.0))
    assert np.array_equal(targets.near, _distance(ONE[0]) <= 3.0)
    assert targets.indicator[_distance(weak[0]) < 2].max() < 1e-3


def test_beside_an_undecided_blob_the_annotation_still_counts() -> None:
    weak = ((0.3, -4.0, 4.0), LabelKind.WEAK_BLOB, None)
    targets = draw_targets(_points(ONE, weak), GRID, PARAMS)
    assert np.array_equal(targets.near, _distance(ONE[0]) <= 3.0)


@pytest.mark.parametrize("kind", [LabelKind.CLEAR_BLOB, LabelKind.LINEAGE])
def test_pseudo_labels_count_as_nuclei_and_move_only_if_their_mother_is_known(kind) -> None:
    for mother in (None, (1.0, 1.0, 1.0)):
        targets = draw_targets(_points(((0.0, 0.0, 0.0), kind, mother)), GRID, PARAMS)
        assert targets.indicator[4, 10, 10] == pytest.approx(1.0)
        assert np.array_equal(targets.near, _distance((0, 0, 0)) <= 3.0)
        assert targets.moving.any() == (mother is not None)


def test_a_crop_without_points_is_background_unless_the_mask_is_the_papers() -> None:
    assert draw_targets(_points(), GRID, PARAMS).background.all()
    nothing = draw_targets(_points(), GRID, PAPER)
    assert not (nothing.near | nothing.background | nothing.moving).any()
    assert nothing.indicator.max() == 0
    assert nothing.movement_um.shape == (3, *GRID.shape[:-1])


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    voxel=st.sampled_from([(1.0, 1.0, 1.0), (2.0, 0.8, 0.8)]),
    warp_share=st.sampled_from([0.0, 1.0]),
    shift_um=st.sampled_from([0.0, 2.0]),
)
def test_vectors_lead_to_the_mother_whatever_the_augmentation(seed, voxel, warp_share, shift_um) -> None:
    """Voxel plus vector, brought back into the movie, is where the mother was: mirrored, turned, warped and shifted."""
    params = replace(PARAMS, warp_share=warp_share, frame_shift_um=shift_um)
    rng = np.random.default_rng(seed)
    warp = draw_warp(rng, np.array([30.0, 40.0, 50.0]), np.array([8, 20, 20]), np.array(voxel), params)
    daughter = warp.to_movie(rng.uniform(-3, 3, (1, 3)), 1)
    mother = daughter + rng.normal(0, 2, 3)
    grid = _grid((8, 20, 20), voxel)
    points = CropPoints(
        warp.to_crop(daughter, 1), warp.to_crop(mother, 0), np.array([LabelKind.ANNOTATION]), np.ones(1, bool)
    )
    targets = draw_targets(points, grid, params)
    assert targets.moving.sum() > 5
    voxels, vectors = grid[targets.moving], np.moveaxis(targets.movement_um, 0, -1)[targets.moving]
    assert np.abs(warp.to_movie(voxels + vectors, 0) - mother).max() < 0.01
    brightest = grid[np.unravel_index(targets.indicator.argmax(), targets.indicator.shape)]
    assert np.abs(warp.to_movie(brightest[None], 1) - daughter).max() < 2 * max(voxel)
