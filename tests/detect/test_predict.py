from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from morula.core.detections import Detections
from morula.core.movie import Movie
from morula.detect.params import DetectParams
from morula.detect.plan import plan_blocks
from morula.detect.predict import detect_block
from morula.errors import ChunkError
from morula.network import spec as spec_module
from morula.network.model import Model
from morula.network.prediction import Prediction
from morula.network.reach import Reach

VOXEL = (2.0, 1.0, 1.0)
PARAMS = DetectParams(threshold=0.2, window_um=2.5, threads=1)


def _detect(movie, model, intensity, params=PARAMS, blocks=None) -> Detections:
    blocks = plan_blocks(movie, model.spec, params) if blocks is None else blocks
    return Detections.concatenated(
        [detect_block(b, movie=movie, model=model, intensity=intensity, params=params) for b in blocks]
    )


def test_a_nucleus_is_placed_between_voxels(shallow, pooled_model, draw_gaussians, unit_range) -> None:
    shape = (16, 60, 60)
    centres = np.array([[9.3, 12.2, 13.9], [20.9, 12.7, 44.4], [15.0, 46.1, 29.5]])
    movie = Movie(draw_gaussians(shape, VOXEL, centres)[None], VOXEL)
    found = _detect(movie, pooled_model(shallow), unit_range)
    assert found.n == 3
    assert np.abs(found.zyx_um - centres[np.argsort(centres[:, 0])]).max() < 0.1  # voxels are 1 and 2 µm
    assert (found.score > 0.75).all()


def test_the_movement_points_from_the_refined_position(shallow, pooled_model, draw_gaussians, unit_range) -> None:
    """The network says, at each voxel, the way from its centre to one point; so say the detections from theirs."""
    target, vector_um = np.array([5.0, 7.0, 11.0]), np.array(VOXEL) * shallow.vector_stride

    def point_to_target(shape) -> torch.Tensor:
        index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
        centre = index * vector_um + (vector_um - VOXEL) / 2
        return torch.from_numpy(np.moveaxis(target - centre, -1, 0)[None].astype(np.float32))

    frame = draw_gaussians((16, 60, 60), VOXEL, [[9.3, 12.2, 13.9], [20.9, 12.7, 44.4]])
    found = _detect(Movie(frame[None], VOXEL), pooled_model(shallow, point_to_target), unit_range)
    assert found.n == 2
    assert np.allclose(found.zyx_um + found.movement_um, target, atol=1e-4)
    assert np.abs(found.movement_um % 1).max() > 0.1  # the refinement is part of it


def test_frames_are_the_middle_of_three_and_repeat_at_both_ends(shallow, pooled_model, unit_range) -> None:
    class Spread(torch.nn.Module):
        """Says how the frame before and the one after differ from the middle, as movement."""

        def __init__(self) -> None:
            super().__init__()
            self.nothing = torch.nn.Parameter(torch.zeros(1))

        def forward(self, frames: torch.Tensor) -> Prediction:
            small = frames[:, :, :, ::2, ::2]
            before, here, after = small[:, 0:1], small[:, 1:2], small[:, 2:3]
            indicator = torch.logit(frames[:, 1] * 0.9 + 0.05)
            return Prediction(indicator, torch.cat([before - here, after - here, here], dim=1), None)

    tzyx = np.zeros((4, 2, 12, 12), np.float32)
    tzyx[:, 1, 6, 6] = [0.81, 0.64, 0.49, 0.36]  # square roots .9, .8, .7, .6
    found = _detect(Movie(tzyx, VOXEL), replace(pooled_model(shallow), network=Spread()), unit_range)
    assert found.t.tolist() == [0, 1, 2, 3]
    offset = found.movement_um - [[0, -0.1, 0.9], [0.1, -0.1, 0.8], [0.1, -0.1, 0.7], [0.1, 0, 0.6]]
    assert np.allclose(offset, offset[0], atol=1e-6)  # what the refinement added, the same in every frame


def test_a_block_keeps_the_peaks_of_its_own_write_region(shallow, random_model, unit_range) -> None:
    movie = Movie(np.random.default_rng(3).random((2, 6, 80, 80)).astype(np.float32), VOXEL)
    params = replace(PARAMS, block_megavoxels=0.025, block_frames=2)
    blocks = plan_blocks(movie, shallow, params)
    assert len(blocks) > 8
    for block in blocks:
        found = _detect(movie, random_model(shallow), unit_range, params, [block])
        voxel = found.zyx_um / VOXEL
        for axis, side in enumerate(block.write[1:]):
            assert (voxel[:, axis] >= side.start - 1).all()
            assert (voxel[:, axis] < side.stop + 1).all()
        assert set(found.t) <= set(range(block.write[0].start, block.write[0].stop))


