"""Where nothing varies nothing is looked for: no nucleus is lost, and the answer is the same for any tiling."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from morula.core.blocks import tile_blocks
from morula.core.detections import Detections
from morula.core.movie import Movie
from morula.detect.foreground import choose_cell_vox, find_foreground, find_reach_vox
from morula.detect.params import DetectParams
from morula.detect.plan import plan_blocks
from morula.detect.predict import detect_block, search_block
from morula.network.intensity import IntensityRange, measure_intensity
from morula.synthetic.embryo import make_embryo
from morula.synthetic.params import preset_params
from morula.synthetic.render import render_frames

VOXEL = (2.0, 1.0, 1.0)
PARAMS = DetectParams(threshold=0.2, window_um=2.5, skip_contrast=0.2, block_frames=9)
UNIT = IntensityRange(0.0, 1.0)
SHAPE = (2, 9, 75, 91)


def _patchy_movie() -> Movie:
    """Noise in the middle of one side and nothing elsewhere."""
    tzyx = np.full(SHAPE, 0.3, np.float32)
    tzyx[:, 2:6, 30:55, :40] = np.random.default_rng(7).random((2, 4, 25, 40))
    return Movie(tzyx, VOXEL)


def _detect(movie, model, blocks, params=PARAMS) -> Detections:
    return Detections.concatenated(
        [detect_block(b, movie=movie, model=model, intensity=UNIT, params=params) for b in blocks]
    )


@settings(deadline=None, max_examples=8)
@given(frames=st.integers(1, 2), steps=st.tuples(st.integers(4, 9), st.integers(5, 20), st.integers(5, 23)))
def test_every_tiling_looks_at_the_same_places(shallow, random_model, frames, steps) -> None:
    movie, model = _patchy_movie(), random_model(shallow)
    planned = plan_blocks(movie, shallow, PARAMS)
    halo = [s.start - r.start for s, r in zip(planned[0].write[1:], planned[0].read[1:], strict=True)]
    write = (np.array(steps) * shallow.total_stride).tolist()
    blocks = tile_blocks(SHAPE, (frames, *write), [(1, 1), *((h, h) for h in halo)])
    whole, tiles = _detect(movie, model, planned), _detect(movie, model, blocks)
    everywhere = _detect(movie, model, planned, replace(PARAMS, skip_contrast=0.0))
    assert 20 < whole.n < everywhere.n
    assert whole.n == tiles.n
    order = [np.lexsort((*d.zyx_um.round(3).T, d.t)) for d in (whole, tiles)]
    for column in ("zyx_um", "score", "movement_um"):
        assert np.abs(getattr(whole, column)[order[0]] - getattr(tiles, column)[order[1]]).max() < 1e-4


def test_the_network_is_not_asked_about_empty_blocks_and_what_was_skipped_is_counted(
    shallow, random_model, unit_range
) -> None:
    class Asked(torch.nn.Module):
        def __init__(self, inner) -> None:
            super().__init__()
            self.inner, self.count, self.nothing = inner, 0, torch.nn.Parameter(torch.zeros(1))

        def forward(self, frames: torch.Tensor):
            self.count += 1
            return self.inner(frames)

    movie, model = _patchy_movie(), random_model(shallow)
    network = Asked(model.network)
    blocks = plan_blocks(movie, shallow, replace(PARAMS, block_megavoxels=0.04, block_frames=1))
    model = replace(model, network=network)
    found = [search_block(b, movie=movie, model=model, intensity=unit_range, params=PARAMS) for b in blocks]
    skipped = [one.skipped_vox for one in found]
    asked = [skip == 0 for skip in skipped]
    assert 0 < network.count == sum(asked) < len(blocks)
    for block, skip in zip(blocks, skipped, strict=True):
        assert skip in (0, np.prod([side.stop - side.start for side in block.write]))
    assert not any(one.detections.n for one, skip in zip(found, skipped, strict=True) if skip)


@pytest.mark.parametrize("difficulty", ["easy", "medium", "hard"])
def test_no_nucleus_of_a_rendered_embryo_lies_in_an_empty_cell(difficulty) -> None:
    """With a wide dark margin around the embryo, at twice the contrast that the setting calls cautious."""
    params = preset_params(difficulty, seed=3, cells=60, frames=3)
    params = replace(params, movie=replace(params.movie, margin_um=40.0, outside_share=0.0))
    embryo = make_embryo(params)
    frames = list(render_frames(embryo, params.render, seed=3))
    movie = Movie(np.stack(frames), embryo.voxel_size_um)
    intensity, cell = measure_intensity(movie), choose_cell_vox(3.0, movie.voxel_size_um)
    empty = []
    for t, frame in enumerate(frames):
        linear = intensity.normalise(frame.astype(np.float32)) ** 2
        seen = find_foreground(linear, np.zeros(3, int), frame.shape, cell, 0.2)
        centres = np.rint(embryo.tracks.zyx_um[embryo.tracks.t == t] / movie.voxel_size_um).astype(int)
        assert len(centres) >= 60
        assert seen.at(np.clip(centres, 0, np.array(frame.shape) - 1)).all()
        empty.append(1 - seen.holds.mean())
    assert min(empty) > 0.8


@settings(deadline=None, max_examples=40)
@given(
    cell=st.tuples(*[st.integers(1, 4)] * 3),
    cut=st.tuples(*[st.integers(0, 8)] * 3),
    shape=st.tuples(st.integers(30, 37), st.integers(30, 37), st.integers(30, 37)),
)
def test_a_part_of_a_frame_shows_the_same_cells_to_the_bit(cell, cut, shape) -> None:
    frame, cell = np.random.default_rng(0).random(shape).astype(np.float32) ** 9, np.array(cell)
    whole = find_foreground(frame, np.zeros(3, int), shape, cell, 0.2)
    start = np.array(cut)
    part = find_foreground(frame[tuple(slice(a, None) for a in cut)], start, shape, cell, 0.2)
    inner = np.argwhere(np.ones(shape, bool))
    inner = inner[(inner >= start + np.where(start > 0, find_reach_vox(cell), 0)).all(axis=1)]
    assert len(inner) > 0
    assert (whole.at(inner) == part.at(inner)).all()
