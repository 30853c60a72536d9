"""Where nuclei may stand: image blobs judged by the network, and its own peaks where there is no blob."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from morula.detect.params import DetectParams
from morula.detect.places import Seeker
from morula.network.spec import NetworkSpec

VOXEL = np.array([1.0, 0.5, 0.5])
SHAPE = (24, 60, 60)
SPEC = NetworkSpec(voxel_size_um=(1.0, 0.5, 0.5), stem_stride=(1, 2, 2), downsampling=((2, 2, 2), (2, 2, 2)))
PARAMS = DetectParams(threshold=0.1, window_um=2.8, blob_sigma_um=1.7)
HERE = np.zeros(3, np.int64)


def _seeker(**changes: float) -> Seeker:
    return Seeker(SHAPE, VOXEL, SPEC, replace(PARAMS, **changes))


def _draw(centres_um, sigma_um: float, height=1.0) -> np.ndarray:
    grid = np.stack(np.meshgrid(*[np.arange(n) for n in SHAPE], indexing="ij"), axis=-1) * VOXEL
    drawn = np.zeros(SHAPE)
    for centre, high in zip(centres_um, np.broadcast_to(height, len(centres_um)), strict=True):
        drawn = np.maximum(drawn, high * np.exp(-0.5 * (((grid - centre) / sigma_um) ** 2).sum(axis=-1)))
    return drawn.astype(np.float32)


SISTERS = np.array([[12.0, 15.0, 12.0], [12.0, 15.0, 16.5]])


def test_a_sister_on_the_slope_of_the_others_hill_is_found_at_her_blob() -> None:
    """The indicator has one hill, higher at the left; the image has two nuclei."""
    indicator = _draw(SISTERS, 2.6, [0.9, 0.4])
    image = _draw(SISTERS, 1.3)
    alone = _seeker(blob_sigma_um=0.0).find_places(torch.from_numpy(indicator), image, HERE)
    both = _seeker(blob_sigma_um=1.2).find_places(torch.from_numpy(indicator), image, HERE)
    assert len(alone.score) == 1
    assert len(both.score) == 2
    assert np.abs(both.zyx_um[np.argsort(both.zyx_um[:, 2])] - SISTERS).max() < 0.3
    assert both.score.max() == pytest.approx(0.9, abs=0.02)
    assert 0.4 <= both.score.min() < 0.9


def test_a_blob_where_the_network_sees_no_nucleus_is_no_place() -> None:
    places = _seeker().find_places(
        torch.from_numpy(_draw(SISTERS[:1], 1.3, 0.8)), _draw(np.add(SISTERS, [[0, 0, 0], [0, 0, 8.0]]), 1.7), HERE
    )
    assert np.abs(places.zyx_um - SISTERS[0]).max() < 0.5


def test_a_peak_without_a_blob_stays_where_it_is() -> None:
    places = _seeker().find_places(torch.from_numpy(_draw(SISTERS[:1], 1.3, 0.8)), np.zeros(SHAPE, np.float32), HERE)
    assert places.zyx_um == pytest.approx(SISTERS[:1], abs=0.05)
    assert places.score == pytest.approx([0.8])


def test_a_peak_within_the_window_of_a_blob_is_that_blob() -> None:
    beside = np.add(SISTERS[:1], [0, 0, 2.0])
    places = _seeker().find_places(torch.from_numpy(_draw(beside, 1.7, 0.8)), _draw(SISTERS[:1], 1.7), HERE)
    assert len(places.score) == 1
    assert np.abs(places.zyx_um - SISTERS[:1]).max() < 0.1


def test_the_windows_are_never_smaller_than_an_output_voxel() -> None:
    assert _seeker(window_um=0.3).peak_window_um == pytest.approx([1.01, 0.505, 0.505])
    assert _seeker(window_um=5.0).peak_window_um == pytest.approx([5.0, 5.0, 5.0])


def test_without_blobs_only_the_indicator_decides() -> None:
    seeker = _seeker(blob_sigma_um=0.0)
    assert seeker.image_reach_vox.tolist() == [0, 0, 0]
    assert (seeker.indicator_reach_vox < _seeker().indicator_reach_vox).all()


@pytest.mark.parametrize("sigma_um", [1.7, 4.0])
def test_places_are_the_same_from_a_part_that_reaches_far_enough(sigma_um) -> None:
    """At the larger scale blobs are sought on cells of several voxels, which must be the same ones in every part."""
    rng = np.random.default_rng(3)
    shape, voxel = (30, 120, 130), np.array([1.0, 0.5, 0.5])
    indicator, image = rng.random(shape).astype(np.float32), rng.random(shape).astype(np.float32)
    seeker = Seeker(shape, voxel, SPEC, replace(PARAMS, blob_sigma_um=sigma_um, window_um=2.0))
    whole = seeker.find_places(torch.from_numpy(indicator), image, HERE)
    reach = np.maximum(seeker.indicator_reach_vox, seeker.image_reach_vox)
    first, last = np.array([0, 48, 56]), np.array([30, 72, 88])
    stride = np.array(SPEC.total_stride)
    start = np.maximum((first - reach) // stride * stride, 0)
    box = tuple(slice(a, b) for a, b in zip(start, np.minimum(last + reach, shape), strict=True))
    part = seeker.find_places(torch.from_numpy(indicator[box]), image[box], start)

    def own(places):
        return places.rows(((places.voxel >= first) & (places.voxel < last)).all(axis=1))

    one, other = own(whole), own(part)
    assert len(one.score) > 10
    assert np.array_equal(one.zyx_um, other.zyx_um)
    assert np.array_equal(one.score, other.score)