def test_scores_and_positions_stay_within_their_bounds(shallow, random_model, unit_range) -> None:
    movie = Movie(np.random.default_rng(4).random((1, 7, 31, 33)).astype(np.float32), VOXEL)
    found = _detect(movie, random_model(shallow), unit_range)
    assert found.n > 20
    assert ((found.score > PARAMS.threshold) & (found.score <= 1)).all()
    assert ((found.zyx_um >= 0) & (found.zyx_um <= movie.extent_um)).all()


@pytest.mark.parametrize("depth", [1, 2, 3, 5])
def test_movies_of_fewer_planes_than_the_stride_work(deep, pooled_model, draw_gaussians, unit_range, depth) -> None:
    centre = np.array([(depth - 1) // 2 * 2.0, 20.3, 31.8])
    movie = Movie(draw_gaussians((depth, 50, 60), VOXEL, [centre])[None], VOXEL)
    found = _detect(movie, pooled_model(deep), unit_range)
    assert np.abs(found.zyx_um - centre).max() < 0.1
    assert found.n == 1


def test_padding_to_the_strides_hides_no_nucleus_at_the_far_faces(shallow, pooled_model, unit_range) -> None:
    """A network may answer more strongly in the padding than at the last voxels; only the movie counts."""

    class BrightPadding(torch.nn.Module):
        def __init__(self, inner) -> None:
            super().__init__()
            self.inner = inner
            self.nothing = torch.nn.Parameter(torch.zeros(1))

        def forward(self, frames: torch.Tensor) -> Prediction:
            said = self.inner(frames)
            said.indicator[..., 42:] = 5.0
            return said

    tzyx = np.zeros((1, 4, 40, 42), np.float32)  # x is padded to 44
    tzyx[0, 2, 20:22, 40:] = 0.8
    model = pooled_model(shallow)
    peaks_alone = replace(PARAMS, blob_sigma_um=0.0)
    found = _detect(Movie(tzyx, VOXEL), replace(model, network=BrightPadding(model.network)), unit_range, peaks_alone)
    assert found.n == 1
    assert np.abs(found.zyx_um - [4.0, 20.5, 40.5]).max() < 0.2


def test_the_events_are_read_at_the_peak_and_corrected_for_how_often_they_were_drawn(
    shallow, pooled_model, draw_gaussians, unit_range
) -> None:
    """The network gives every working voxel a logit of its own: its z, and its x, both in voxels, times a tenth."""

    class Numbered(torch.nn.Module):
        def __init__(self, inner) -> None:
            super().__init__()
            self.inner = inner
            self.nothing = torch.nn.Parameter(torch.zeros(1))

        def forward(self, frames: torch.Tensor) -> Prediction:
            said = self.inner(frames)
            z, y, x = (torch.arange(n, dtype=torch.float32) for n in said.movement_um.shape[2:])
            number = torch.stack(torch.meshgrid(z, y, x, indexing="ij"))[None, [0, 2]]
            return said._replace(events=0.1 * number)

    frame = draw_gaussians((16, 60, 60), VOXEL, [[10.0, 12.4, 14.6], [20.0, 12.7, 45.6]])
    model = pooled_model(shallow)
    found = _detect(Movie(frame[None], VOXEL), replace(model, network=Numbered(model.network)), unit_range)
    logit = np.log(np.stack([found.divides, found.born]) / (1 - np.stack([found.divides, found.born])))
    assert np.allclose(logit[0], np.array([0.5, 1.0]) - 1.0, atol=1e-5)  # planes 5 and 10, and the offset −1
    assert np.allclose(logit[1], np.array([0.7, 2.2 + 0.1 * (found.zyx_um[1, 2] > 45.5)]) + 0.5, atol=0.11)


def test_without_what_was_learned_about_divisions_nothing_is_said(shallow, random_model, unit_range) -> None:
    movie = Movie(np.random.default_rng(4).random((1, 7, 31, 33)).astype(np.float32), VOXEL)
    silent = _detect(movie, random_model(replace(shallow, event_offset=None)), unit_range)
    assert silent.n > 20
    assert np.isnan(silent.divides).all()
    assert np.isnan(silent.born).all()
    told = _detect(movie, random_model(shallow), unit_range)
    assert ((told.divides >= 0) & (told.divides <= 1) & (told.born >= 0) & (told.born <= 1)).all()


def test_a_network_without_padding_is_shown_more_and_what_lies_beyond_the_movie_repeats(
    shallow, random_model, unit_range, monkeypatch
) -> None:
    """A network that trims, by cutting, what it was given beyond: its answers are those of the network inside."""

    class Trimming(torch.nn.Module):
        def __init__(self, inner) -> None:
            super().__init__()
            self.inner, self.shown = inner, []
            self.nothing = torch.nn.Parameter(torch.zeros(1))

        def forward(self, frames: torch.Tensor) -> Prediction:
            self.shown.append(frames.clone())
            return self.inner(frames[:, :, 4:-4, 8:-8, 8:-8])

    movie = Movie(np.random.default_rng(8).random((1, 9, 45, 93)).astype(np.float32), VOXEL)
    plain = random_model(shallow)
    expected = _detect(movie, plain, unit_range)
    context = shallow.context_vox
    monkeypatch.setitem(
        spec_module._REACH, "fast", lambda *strides: Reach(tuple(np.add(context, (4, 8, 8))), (4, 8, 8))
    )
    for megavoxels in (8.0, 0.09):
        trimming = Trimming(plain.network)
        params = replace(PARAMS, block_megavoxels=megavoxels)
        found = _detect(movie, replace(plain, network=trimming), unit_range, params)
        assert found.n == expected.n > 100
        assert np.allclose(found.zyx_um, expected.zyx_um, atol=1e-4)
        assert np.allclose(found.movement_um, expected.movement_um, atol=1e-4)
    assert len(trimming.shown) > 1
    first = trimming.shown[0][0, 1]
    assert torch.equal(first[:4], first[4:5].expand(4, -1, -1))
    assert torch.equal(first[:, :8], first[:, 8:9].expand(-1, 8, -1))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_voxels_that_are_not_finite_fail_the_blocks_that_see_them_by_name(
    shallow, random_model, unit_range, value
) -> None:
    tzyx = np.random.default_rng(5).random((4, 3, 20, 100)).astype(np.float32)
    tzyx[2, 1, 5, 90] = value
    movie, params = Movie(tzyx, VOXEL), replace(PARAMS, block_megavoxels=0.004, block_frames=2)
    blocks = plan_blocks(movie, shallow, params)
    seen = [b for b in blocks if all(s.start <= i < s.stop for s, i in zip(b.read, (2, 1, 5, 90), strict=True))]
    assert 0 < len(seen) < len(blocks)
    for block in blocks:
        if block in seen:
            message = rf"block {block.index} \(t {block.write[0].start}:.*\): 1 voxels are not finite.\n.*in frame 2"
            with pytest.raises(ChunkError, match=message):
                _detect(movie, random_model(shallow), unit_range, params, [block])
        else:
            _detect(movie, random_model(shallow), unit_range, params, [block])


def test_an_unreadable_chunk_is_named_with_its_block(shallow, random_model, unit_range) -> None:
    class Torn:
        shape, dtype = (1, 4, 20, 20), np.dtype(np.uint16)

        def __getitem__(self, box):
            raise ChunkError("c/0/0: cannot be decoded.", measured="12 bytes", fix="copy it again")

    message = r"block 0 \(t 0:1, z 0:4, y 0:20, x 0:20\): c/0/0: cannot be decoded.\n  measured: 12 bytes\n  fix: "
    with pytest.raises(ChunkError, match=message):
        _detect(Movie(Torn(), VOXEL), random_model(shallow), unit_range)


class _SmallCard(nn.Module):
    """A network on a card that holds so many voxels at once."""

    def __init__(self, inner: nn.Module, most_voxels: int) -> None:
        super().__init__()
        self.inner, self.most_voxels = inner, most_voxels
        self.refused = 0

    def forward(self, frames: torch.Tensor) -> Prediction:
        if frames[0, 0].numel() > self.most_voxels:
            self.refused += 1
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nSee the notes.")
        return self.inner(frames)


def test_a_block_too_large_for_the_card_is_detected_in_parts(shallow, random_model, unit_range, caplog) -> None:
    movie = Movie(np.random.default_rng(2).random((2, 8, 60, 90)).astype(np.float32), VOXEL)
    model = random_model(shallow)
    whole = _detect(movie, model, unit_range)
    card = _SmallCard(model.network, 30_000)
    with caplog.at_level("INFO", logger="morula"):
        parts = _detect(movie, Model(card, shallow), unit_range)
    assert card.refused >= 1
    assert "is detected in two halves: CUDA out of memory. Tried to allocate 2.00 GiB." in caplog.text
    assert whole.n == parts.n > 50
    assert np.allclose(whole.zyx_um, parts.zyx_um, atol=1e-4)


def test_a_card_too_small_for_anything_fails_the_block_by_name(shallow, random_model, unit_range) -> None:
    movie = Movie(np.random.default_rng(2).random((1, 4, 20, 20)).astype(np.float32), VOXEL)
    with pytest.raises(MemoryError, match=r"too little memory for the smallest part of block 0 \(t 0:1"):
        _detect(movie, Model(_SmallCard(random_model(shallow).network, 10), shallow), unit_range)
