from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from morula.core.movie import Movie
from morula.core.tracks import Tracks
from morula.network.intensity import IntensityRange
from morula.network.spec import choose_network
from morula.train.augment import draw_warp
from morula.train.grids import Geometry
from morula.train.labels import annotation_labels
from morula.train.params import TrainParams
from morula.train.sampling import CropSampler, FrameReader
from morula.train.warping import interpolate_crop, map_grid, sample_warped

VOXELS = [(1.0, 1.0, 1.0), (2.0, 0.8, 0.8)]
SHAPE = (3, 24, 40, 40)
UNIT = IntensityRange(0.0, 1.0)
SEEDS = st.integers(0, 2**32 - 1)


def _spec(voxel):
    return choose_network(np.array(voxel), np.full(3, 3.0))


def _reader(tzyx, voxel=(1.0, 1.0, 1.0)) -> FrameReader:
    return FrameReader(Movie(tzyx, voxel, name="embryo"), UNIT)


def _middle(voxel) -> np.ndarray:
    return (np.array(SHAPE[1:]) - 1) / 2 * voxel


@settings(deadline=None, max_examples=30)
@given(
    seed=SEEDS,
    voxel=st.sampled_from([*VOXELS, (5.0, 0.5, 0.5), (1.2, 1.0, 1.0)]),
    outputs=st.tuples(*[st.integers(1, 9)] * 3),
    off_um=st.sampled_from([0.0, 60.0]),
)
def test_cutting_out_whole_voxels_is_interpolating_them(seed, voxel, outputs, off_um) -> None:
    """Inside the movie and beyond its faces."""
    movie = Movie(np.random.default_rng(seed).random(SHAPE).astype(np.float32), voxel)
    geometry = Geometry.of(movie, _spec(voxel), outputs)
    params = TrainParams(warp_share=0.0, frame_shift_um=2.0)
    centre = _middle(voxel) + off_um
    warp = draw_warp(np.random.default_rng(seed), centre, np.array(geometry.crop_vox), np.array(voxel), params)
    reader = FrameReader(movie, UNIT)
    assert warp.is_exact
    assert np.abs(sample_warped(reader, 1, warp, geometry) - interpolate_crop(reader, 0, warp, geometry)).max() < 2e-3


