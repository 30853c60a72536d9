from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from morula.train.augment import Warp, change_intensity, draw_warp
from morula.train.params import TrainParams

SEEDS = st.integers(0, 2**32 - 1)
VOXELS = st.sampled_from([(1.0, 1.0, 1.0), (2.0, 0.8, 0.8), (5.0, 0.5, 0.5), (1.2, 1.0, 1.0)])
EXACT = TrainParams(warp_share=0.0)
ELASTIC = TrainParams(warp_share=1.0)
CROP = np.array([12, 24, 24])


def _draw(seed: int, voxel, params: TrainParams, crop=CROP) -> Warp:
    return draw_warp(np.random.default_rng(seed), np.array([30.0, 41.3, 52.7]), crop, np.array(voxel), params)


def _points(seed: int, n: int = 50) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-15, 15, (n, 3))


@settings(deadline=None)
@given(seed=SEEDS, voxel=VOXELS, frame=st.integers(0, 2))
def test_exact_warps_are_undone_exactly(seed, voxel, frame) -> None:
    warp, points = _draw(seed, voxel, EXACT), _points(seed)
    assert np.allclose(warp.to_crop(warp.to_movie(points, frame), frame), points, atol=1e-9)
    assert np.allclose(warp.to_movie(warp.to_crop(points, frame), frame), points, atol=1e-9)


@settings(deadline=None)
@given(seed=SEEDS, voxel=VOXELS, frame=st.integers(0, 2), elastic_um=st.sampled_from([1.0, 3.0, 9.0]))
def test_elastic_warps_are_undone_to_a_few_nanometres_and_never_fold(seed, voxel, frame, elastic_um) -> None:
    warp, points = _draw(seed, voxel, replace(ELASTIC, elastic_um=elastic_um)), _points(seed)
    assert np.abs(warp.to_crop(warp.to_movie(points, frame), frame) - points).max() < 0.005


@settings(deadline=None)
@given(seed=SEEDS, voxel=VOXELS, crop=st.tuples(*[st.integers(1, 9).map(lambda n: 2 * n)] * 3), frame=st.integers(0, 2))
def test_exact_warps_lay_crop_voxels_on_movie_voxels(seed, voxel, crop, frame) -> None:
    warp = _draw(seed, voxel, EXACT, np.array(crop))
    grid = np.stack(np.meshgrid(*(np.arange(n) - (n - 1) / 2 for n in crop), indexing="ij"), axis=-1).reshape(-1, 3)
    where = warp.to_movie(grid * voxel, frame) / voxel
    assert np.abs(where - np.round(where)).max() < 1e-6
    assert len(np.unique(np.round(where), axis=0)) == len(where)


@settings(deadline=None)
@given(seed=SEEDS, voxel=VOXELS, params=st.sampled_from([EXACT, ELASTIC]))
def test_the_middle_frame_is_not_shifted_and_the_centre_stays_near(seed, voxel, params) -> None:
    warp = _draw(seed, voxel, params)
    assert warp.shift_um[1].tolist() == [0, 0, 0]
    centre = warp.to_movie(np.zeros((1, 3)), 1)[0] - warp.wave_um.T @ np.sin(warp.wave_phases)
    assert (np.abs(centre - [30.0, 41.3, 52.7]) <= np.array(voxel) / 2 + 1e-9).all()


@settings(deadline=None)
@given(seed=SEEDS, voxel=VOXELS)
def test_a_warp_turns_and_mirrors_but_shears_nothing(seed, voxel) -> None:
    for params, largest in ((EXACT, 0.0), (ELASTIC, 0.1)):
        matrix = _draw(seed, voxel, params).matrix
        scale = abs(np.linalg.det(matrix)) ** (1 / 3)
        assert abs(np.log(scale)) <= largest + 1e-9
        assert np.allclose(matrix @ matrix.T, scale**2 * np.eye(3), atol=1e-9)


@settings(deadline=None)
@given(seed=SEEDS)
def test_coarse_planes_stay_planes(seed) -> None:
    """With coarse z, whatever happens in the plane, z is only mirrored and scaled."""
    for params in (EXACT, ELASTIC):
        matrix = _draw(seed, (5.0, 0.5, 0.5), params).matrix
        assert matrix[0, 1:].tolist() == matrix[1:, 0].tolist() == [0, 0]


def test_every_mirroring_and_every_transposition_of_equal_axes_is_drawn() -> None:
    drawn = {voxel: set() for voxel in [(1.0, 1.0, 1.0), (2.0, 1.0, 1.0), (2.0, 1.0, 1.5)]}
    for voxel, seen in drawn.items():
        for seed in range(600):
            seen.add(tuple(_draw(seed, voxel, EXACT).matrix.round().astype(int).ravel().tolist()))
    assert [len(seen) for seen in drawn.values()] == [48, 16, 8]


def test_shifts_have_the_size_asked_for() -> None:
    still = replace(EXACT, frame_shift_um=0.0)
    assert all((_draw(seed, (1.0, 1.0, 1.0), still).shift_um == 0).all() for seed in range(20))
    shaky = replace(ELASTIC, frame_shift_um=2.0)
    shifts = np.array([_draw(seed, (1.0, 1.0, 1.0), shaky).shift_um for seed in range(300)])
    assert np.std(shifts[:, [0, 2]]) == pytest.approx(2.0, rel=0.1)


def test_a_warp_is_a_function_of_its_seed() -> None:
    one, other = (_draw(5, (1.0, 1.0, 1.0), ELASTIC) for _ in range(2))
    assert np.array_equal(one.to_movie(_points(0), 0), other.to_movie(_points(0), 0))


def test_intensities_change_alike_in_all_frames_and_noise_does_not() -> None:
    crop = np.random.default_rng(0).random((3, 4, 8, 8)).astype(np.float32)
    rng = np.random.default_rng(1)
    smooth = change_intensity(rng, crop, TrainParams(noise=0.0, intensity_change=0.25))
    gain, offset = np.polyfit(crop.ravel(), smooth.ravel(), 1)
    assert np.allclose(smooth, gain * crop + offset, atol=1e-5)
    assert 0.75 <= gain <= 1.25
    assert abs(offset) <= 0.25 / 3
    assert (gain, offset) != (1.0, 0.0)
    noisy = change_intensity(rng, crop, TrainParams(noise=0.5, intensity_change=0.0))
    assert 0 < np.std(noisy - crop) < 0.55
    assert noisy.dtype == np.float32
    same = change_intensity(rng, crop, TrainParams(noise=0.0, intensity_change=0.0))
    assert np.array_equal(same, crop)
