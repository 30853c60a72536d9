"""Convolutions in 16 bits find the same nuclei, nearly where 32 bits find them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from morula.core.movie import Movie
from morula.detect.params import DetectParams
from morula.detect.plan import plan_blocks
from morula.detect.predict import detect_block


def test_16_bits_find_nearly_the_same(shallow, random_model, unit_range) -> None:
    movie = Movie(np.random.default_rng(4).random((2, 7, 41, 43)).astype(np.float32), (2.0, 1.0, 1.0))
    model, params = random_model(shallow), DetectParams(threshold=0.2, window_um=2.5)
    (block,) = plan_blocks(movie, shallow, params)
    exact, short = (
        detect_block(block, movie=movie, model=model, intensity=unit_range, params=replace(params, precision=precision))
        for precision in ("float32", "bfloat16")
    )
    assert exact.n > 50
    assert short.score.dtype == np.float64
    near = np.abs(exact.zyx_um[:, None] - short.zyx_um).max(axis=2) + 99 * (exact.t[:, None] != short.t)
    partner, found = near.argmin(axis=1), near.min(axis=1) < 1.5
    assert found.mean() > 0.95  # noise has neighbours of nearly the same height, of which the other may win
    difference = np.abs(exact.score[found] - short.score[partner[found]])
    assert 0 < difference.max() < 0.05
