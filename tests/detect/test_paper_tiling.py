"""The published network leaves no trace of tiling either: it is shown more than it answers for, and pads nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from morula.core.blocks import tile_blocks
from morula.core.detections import Detections
from morula.core.movie import Movie
from morula.detect.params import DetectParams
from morula.detect.plan import plan_blocks
from morula.detect.predict import detect_block
from morula.network.intensity import IntensityRange
from morula.network.model import Model
from morula.network.paper import PaperNetwork
from morula.network.spec import choose_paper_network

VOXEL = (2.0, 1.0, 1.0)
PARAMS = DetectParams(threshold=0.2, window_um=2.5, threads=1, block_frames=9)
SHAPE = (2, 5, 22, 25)
SPEC = choose_paper_network(np.array(VOXEL), channels=(2, 2), variant="shared")


def _model() -> Model:
    """Random weights whose indicator spreads around one half: noise is full of peaks then."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        network = PaperNetwork(SPEC)
        torch.nn.init.normal_(network.indicator.weight, std=3.0)
    return Model(network.eval(), SPEC)


def _movie(masked: bool) -> Movie:
    rng = np.random.default_rng(7)
    mask = np.broadcast_to((rng.random(SHAPE[2:]) < 0.99)[None, None], SHAPE)
    return Movie(rng.random(SHAPE, dtype=np.float32), VOXEL, mask_tzyx=mask if masked else None)


def _detect(movie, blocks) -> Detections:
    model, unit = _model(), IntensityRange(0.0, 1.0)
    parts = [detect_block(b, movie=movie, model=model, intensity=unit, params=PARAMS) for b in blocks]
    return Detections.concatenated(parts)


@pytest.fixture(scope="module", params=[False, True], ids=["bare", "masked"])
def whole(request) -> tuple[Movie, Detections]:
    movie = _movie(request.param)
    blocks = plan_blocks(movie, SPEC, PARAMS)
    assert len(blocks) == 1
    return movie, _detect(movie, blocks)


@settings(deadline=None, max_examples=4)
@given(frames=st.integers(1, 2), steps=st.tuples(st.integers(3, 5), st.integers(5, 8), st.integers(5, 8)))
def test_every_tiling_finds_the_same_detections(whole, frames, steps) -> None:
    movie, expected = whole
    planned = plan_blocks(movie, SPEC, PARAMS)[0]
    halo = [(w.start - r.start, r.stop - w.stop) for w, r in zip(planned.write, planned.read, strict=True)]
    write = (np.array(steps) * SPEC.total_stride).tolist()
    found = _detect(movie, tile_blocks(SHAPE, (frames, *write), halo))
    assert expected.n > 30
    assert found.n == expected.n
    rows = [np.column_stack([100 * d.t, d.zyx_um]) for d in (expected, found)]
    distance, partner = cKDTree(rows[1]).query(rows[0])
    assert distance.max() < 1e-4
    assert len(set(partner.tolist())) == expected.n
    assert np.abs(expected.score - found.score[partner]).max() < 1e-4
    assert np.abs(expected.movement_um - found.movement_um[partner]).max() < 1e-4


def test_blocks_see_three_frames_on_each_side_and_nobody_is_said_to_divide(whole) -> None:
    movie, found = whole
    read = plan_blocks(movie, SPEC, PARAMS)[0].read[0]
    assert (read.start, read.stop) == (-3, SHAPE[0] + 3)
    assert np.isnan(found.divides).all()
    assert np.isnan(found.born).all()
