from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from scipy.ndimage import maximum_filter

from morula.core.progress import Progress
from morula.core.tracks import Tracks
from morula.synthetic.embryo import Embryo, frame_tracks, make_embryo
from morula.synthetic.params import EmbryoParams, MovieParams, RenderParams, SyntheticParams, preset_params
from morula.synthetic.render import render_frames

CLEAR = RenderParams(
    noise=False, texture=0.0, haze=0.0, background_photons=0.0, depth_blur=0.0, attenuation_um=1e9, gain=100.0
)


def one_nucleus(place_um: tuple[float, float, float], voxel_um: tuple[float, float, float]) -> Embryo:
    """A movie of one frame with a nucleus 12 µm from the faces, at any place between voxel centres."""
    corners = [[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]
    box = Tracks.from_ids([0, 0], corners, [0, 1], [-1, -1], np.array([3.0, 3.0]))
    frame = frame_tracks(box, MovieParams(margin_um=12.0, voxel_size_um=voxel_um), n_frames=1, outside=0, seed=0)
    alone = Tracks.from_ids([0], [[12 + p for p in place_um]], [0], [-1], np.array([3.0]))
    return replace(frame, tracks=alone, tissue=alone)


@pytest.mark.parametrize("place_um", [(0.0, 0.0, 0.0), (0.7, 0.3, 0.6), (1.0, 0.9, 0.1)])
@pytest.mark.parametrize("voxel_um", [(2.0, 0.8, 0.8), (1.0, 0.4, 0.4), (3.0, 1.0, 1.0)])
def test_the_light_of_a_nucleus_is_centred_on_the_truth(
    place_um: tuple[float, float, float], voxel_um: tuple[float, float, float]
) -> None:
    embryo = one_nucleus(place_um, voxel_um)
    light = next(render_frames(embryo, CLEAR, seed=0)).astype(float) - CLEAR.offset
    places = np.indices(light.shape).reshape(3, -1)
    centroid_um = (places * light.ravel()).sum(axis=1) / light.sum() * voxel_um
    assert (np.abs(centroid_um - embryo.tracks.zyx_um[0]) < 0.06 * np.array(voxel_um)).all()


def test_the_image_of_a_nucleus_is_wider_in_z_than_in_the_plane() -> None:
    clear = replace(CLEAR, elongation=0.0)
    light = next(render_frames(one_nucleus((0.5, 0.5, 0.5), (0.8, 0.8, 0.8)), clear, seed=0)).astype(float) - 100
    spread = [
        np.average((np.arange(n) * 0.8 - 12.5) ** 2, weights=light.sum(axis=axes))
        for n, axes in zip(light.shape, [(1, 2), (0, 2), (0, 1)], strict=True)
    ]
    expected = 3.0**2 / 5 + np.square(clear.psf_sigma_um)
    np.testing.assert_allclose(spread, expected, rtol=0.12)


def test_nearly_every_true_centre_is_a_bright_spot_of_the_clear_movie(demo_embryo: Embryo) -> None:
    frame = next(islice(render_frames(demo_embryo, replace(CLEAR, noise=False), seed=0), 5, None)).astype(float)
    peaks_um = np.argwhere((frame == maximum_filter(frame, (3, 5, 5))) & (frame > 600)) * demo_embryo.voxel_size_um
    truth_um = demo_embryo.tracks.zyx_um[demo_embryo.tracks.t == 5]
    nearest_um = np.linalg.norm(truth_um[:, None] - peaks_um, axis=2).min(axis=1)
    assert (nearest_um < 2.0).mean() > 0.95
    assert np.median(nearest_um) < 0.9


def test_a_frame_depends_neither_on_the_order_nor_on_the_content_of_earlier_frames() -> None:
    embryo = make_embryo(preset_params("medium", cells=15, frames=4))
    emptied_um = np.where(embryo.tissue.t[:, None] < 2, 1e6, embryo.tissue.zyx_um)
    emptied = replace(embryo, tissue=replace(embryo.tissue, zyx_um=emptied_um))
    before, after = (list(render_frames(which, RenderParams(), seed=1)) for which in (embryo, emptied))
    assert (before[0] != after[0]).mean() > 0.05
    np.testing.assert_array_equal(before[3], after[3])


def test_another_seed_gives_other_noise() -> None:
    embryo = make_embryo(preset_params("medium", cells=10, frames=1))
    first, second = (next(render_frames(embryo, RenderParams(), seed=seed)) for seed in (1, 2))
    assert (first != second).mean() > 0.5


def test_frames_are_16_bit_of_the_promised_shape_and_progress_is_told() -> None:
    embryo = make_embryo(preset_params("hard", cells=10, frames=3))
    told: list[Progress] = []
    frames = list(render_frames(embryo, RenderParams(), seed=0, progress=told.append))
    assert [frame.shape for frame in frames] == [embryo.shape_tzyx[1:]] * 3
    assert {frame.dtype for frame in frames} == {np.dtype(np.uint16)}
    assert [(event.done, event.total) for event in told] == [(1, 3), (2, 3), (3, 3)]


def test_depth_dims_and_haze_and_background_lighten_the_movie() -> None:
    embryo = one_nucleus((0.5, 0.5, 0.5), (2.0, 0.8, 0.8))
    plain, deep, hazy, lit = (
        next(render_frames(embryo, replace(CLEAR, **change), seed=0)).astype(float)
        for change in ({}, {"attenuation_um": 12.5}, {"haze": 0.3}, {"background_photons": 5.0})
    )
    assert (deep.max() - 100) / (plain.max() - 100) == pytest.approx(np.exp(-1), rel=0.12)
    assert hazy.sum() > 1.05 * plain.sum()
    assert lit.min() == pytest.approx(100 + 5.0 * 100.0)


def test_camera_noise_has_the_size_that_photons_and_reading_give() -> None:
    embryo = one_nucleus((0.5, 0.5, 0.5), (1.0, 1.0, 1.0))
    dark = replace(RenderParams(), photons=1e-6, haze=0.0, background_photons=20.0, gain=4.0, read_noise=6.0)
    frame = next(render_frames(embryo, dark, seed=0)).astype(float)
    assert frame.mean() == pytest.approx(100 + 4 * 20, abs=0.5)
    assert frame.std() == pytest.approx(np.sqrt(16 * 20 + 36), rel=0.03)


def test_a_nucleus_centred_just_outside_still_shows_its_rim() -> None:
    embryo = one_nucleus((0.0, 0.0, 0.0), (2.0, 0.8, 0.8))
    beside = Tracks.from_ids([0], [[12.0, 12.0, -1.0]], [0], [-1], np.array([3.0]))
    light = next(render_frames(replace(embryo, tissue=beside), CLEAR, seed=0)).astype(float) - 100
    assert light[:, :, 0].max() > 1000
    far = Tracks.from_ids([0], [[12.0, 12.0, -30.0]], [0], [-1], np.array([3.0]))
    assert next(render_frames(replace(embryo, tissue=far), CLEAR, seed=0)).max() == 100


def test_the_image_follows_the_truth_through_a_stage_jump() -> None:
    params = SyntheticParams(
        embryo=EmbryoParams(cells=12, frames=4, flow_um=0.0, jitter_um=0.0, cycle_frames=1000.0, death_rate=0.0),
        movie=MovieParams(outside_share=0.0, stage_jumps=1, stage_jump_um=10.0),
    )
    embryo = make_embryo(params)
    centre_of_light, centre_of_truth = [], []
    for t, frame in enumerate(render_frames(embryo, replace(CLEAR, brightness_spread=0.0), seed=0)):
        light = frame.astype(float) - 100
        centroid = (np.indices(light.shape).reshape(3, -1) * light.ravel()).sum(axis=1) / light.sum()
        centre_of_light.append(centroid * embryo.voxel_size_um)
        centre_of_truth.append(embryo.tracks.zyx_um[embryo.tracks.t == t].mean(axis=0))
    np.testing.assert_allclose(np.diff(centre_of_light, axis=0), np.diff(centre_of_truth, axis=0), atol=0.15)
    assert np.linalg.norm(np.diff(centre_of_truth, axis=0), axis=1).max() > 9.0
