"""Frames shifted back where the image moved as a whole: the same for any blocks; vectors tell the whole motion."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from morula.core.blocks import Block, tile_blocks
from morula.core.detections import Detections
from morula.core.drift import MovieDrift
from morula.core.movie import Movie
from morula.detect.frames import BlockFrames
from morula.detect.params import DetectParams
from morula.detect.plan import plan_blocks
from morula.detect.predict import detect_block
from morula.errors import ChunkError
from morula.network.intensity import IntensityRange

VOXEL = np.array([2.0, 1.0, 1.0])
PARAMS = DetectParams(threshold=0.2, window_um=2.5, threads=1, block_frames=9)
UNIT = IntensityRange(0.0, 1.0)
SHAPE = (4, 9, 45, 53)
STEPS = np.array([[0, 0, 0], [0, 0, 0], [2, -7, 11], [0, 3, -40]])


def make_movie(*, steps=STEPS, masked: bool = False) -> Movie:
    rng = np.random.default_rng(7)
    tzyx, mask = rng.random(SHAPE).astype(np.float32), rng.random(SHAPE) < 0.9
    drift = None if steps is None else MovieDrift(steps, VOXEL)
    return Movie(tzyx, VOXEL, mask_tzyx=mask if masked else None, drift=drift)


def detect(movie: Movie, model, blocks=None) -> Detections:
    blocks = plan_blocks(movie, model.spec, PARAMS) if blocks is None else blocks
    parts = [detect_block(b, movie=movie, model=model, intensity=UNIT, params=PARAMS) for b in blocks]
    return Detections.concatenated(parts)


def a_block(write_t: slice) -> Block:
    write = (write_t, slice(0, 4), slice(8, 24), slice(8, 24))
    return Block(0, write, (slice(write_t.start - 1, write_t.stop + 1), *write[1:]))


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("t", [0, 1, 2, 3])
def test_the_frames_around_one_are_read_where_the_image_went(masked, t) -> None:
    movie, start, stop = make_movie(masked=masked), (0, 8, 8), (4, 24, 24)
    windows = BlockFrames(movie, a_block(slice(0, 4)), start, stop, UNIT, 1).windows()
    window = next(window for window in windows if window.t == t)
    for steps in (-1, 0, 1):
        offset = movie.offset_vox(t, steps)
        box = movie.read((t + steps, *(start + offset)), (t + steps + 1, *(stop + offset)))[0]
        if masked:
            other = min(max(t + steps, 0), 3)
            sides = zip(start + offset, stop + offset, SHAPE[1:], strict=True)
            index = [np.clip(np.arange(a, b), 0, n - 1) for a, b, n in sides]
            seen = movie.mask_tzyx[other][np.ix_(*index)]
            box = np.where(seen, box, 0)
            assert steps != 0 or np.array_equal(window.seen, seen)
        else:
            assert window.seen is None
        assert np.array_equal(window.shown[steps + 1], np.sqrt(box))


class Counted:
    """Frames that say when they are read."""

    def __init__(self, tzyx) -> None:
        self.tzyx, self.shape, self.dtype, self.read = tzyx, tzyx.shape, tzyx.dtype, []

    def __getitem__(self, box):
        self.read.append(box[0].start)
        return self.tzyx[box]


@pytest.mark.parametrize("steps", [None, 0 * STEPS])
def test_without_a_shift_each_frame_is_read_once_and_one_ahead(steps) -> None:
    movie = make_movie(steps=steps)
    counted = Counted(movie.tzyx)
    frames = BlockFrames(replace(movie, tzyx=counted), a_block(slice(0, 4)), (0, 8, 8), (4, 24, 24), UNIT, 1)
    for window in frames.windows():
        assert counted.read[: window.t + 2] == list(range(4))[: window.t + 2]
        assert len(counted.read) <= window.t + 3
    assert counted.read == [0, 1, 2, 3]


def test_the_next_frame_is_read_while_this_one_is_worked_on() -> None:
    """The reader waits for us in the middle of our work: were it not a thread of its own, we would wait for ever."""
    working = threading.Event()

    class Patient(Counted):
        def __getitem__(self, box):
            if box[0].start == 2:
                assert working.wait(timeout=30)
            return super().__getitem__(box)

    movie = make_movie(steps=None)
    patient = Patient(movie.tzyx)
    frames = BlockFrames(replace(movie, tzyx=patient), a_block(slice(0, 4)), (0, 8, 8), (4, 24, 24), UNIT, 1)
    windows = frames.windows()
    assert next(windows).t == 0
    assert patient.read == [0, 1]
    working.set()
    assert [window.t for window in windows] == [1, 2, 3]


def test_frames_given_up_halfway_leave_no_thread() -> None:
    windows = BlockFrames(make_movie(), a_block(slice(0, 4)), (0, 8, 8), (4, 24, 24), UNIT, 1).windows()
    next(windows)
    assert any(thread.name.startswith("morula-reads") for thread in threading.enumerate())
    windows.close()
    assert not any(thread.name.startswith("morula-reads") for thread in threading.enumerate())


def test_a_drift_of_nothing_changes_no_bit(shallow, random_model) -> None:
    one, other = (detect(make_movie(steps=steps), random_model(shallow)) for steps in (None, 0 * STEPS))
    for column in ("t", "zyx_um", "score", "movement_um", "divides", "born"):
        assert getattr(one, column).tobytes() == getattr(other, column).tobytes()


@settings(deadline=None, max_examples=4)
@given(
    frames=st.integers(1, 4),
    steps=st.tuples(st.integers(4, 9), st.integers(5, 14), st.integers(5, 14)),
    masked=st.booleans(),
)
def test_every_tiling_of_a_jumping_movie_finds_the_same(shallow, random_model, frames, steps, masked) -> None:
    movie, model = make_movie(masked=masked), random_model(shallow)
    planned = plan_blocks(movie, shallow, PARAMS)
    halo = [s.start - r.start for s, r in zip(planned[0].write[1:], planned[0].read[1:], strict=True)]
    write = (np.array(steps) * shallow.total_stride).tolist()
    blocks = tile_blocks(SHAPE, (frames, *write), [(1, 1), *((h, h) for h in halo)])
    one, other = detect(movie, model, planned), detect(movie, model, blocks)
    assert one.n == other.n > 100
    order = [np.lexsort((*d.zyx_um.round(3).T, d.t)) for d in (one, other)]
    for column in ("zyx_um", "score", "movement_um"):
        assert np.abs(getattr(one, column)[order[0]] - getattr(other, column)[order[1]]).max() < 1e-4


def test_a_movie_whose_stage_jumps_is_seen_like_one_that_stands_still(shallow, random_model) -> None:
    """The same noise seen through a window that jumps: away from the faces all is the same, but for the vectors."""
    model, scene = random_model(shallow), np.random.default_rng(3).random((2, 9, 140, 140)).astype(np.float32)
    step = np.array([0, 8, -4])
    y, x = 20 - step[1], 20 - step[2]
    still = Movie(scene[:, :, 20:120, 20:120], VOXEL)
    moved = np.stack([scene[0, :, 20:120, 20:120], scene[1, :, y : y + 100, x : x + 100]])
    jumping = Movie(moved, VOXEL, drift=MovieDrift(np.array([[0, 0, 0], step]), VOXEL))
    here, there = (d.rows(d.t == 1) for d in (detect(still, model), detect(jumping, model)))
    reach = np.array(shallow.context_vox) * VOXEL + 3 + np.abs(step)
    inner = ((here.zyx_um > reach) & (here.zyx_um < still.extent_um - reach))[:, 1:].all(axis=1)
    assert inner.sum() > 3
    for row in np.flatnonzero(inner):
        away = np.abs(there.zyx_um - here.zyx_um[row] - step * VOXEL).max(axis=1)
        partner = int(away.argmin())
        assert away[partner] < 1e-3
        assert there.movement_um[partner] == pytest.approx(here.movement_um[row] - step * VOXEL, abs=1e-3)


class Torn:
    """Frames of which one cannot be read beyond a column."""

    def __init__(self, tzyx, column) -> None:
        self.tzyx, self.column, self.shape, self.dtype = tzyx, column, tzyx.shape, tzyx.dtype

    def __getitem__(self, box):
        if box[3].stop > self.column:
            raise ChunkError("a chunk cannot be decoded.")
        return self.tzyx[box]


def test_what_cannot_be_read_at_the_shifted_place_names_the_block() -> None:
    movie = make_movie()
    torn = replace(movie, tzyx=Torn(movie.tzyx, 26))
    windows = BlockFrames(torn, a_block(slice(0, 4)), (0, 8, 8), (4, 24, 24), UNIT, 1).windows()
    assert next(windows).shown.shape == (3, 4, 16, 16)
    with pytest.raises(ChunkError, match=r"block 0 \(t 0:4, .*\): a chunk cannot be decoded"):
        next(windows)  # the frame after lies 11 columns further


def test_voxels_that_are_not_finite_at_the_shifted_place_are_refused() -> None:
    movie = make_movie()
    movie.tzyx[2, :, :, 30] = np.nan
    windows = BlockFrames(movie, a_block(slice(0, 4)), (0, 8, 8), (4, 24, 24), UNIT, 1).windows()
    next(windows)
    with pytest.raises(ChunkError, match=r"voxels are not finite[\s\S]*first in frame 2"):
        next(windows)
