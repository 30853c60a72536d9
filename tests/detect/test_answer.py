from __future__ import annotations

import numpy as np
import pytest

from morula.core.detections import Detections
from morula.core.movie import Movie
from morula.detect.answer import ask_network
from morula.detect.params import DetectParams
from morula.detect.plan import plan_blocks
from morula.detect.predict import detect_block

VOXEL = (2.0, 1.0, 1.0)
MIRRORED = DetectParams(mirrored=True)
FRAMES = np.random.default_rng(0).random((3, 4, 24, 32)).astype(np.float32)


@pytest.mark.parametrize("axes", [(2,), (3,), (2, 3)], ids=["y", "x", "both"])
def test_averaged_answers_to_a_mirrored_image_are_the_mirrored_answers(shallow, random_model, axes) -> None:
    """A random network knows no symmetry; the average over mirror images has it by construction, vectors included."""
    model = random_model(shallow)
    one = ask_network(model, FRAMES, MIRRORED)
    other = ask_network(model, np.ascontiguousarray(np.flip(FRAMES, axes)), MIRRORED)
    turned = [axis - 4 for axis in axes]  # frames are t, z, y, x; answers begin with a channel or with z
    sign = np.ones(3)
    sign[[axis - 1 for axis in axes]] = -1
    assert np.allclose(one.indicator.flip(turned), other.indicator, atol=1e-5)
    assert np.allclose(one.events.flip(turned), other.events, atol=1e-5)
    assert np.allclose(one.movement_um.flip(turned).numpy() * sign.reshape(3, 1, 1, 1), other.movement_um, atol=1e-4)
    plain = ask_network(model, np.ascontiguousarray(np.flip(FRAMES, axes)), DetectParams())
    assert not np.allclose(plain.indicator, other.indicator, atol=1e-2)


def test_tiles_of_mirrored_answers_leave_no_trace(shallow, random_model, unit_range) -> None:
    tzyx = np.random.default_rng(1).random((1, 6, 61, 75)).astype(np.float32)
    movie, model = Movie(tzyx, VOXEL), random_model(shallow)
    found = []
    for megavoxels in (8.0, 0.025):
        params = DetectParams(threshold=0.2, window_um=2.5, mirrored=True, block_megavoxels=megavoxels)
        blocks = plan_blocks(movie, shallow, params)
        found.append(
            Detections.concatenated(
                [detect_block(b, movie=movie, model=model, intensity=unit_range, params=params) for b in blocks]
            )
        )
    assert len(blocks) >= 4
    assert found[0].n == found[1].n > 20
    assert np.allclose(found[0].zyx_um, found[1].zyx_um, atol=1e-4)
    assert np.allclose(found[0].movement_um, found[1].movement_um, atol=1e-4)
