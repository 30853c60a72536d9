"""Random lineages and spoiled copies of them: what a tracker that errs in every way would have found."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from morula.core.tracks import Tracks

Scene = tuple[Tracks, Tracks]


def grow(rng: np.random.Generator, spacing_um: float, frames: int = 8, founders: int = 3) -> Tracks:
    """Cells on a line, `spacing_um` apart, that wander a little, divide (1 in 6 frames) and end (1 in 12)."""
    t, zyx, parent, alive, lanes = [], [], [], [], 0
    for frame in range(frames):
        following = []
        for lane, above in alive if frame else [(lane, -1) for lane in range(founders)]:
            fate = rng.random()
            if frame and fate < 1 / 12:
                continue
            lanes = max(lanes, lane + 1)
            for daughter in range(2 if frame and 1 / 12 <= fate < 3 / 12 else 1):
                place = lane if daughter == 0 else lanes
                lanes += daughter
                t.append(frame)
                zyx.append([0.0, place * spacing_um + rng.uniform(-0.2, 0.2), rng.uniform(-0.2, 0.2)])
                parent.append(above)
                following.append((place, len(t) - 1))
        alive = following
    return as_tracks(t, zyx, parent)


def as_tracks(t, zyx, parent) -> Tracks:
    """Tracks whose third child of a point, if any, becomes a root."""
    parent, seen = np.array(parent, np.int64).reshape(-1), {}
    for row, above in enumerate(parent):
        seen[above] = seen.get(above, 0) + 1
        if above >= 0 and seen[above] > 2:
            parent[row] = -1
    return Tracks(np.array(t, np.int32), np.array(zyx, float).reshape(-1, 3), np.arange(len(t)) * 3 + 5, parent)


def spoil(rng: np.random.Generator, truth: Tracks, jitter_um: float) -> Tracks:
    """Drop points and links, join wrong ones, add false points and false daughters, move everything a little."""
    kept = truth.rows(rng.random(truth.n) > 0.1)
    parent = np.where(rng.random(kept.n) < 0.1, -1, kept.parent_row)
    for row in np.flatnonzero(rng.random(kept.n) < 0.15):
        before = np.flatnonzero(kept.t == kept.t[row] - 1)
        if len(before):
            parent[row] = rng.choice(before)
    extra = np.repeat(rng.integers(0, kept.n, 3), 2) if kept.n else np.zeros(0, int)
    t = np.concatenate([kept.t, kept.t[extra] + 1])
    zyx = np.concatenate([kept.zyx_um, kept.zyx_um[extra] + rng.uniform(-3, 3, (len(extra), 3))])
    parent = np.concatenate([parent, np.where(rng.random(len(extra)) < 0.8, extra, -1)])
    return as_tracks(t, zyx + rng.uniform(-jitter_um, jitter_um, zyx.shape), parent)


@pytest.fixture
def make_scene() -> Callable[..., Scene]:
    """Make truth and reconstruction from a seed; the cells lie well apart, or so close that they are confused."""

    def make(seed: int, *, crowded: bool) -> Scene:
        rng = np.random.default_rng(seed)
        truth = grow(rng, 2.0 if crowded else 20.0)
        return truth, spoil(rng, truth, 1.2 if crowded else 0.8)

    return make
