from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from morula.train.augment import draw_warp
from morula.train.grids import Grid
from morula.train.labels import LabelKind
from morula.train.params import TrainParams
from morula.train.targets import UNKNOWN, CropPoints, Targets, draw_targets

PARAMS = TrainParams(target_sigma_um=(1.5, 1.3, 1.3), mask_radius_um=3.0, movement_radius_um=2.0)
PAPER = replace(PARAMS, background="paper")


def _grid(size=(9, 21, 21), step=(1.0, 1.0, 1.0)) -> Grid:
    z, y, x = (((np.arange(n) - (n - 1) / 2) * s).astype(np.float32) for n, s in zip(size, step, strict=True))
    return Grid((z, y, x))


LATTICE = _grid()
GRID = LATTICE.points_um()


def _draw(points: CropPoints, params: TrainParams) -> Targets:
    """Targets where vectors are as fine as the indicator."""
    return draw_targets(points, LATTICE, LATTICE, params)


def _points(
    *points: tuple[tuple[float, float, float], LabelKind, tuple[float, float, float] | None], events=None
) -> CropPoints:
    """Points from position, kind and the mother's position (None if unknown)."""
    unknown = np.full((len(points), 2), UNKNOWN)
    return CropPoints(
        events=unknown if events is None else np.array(events),
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
    targets = _draw(_points(ONE), PARAMS)
    inside = _distance(ONE[0]) < 4.0 * 1.5
    expected = np.exp(-0.5 * (((GRID - np.array(ONE[0])) / PARAMS.target_sigma_um) ** 2).sum(axis=-1))
    assert np.allclose(targets.indicator[inside], expected[inside], atol=1e-6)
    assert targets.indicator[~inside].max() < 1e-3


def test_with_the_papers_mask_nothing_counts_outside_the_balls() -> None:
    targets = _draw(_points(ONE), PAPER)
    assert np.array_equal(targets.near, _distance(ONE[0]) <= 3.0)
    assert not targets.background.any()
    assert np.array_equal(targets.moving, _distance(ONE[0]) <= 2.0)


def test_the_movement_is_the_mother_minus_the_voxel() -> None:
    targets = _draw(_points(ONE), PARAMS)
    expected = np.array(ONE[2], np.float32) - GRID[targets.moving]
    assert np.allclose(np.moveaxis(targets.movement_um, 0, -1)[targets.moving], expected, atol=1e-6)
    assert (np.moveaxis(targets.movement_um, 0, -1)[~targets.moving] == 0).all()


@pytest.mark.parametrize("params", [PARAMS, PAPER])
def test_where_balls_overlap_the_nearest_annotation_wins(params) -> None:
    left = ((0.0, 0.0, -0.7), LabelKind.ANNOTATION, (0.0, 5.0, 0.0))
    right = ((0.0, 0.0, 0.7), LabelKind.ANNOTATION, (0.0, -5.0, 0.0))
    targets = _draw(_points(left, right), params)
    nearer = _distance(left[0]) < _distance(right[0])
    both = (_distance(left[0]) <= 2.0) & (_distance(right[0]) <= 2.0) & (GRID[..., 2] != 0)
    assert both.sum() > 3
    mothers = np.where(nearer[..., None], left[2], right[2])
    assert np.allclose(np.moveaxis(targets.movement_um, 0, -1)[both], (mothers - GRID)[both], atol=1e-6)
    assert np.array_equal(targets.near, (_distance(left[0]) <= 3.0) | (_distance(right[0]) <= 3.0))


def test_a_nearest_annotation_without_mother_gives_no_movement_even_if_a_farther_one_has_one() -> None:
    orphan = ((0.0, 0.0, -1.0), LabelKind.ANNOTATION, None)
    child = ((0.0, 0.0, 1.0), LabelKind.ANNOTATION, (0.0, 0.0, 2.0))
    targets = _draw(_points(orphan, child), PARAMS)
    assert not targets.moving[4, 10, 9]
    assert targets.moving[4, 10, 11]
    assert targets.indicator[4, 10, 9] == pytest.approx(1.0)


def test_far_from_every_blob_is_background_and_undecided_blobs_are_left_out() -> None:
    weak = ((0.0, 6.0, -5.0), LabelKind.WEAK_BLOB, None)
    targets = _draw(_points(ONE, weak), PARAMS)
    assert np.array_equal(targets.background, (_distance(ONE[0]) > 3.0) & (_distance(weak[0]) > 3.0))
    assert np.array_equal(targets.near, _distance(ONE[0]) <= 3.0)
    assert targets.indicator[_distance(weak[0]) < 2].max() < 1e-3


def test_the_outer_ring_of_a_ball_is_background_where_background_is_taught() -> None:
    """A narrow nucleus in a wide ball: near is where it shines; undecided neighbours are left out of the ring too."""
    narrow = replace(PARAMS, target_sigma_um=(1.0, 0.8, 0.8))
    weak = ((0.3, -4.0, 6.5), LabelKind.WEAK_BLOB, None)
    targets = _draw(_points(ONE, weak), narrow)
    ring = (_distance(ONE[0]) <= 3.0) & (targets.indicator <= 0.04)
    assert np.array_equal(targets.near, (_distance(ONE[0]) <= 3.0) & ~ring)
    assert np.array_equal(targets.background[ring], (_distance(weak[0]) > 3.0)[ring])
    assert 0 < (_distance(weak[0])[ring] <= 3.0).sum() < ring.sum()
    paper = _draw(_points(ONE), replace(narrow, background="paper"))
    assert np.array_equal(paper.near, _distance(ONE[0]) <= 3.0)


def test_beside_an_undecided_blob_the_annotation_still_counts() -> None:
    weak = ((0.3, -4.0, 4.0), LabelKind.WEAK_BLOB, None)
    targets = _draw(_points(ONE, weak), PARAMS)
    assert np.array_equal(targets.near, _distance(ONE[0]) <= 3.0)


@pytest.mark.parametrize("kind", [LabelKind.CLEAR_BLOB, LabelKind.LINEAGE])
def test_pseudo_labels_count_as_nuclei_and_move_only_if_their_mother_is_known(kind) -> None:
    for mother in (None, (1.0, 1.0, 1.0)):
        targets = _draw(_points(((0.0, 0.0, 0.0), kind, mother)), PARAMS)
        assert targets.indicator[4, 10, 10] == pytest.approx(1.0)
        assert np.array_equal(targets.near, _distance((0, 0, 0)) <= 3.0)
        assert targets.moving.any() == (mother is not None)


def test_a_crop_without_points_is_background_unless_the_mask_is_the_papers() -> None:
    assert _draw(_points(), PARAMS).background.all()
    nothing = _draw(_points(), PAPER)
    assert not (nothing.near | nothing.background | nothing.moving).any()
    assert nothing.indicator.max() == 0
    assert nothing.movement_um.shape == (3, *GRID.shape[:-1])


def test_vectors_and_events_lie_on_their_own_coarser_grid() -> None:
    """Every vector leads from the centre of its voxel, 2×2 outputs wide, to the mother."""
    fine = _grid((9, 22, 22))
    coarse = fine.every((1, 2, 2))
    targets = draw_targets(_points(ONE, events=[[1, 0]]), fine, coarse, PARAMS)
    assert targets.indicator.shape == targets.near.shape == (9, 22, 22)
    assert targets.moving.shape == (9, 11, 11)
    centres = coarse.points_um()
    assert np.array_equal(targets.moving, np.linalg.norm(centres - np.array(ONE[0], np.float32), axis=-1) <= 2.0)
    tips = centres + np.moveaxis(targets.movement_um, 0, -1)
    assert np.allclose(tips[targets.moving], ONE[2], atol=1e-5)
    assert np.array_equal(targets.events[0] == 1, targets.moving)
    assert np.array_equal(targets.events[1] == 0, targets.moving)


def test_events_are_known_near_the_centres_of_those_of_whom_they_are_known() -> None:
    mother = ((0.0, 0.0, -5.0), LabelKind.ANNOTATION, None)
    daughter = ((0.0, 0.0, 5.0), LabelKind.LINEAGE, (0.0, 0.0, 4.0))
    weak = ((0.0, 7.0, 0.0), LabelKind.WEAK_BLOB, None)
    events = _draw(_points(mother, daughter, weak, events=[[1, -1], [0, 1], [1, 1]]), PARAMS).events
    near = [_distance(point[0]) <= 2.0 for point in (mother, daughter)]
    assert np.array_equal(events[0], np.select(near, [1, 0], UNKNOWN))
    assert np.array_equal(events[1], np.select(near, [UNKNOWN, 1], UNKNOWN))


@settings(deadline=None, max_examples=60)
@given(
    centres=st.lists(st.tuples(*[st.floats(-12, 12)] * 3), max_size=6),
    reach=st.floats(0.3, 9),
    step=st.sampled_from([(1.0, 1.0, 1.0), (2.0, 0.8, 0.8)]),
)
def test_balls_are_the_voxels_within_reach_of_any_centre(centres, reach, step) -> None:
    """The boxes in which they are drawn hide no voxel and add none."""
    lattice = _grid(step=step)
    params = replace(PARAMS, mask_radius_um=reach, movement_radius_um=reach, target_sigma_um=(reach / 2,) * 3)
    targets = draw_targets(_points(*((c, LabelKind.ANNOTATION, c) for c in centres)), lattice, lattice, params)
    points = lattice.points_um()
    distance = np.min(
        [np.linalg.norm(points - np.array(c, np.float32), axis=-1) for c in centres] or [points[..., 0] * 0 + 99],
        axis=0,
    )
    clear = np.abs(distance - reach) > 1e-4
    assert np.array_equal(targets.near[clear], (distance <= reach)[clear])
    assert np.array_equal(targets.moving[clear], (distance <= reach)[clear])
    assert np.array_equal(targets.background[clear], (distance > reach)[clear])


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
    lattice = _grid((8, 20, 20), voxel)
    points = CropPoints(
        crop_um=warp.to_crop(daughter, 1),
        mother_um=warp.to_crop(mother, 0),
        kind=np.array([LabelKind.ANNOTATION]),
        has_mother=np.ones(1, bool),
        events=np.zeros((1, 2), np.int64),
    )
    targets, grid = draw_targets(points, lattice, lattice, params), lattice.points_um()
    assert targets.moving.sum() > 5
    voxels, vectors = grid[targets.moving], np.moveaxis(targets.movement_um, 0, -1)[targets.moving]
    assert np.abs(warp.to_movie(voxels + vectors, 0) - mother).max() < 0.01
    brightest = grid[np.unravel_index(targets.indicator.argmax(), targets.indicator.shape)]
    assert np.abs(warp.to_movie(brightest[None], 1) - daughter).max() < 2 * max(voxel)


@pytest.mark.parametrize("size", [0.5, 1.0, 2.0])
def test_width_and_radii_follow_the_size_of_the_nucleus(size) -> None:
    targets = _draw(replace(_points(ONE), size=np.array([size])), PARAMS)
    assert np.array_equal(targets.near, _distance(ONE[0]) <= 3.0 * size)
    assert np.array_equal(targets.moving, _distance(ONE[0]) <= 2.0 * size)
    offset = (GRID - np.array(ONE[0])) / PARAMS.target_sigma_um / size
    assert np.allclose(
        targets.indicator[targets.near], np.exp(-0.5 * (offset**2).sum(axis=-1))[targets.near], atol=1e-5
    )


def test_a_small_nucleus_beside_a_large_one_keeps_its_own_voxels() -> None:
    small, large = (((0.0, 0.0, x), LabelKind.ANNOTATION, None) for x in (-3.0, 3.0))
    targets = _draw(replace(_points(small, large), size=np.array([0.5, 2.0])), PARAMS)
    nearer = _distance(small[0]) < _distance(large[0])
    sizes = np.where(nearer, 0.5, 2.0)
    distance = np.where(nearer, _distance(small[0]), _distance(large[0]))
    clear = np.abs(_distance(small[0]) - _distance(large[0])) > 1e-3
    assert np.array_equal(targets.near[clear], (distance <= 3.0 * sizes)[clear])