@settings(deadline=None, max_examples=30)
@given(seed=SEEDS, voxel=st.sampled_from(VOXELS), warp_share=st.sampled_from([0.0, 1.0]))
def test_the_grid_is_mapped_like_its_single_points(seed, voxel, warp_share) -> None:
    params = TrainParams(warp_share=warp_share, elastic_um=3.0)
    warp = draw_warp(np.random.default_rng(seed), _middle(voxel), np.array([8, 12, 16]), np.array(voxel), params)
    axes = [np.linspace(-20, 20, n) for n in (5, 6, 7)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    assert np.allclose(map_grid(warp, axes).reshape(3, -1).T, warp.to_movie(points, 1), atol=1e-9)


@settings(deadline=None, max_examples=25)
@given(
    seed=SEEDS,
    voxel=st.sampled_from([(1.0, 1.0, 1.0), (2.0, 1.0, 1.0)]),
    warp_share=st.sampled_from([0.0, 1.0]),
    elastic_um=st.sampled_from([0.0, 1.0, 3.0]),
    shift_um=st.sampled_from([0.0, 1.5]),
)
def test_a_rendered_nucleus_lies_on_its_target_whatever_the_augmentation(
    seed, voxel, warp_share, elastic_um, shift_um
) -> None:
    """The brightest output voxel and the highest target are the same or neighbours, in position and in movement."""
    rng = np.random.default_rng(seed)
    where = _middle(voxel) + rng.uniform(-2, 2, (3, 3))
    grid = np.stack(np.meshgrid(*map(np.arange, SHAPE[1:]), indexing="ij"), axis=-1) * voxel
    tzyx = np.stack([np.exp(-((grid - c) ** 2).sum(axis=-1) / (2 * 1.8**2)) for c in where]).astype(np.float32)
    labels = annotation_labels(Tracks.from_ids([0, 1, 2], where, [0, 1, 2], [-1, 0, 1]))
    params = TrainParams(
        warp_share=warp_share, elastic_um=elastic_um, frame_shift_um=shift_um, batch_size=3, crop_outputs=(12, 14, 14),
        random_share=0.0, seed=seed,
    )  # fmt: skip
    sampler = CropSampler(_reader(tzyx, voxel), labels, _spec(voxel), params)
    step = 2.0 * np.array(voxel)  # of the outputs, at most
    for crop, target in zip(*sampler.draw_batch(0), strict=True):
        before, here = (_centre_of_light(crop[i].numpy(), sampler.geometry) for i in (0, 1))
        if here is not None and target.indicator.max() > 0.5:
            highest = np.unravel_index(target.indicator.argmax(), target.indicator.shape)
            peak = sampler.geometry.outputs.points_um()[highest]
            assert (np.abs(peak - here) <= step).all()
        if before is not None and target.moving.any():
            tips = (sampler.geometry.vectors.points_um() + np.moveaxis(target.movement_um, 0, -1))[target.moving]
            assert (np.abs(tips - before) <= 0.5 * step).all()


def _centre_of_light(crop: np.ndarray, geometry: Geometry) -> np.ndarray | None:
    """Place of the blob in a crop, None if it is cut."""
    bright = crop > 0.6 * crop.max()
    faces = np.ones(crop.shape, bool)
    faces[1:-1, 1:-1, 1:-1] = False
    if crop.max() < 0.8 or (bright & faces).any():
        return None
    weight = np.where(bright, crop, 0.0) ** 2
    return (geometry.inputs.points_um() * weight[..., None]).reshape(-1, 3).sum(axis=0) / weight.sum()


@settings(deadline=None, max_examples=40)
@given(seed=SEEDS, voxel=st.sampled_from(VOXELS))
def test_a_bright_voxel_is_found_exactly_where_an_exact_warp_puts_it(seed, voxel) -> None:
    """In each of the three frames, each with its own bright voxel and its own shift."""
    rng, geometry = np.random.default_rng(seed), Geometry.of(Movie(np.zeros(SHAPE), voxel), _spec(voxel), (12, 24, 24))
    params = TrainParams(warp_share=0.0, frame_shift_um=1.0)
    warp = draw_warp(rng, _middle(voxel), np.array(geometry.crop_vox), np.array(voxel), params)
    bright = [np.array([12, 20, 20]) + rng.integers(-3, 4, 3) for _ in range(3)]
    tzyx = np.zeros(SHAPE, np.float32)
    for t in range(3):
        tzyx[(t, *bright[t])] = 1.0
    crop = sample_warped(_reader(tzyx, voxel), 1, warp, geometry)
    assert crop.shape == (3, *geometry.crop_vox)
    for frame in range(3):
        at = (
            warp.to_crop(bright[frame][None] * np.array(voxel), frame)[0] / voxel
            + (np.array(geometry.crop_vox) - 1) / 2
        )
        index = tuple(np.round(at).astype(int))
        assert np.abs(at - index).max() < 1e-6
        assert crop[(frame, *index)] == pytest.approx(1.0, abs=1e-4)
        assert crop[frame].sum() == pytest.approx(1.0, abs=1e-3)  # nothing beside it


@settings(deadline=None, max_examples=25)
@given(seed=SEEDS, voxel=st.sampled_from(VOXELS))
def test_a_blob_is_found_within_a_fraction_of_a_voxel_where_an_elastic_warp_puts_it(seed, voxel) -> None:
    rng, geometry = np.random.default_rng(seed), Geometry.of(Movie(np.zeros(SHAPE), voxel), _spec(voxel), (16, 24, 24))
    params = TrainParams(warp_share=1.0, frame_shift_um=0.5)
    warp = draw_warp(rng, _middle(voxel), np.array(geometry.crop_vox), np.array(voxel), params)
    grid = np.stack(np.meshgrid(*map(np.arange, SHAPE[1:]), indexing="ij"), axis=-1) * voxel
    centres = [_middle(voxel) + rng.uniform(-1, 1, 3) for _ in range(3)]
    tzyx = np.stack([np.exp(-((grid - c) ** 2).sum(axis=-1) / (2 * 1.5**2)) for c in centres]).astype(np.float32)
    crop = sample_warped(_reader(tzyx, voxel), 1, warp, geometry) ** 2  # intensities come as square roots
    for frame in range(3):
        weight = np.where(crop[frame] > 0.2, crop[frame], 0.0)
        found = (geometry.inputs.points_um() * weight[..., None]).reshape(-1, 3).sum(axis=0) / weight.sum()
        expected = warp.to_crop(centres[frame][None], frame)[0]
        assert (np.abs(found - expected) < 0.3 * np.array(voxel)).all()


def test_beyond_the_movies_ends_and_edges_crops_repeat_what_is_there() -> None:
    tzyx = np.broadcast_to(np.arange(1, 4).reshape(3, 1, 1, 1) / 4, SHAPE).astype(np.float32)
    reader, geometry = _reader(tzyx), Geometry.of(Movie(np.zeros(SHAPE), np.ones(3)), _spec((1.0, 1, 1)), (12, 24, 24))
    warp = draw_warp(np.random.default_rng(0), np.zeros(3), np.array(geometry.crop_vox), np.ones(3), TrainParams())
    for t, expected in ((0, [1, 1, 2]), (1, [1, 2, 3]), (2, [2, 3, 3])):
        crop = sample_warped(reader, t, warp, geometry)
        assert np.allclose(crop, np.sqrt(np.array(expected) / 4).reshape(3, 1, 1, 1), atol=1e-5)
