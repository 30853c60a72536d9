from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from morula.core.detections import Detections
from morula.core.movie import Movie
from morula.detect.params import DetectParams
from morula.detect.plan import plan_blocks
from morula.detect.predict import detect_block
from morula.errors import ChunkError
from morula.network.prediction import Prediction

VOXEL = (2.0, 1.0, 1.0)
PARAMS = DetectParams(threshold=0.2, window_um=2.5, threads=1)


def _detect(movie, model, intensity) -> Detections:
    blocks = plan_blocks(movie, model.spec, PARAMS)
    return Detections.concatenated(
        [detect_block(b, movie=movie, model=model, intensity=intensity, params=PARAMS) for b in blocks]
    )


def _same(one: Detections, other: Detections) -> bool:
    return one.n == other.n and bool(np.allclose(one.zyx_um, other.zyx_um, atol=1e-4))


@pytest.fixture
def two_nuclei(draw_gaussians) -> np.ndarray:
    return draw_gaussians((8, 40, 80), VOXEL, [[8.0, 20.5, 20.5], [8.0, 20.5, 60.5]])[None]


def test_nothing_is_detected_outside_the_mask(shallow, pooled_model, unit_range, two_nuclei) -> None:
    mask = np.zeros(two_nuclei.shape, np.uint8)
    mask[..., 40:] = 1
    whole = _detect(Movie(two_nuclei, VOXEL), pooled_model(shallow), unit_range)
    masked = _detect(Movie(two_nuclei, VOXEL, mask_tzyx=mask), pooled_model(shallow), unit_range)
    assert sorted(whole.zyx_um[:, 2].round()) == [20, 60]
    assert masked.zyx_um[:, 2].round().tolist() == [60]


def test_a_network_that_sees_peaks_everywhere_is_silenced_outside_the_mask(shallow, random_model, unit_range) -> None:
    rng = np.random.default_rng(1)
    tzyx, mask = rng.random((2, 6, 40, 40)).astype(np.float32), np.zeros((2, 6, 40, 40), bool)
    mask[0, :, 10:25, 7:33] = True
    found = _detect(Movie(tzyx, VOXEL, mask_tzyx=mask), random_model(shallow), unit_range)
    assert found.n > 5
    assert (found.t == 0).all()
    assert mask[0][tuple(np.round(found.zyx_um / VOXEL).astype(int).T)].all()


def test_the_mask_is_kept_to_the_voxel_where_outputs_are_coarser(shallow, random_model, unit_range) -> None:
    """Columns 3, 5, 6, 7 of each eight belong to the mask: some outputs hold one column of it and one beside it."""
    tzyx = np.random.default_rng(4).random((1, 6, 40, 60)).astype(np.float32)
    mask = np.broadcast_to(np.isin(np.arange(60) % 8, [3, 5, 6, 7]), tzyx.shape)
    coarse = random_model(replace(shallow, output_stride=(1, 2, 2)))
    found = _detect(Movie(tzyx, VOXEL, mask_tzyx=mask), coarse, unit_range)
    assert found.n > 5
    assert np.isin(np.round(found.zyx_um[:, 2]) % 8, [3, 5, 6, 7]).all()


def test_a_peak_outside_the_mask_hides_none_inside(shallow, pooled_model, unit_range) -> None:
    class TwoPeaks(torch.nn.Module):
        """Sees a strong peak at output (1, 10, 9) and a weaker one beside it, whatever the image."""

        def __init__(self) -> None:
            super().__init__()
            self.nothing = torch.nn.Parameter(torch.zeros(1))

        def forward(self, frames: torch.Tensor) -> Prediction:
            indicator = torch.full((1, *frames.shape[2:]), -9.0)
            indicator[0, 1, 10, 9:11] = torch.tensor([3.0, 1.0])
            return Prediction(indicator, torch.zeros(1, 3, 4, 10, 10), None)

    mask = np.zeros((1, 4, 20, 20), bool)
    mask[..., 10:] = True
    movie = Movie(np.zeros(mask.shape, np.float32), VOXEL, mask_tzyx=mask)
    found = _detect(movie, replace(pooled_model(shallow), network=TwoPeaks()), unit_range)
    assert found.n == 1
    assert np.abs(found.zyx_um - [2.0, 10.0, 10.0]).max() < 0.6


def test_what_lies_outside_the_mask_makes_no_difference(shallow, random_model, unit_range) -> None:
    rng = np.random.default_rng(2)
    tzyx, mask = rng.random((1, 6, 40, 40)).astype(np.float32), np.zeros((1, 6, 40, 40), bool)
    mask[:, :, :, 11:] = True
    blinding = np.where(mask, tzyx, 1000.0)
    model = random_model(shallow)
    dark, blind = (_detect(Movie(m, VOXEL, mask_tzyx=mask), model, unit_range) for m in (tzyx * mask, blinding))
    assert dark.n > 20
    assert _same(dark, blind)


def test_a_mask_of_ones_changes_nothing(shallow, random_model, unit_range) -> None:
    tzyx = np.random.default_rng(3).random((1, 6, 41, 43)).astype(np.float32)
    model = random_model(shallow)
    free = _detect(Movie(tzyx, VOXEL), model, unit_range)
    assert free.n > 20
    assert _same(free, _detect(Movie(tzyx, VOXEL, mask_tzyx=np.ones(tzyx.shape, np.uint8)), model, unit_range))


def test_a_mask_that_cannot_be_read_fails_the_block(shallow, random_model, unit_range) -> None:
    class Torn:
        shape, dtype = (1, 4, 20, 20), np.dtype(np.uint8)

        def __getitem__(self, box):
            raise ChunkError("mask: c/0/0 cannot be decoded.")

    with pytest.raises(ChunkError, match=r"block 0 \(t 0:1, .*\): mask: c/0/0 cannot be decoded"):
        _detect(Movie(np.zeros((1, 4, 20, 20)), VOXEL, mask_tzyx=Torn()), random_model(shallow), unit_range)


def test_pixels_under_an_empty_mask_are_never_read(shallow, random_model, unit_range) -> None:
    """The left half is masked away and cannot be read; the right half is found as if the left were there."""
    tzyx = np.random.default_rng(5).random((1, 6, 40, 200)).astype(np.float32)
    mask = np.ones(tzyx.shape, np.uint8)
    mask[..., :130] = 0

    class HalfGone:
        shape, dtype = tzyx.shape, tzyx.dtype

        def __getitem__(self, box):
            if box[3].start < 30:
                raise ChunkError("c/0/0 is gone.")
            return tzyx[box]

    params = replace(PARAMS, block_megavoxels=0.02)
    model, found = random_model(shallow), []
    for pixels in (tzyx, HalfGone()):
        movie = Movie(pixels, VOXEL, mask_tzyx=mask)
        blocks = plan_blocks(movie, shallow, params)
        parts = [detect_block(b, movie=movie, model=model, intensity=unit_range, params=params) for b in blocks]
        found.append(Detections.concatenated(parts))
    assert any(block.read[3].start <= 0 for block in blocks)
    assert found[0].n > 10
    assert _same(*found)
