"""The answer may not depend on the blocks: random networks, noise full of peaks, every way to cut."""

from __future__ import annotations

import numpy as np
import pytest
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

VOXEL = (2.0, 1.0, 1.0)
PARAMS = DetectParams(threshold=0.2, window_um=2.5, threads=1, block_frames=9)
UNIT = IntensityRange(0.0, 1.0)
_WHOLE: dict[tuple[object, ...], Detections] = {}


def _movie(shape, masked: bool) -> Movie:
    rng = np.random.default_rng(7)
    tzyx = rng.random(shape).astype(np.float32)
    mask = np.kron(rng.random((shape[0], 1, 5, 5)) < 0.7, np.ones((1, shape[1], 20, 20), bool))
    return Movie(tzyx, VOXEL, mask_tzyx=mask[:, :, : shape[2], : shape[3]] if masked else None)


def _detect(movie, model, blocks) -> Detections:
    parts = [detect_block(b, movie=movie, model=model, intensity=UNIT, params=PARAMS) for b in blocks]
    return Detections.concatenated(parts)


def _assert_same(one: Detections, other: Detections) -> None:
    """The same detections, each found once, equal within float tolerance."""
    assert one.n == other.n
    rows = [np.column_stack([100 * d.t, d.zyx_um]) for d in (one, other)]
    distance, partner = cKDTree(rows[1]).query(rows[0])
    assert distance.max() < 1e-4
    assert len(set(partner.tolist())) == one.n
    assert np.abs(one.score - other.score[partner]).max() < 1e-4
    assert np.abs(one.movement_um - other.movement_um[partner]).max() < 1e-4
    assert np.abs(one.divides - other.divides[partner]).max() < 1e-4
    assert np.abs(one.born - other.born[partner]).max() < 1e-4


@settings(deadline=None, max_examples=12)
@given(
    frames=st.integers(1, 3),
    steps=st.tuples(st.integers(4, 9), st.integers(5, 14), st.integers(5, 14)),
    wider=st.tuples(*[st.integers(0, 2)] * 3),
    shape=st.sampled_from([(3, 9, 45, 53), (3, 1, 45, 53), (2, 3, 53, 50)]),
    masked=st.booleans(),
)
def test_every_tiling_finds_the_same_detections(shallow, random_model, frames, steps, wider, shape, masked) -> None:
    """Write shapes of any number of strides, halos as planned or wider, movies that are no multiples of the stride."""
    movie, model, stride = _movie(shape, masked), random_model(shallow), np.array(shallow.total_stride)
    if (shape, masked) not in _WHOLE:
        _WHOLE[shape, masked] = _detect(movie, model, plan_blocks(movie, shallow, PARAMS))
    planned = plan_blocks(movie, shallow, PARAMS)[0]
    halo = [s.start - r.start for s, r in zip(planned.write[1:], planned.read[1:], strict=True)]
    halo = [(h + n * s, h + n * s) for h, n, s in zip(halo, wider, stride.tolist(), strict=True)]
    write = (np.array(steps) * stride).tolist()
    blocks = tile_blocks(shape, (frames, *write), [(1, 1), *halo])
    assert _WHOLE[shape, masked].n > 100 * shape[0] / 3
    _assert_same(_WHOLE[shape, masked], _detect(movie, model, blocks))


@pytest.mark.parametrize("seed", [0, 1])
def test_planned_blocks_of_a_deep_network_find_what_one_block_finds(deep, random_model, seed) -> None:
    movie, model = _movie((2, 11, 90, 170), masked=False), random_model(deep, seed)
    whole = plan_blocks(movie, deep, PARAMS)
    parts = plan_blocks(movie, deep, DetectParams(window_um=2.5, block_frames=1, block_megavoxels=0.16))
    assert len(whole) == 1
    assert len(parts) > 6
    found = _detect(movie, model, whole)
    assert found.n > 300
    _assert_same(found, _detect(movie, model, parts))
