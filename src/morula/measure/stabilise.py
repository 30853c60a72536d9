"""Measuring the drift of a whole movie, frame by frame, on as much of each frame as a budget allows.

Owns what is read and in which order; one pair of frames is judged in `morula.measure.drift`. A frame that cannot be
read has no drift, with a warning: reading on is worth more than one shift.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np

from morula.core.columns import FloatArray, IntArray
from morula.core.drift import MovieDrift
from morula.core.movie import Movie
from morula.core.progress import Progress, ProgressSink, ignore_progress
from morula.errors import ChunkError
from morula.measure.drift import CoarseBox, coarsen_box, estimate_shift_um
from morula.measure.params import DriftParams
from morula.measure.samples import read_box

_log = logging.getLogger(__name__)

_BOX_PER_SHIFT = 3.0
"""Side of a box over the largest shift: then two thirds of it still overlap."""

_MOST_BOXES = 32
_FRAMES_NAMED = 8

KeepSteps = Callable[[FloatArray], None]


def measure_movie_drift(
    movie: Movie,
    params: DriftParams,
    *,
    sigma_um: float,
    done_um: FloatArray | None = None,
    keep: KeepSteps | None = None,
    progress: ProgressSink = ignore_progress,
) -> MovieDrift:
    """Measure how far the image moved between all consecutive frames.

    Parameters
    ----------
    movie
        The movie.
    params
        Limits, and how much of a frame is read.
    sigma_um
        Blob scale of a nucleus, µm.
    done_um
        Steps measured before an interruption, µm, shape (frames done, 3).
    keep
        Given all steps so far, µm, shape (frames done, 3), after every frame; to go on from after an interruption.
    progress
        Told after every frame.

    Returns
    -------
    MovieDrift
        Shifts in whole voxels; zeros where none is certain.

    Notes
    -----
    Every voxel is read once: at most `params.frame_megavoxels` per frame. About 10 ns of CPU per voxel besides the
    reading (`benchmarks/bench_motion.py`).
    """
    steps = [] if done_um is None else [np.asarray(step, np.float64) for step in done_um]
    begin = max(len(steps) - 1, 0)  # the last frame is read again, to compare the next one with
    boxes = choose_boxes(movie, params)
    before: list[CoarseBox] | None = None
    for t in range(begin, movie.n_frames):
        after = _read_coarse(movie, t, boxes, sigma_um)
        if t >= len(steps):
            if before is None or after is None:
                steps.append(np.zeros(3))
            else:
                steps.append(estimate_shift_um(before, after, sigma_um, params))
            if keep is not None:
                keep(np.stack(steps))
        before = after
        progress(Progress("drift", t + 1, movie.n_frames, "frames"))
    drift = MovieDrift.from_um(np.stack(steps), movie.voxel_size_um)
    _report(drift)
    return drift


def choose_boxes(movie: Movie, params: DriftParams) -> list[tuple[IntArray, IntArray]]:
    """Choose what is read of each frame: first voxel and number of voxels, order z, y, x, of each box.

    The whole frame if it is within the budget; else boxes of three times the largest shift, evenly spread, as many as
    the budget allows (at least one, however small the budget).
    """
    shape, budget = np.array(movie.shape[1:]), params.frame_megavoxels * 1e6
    if np.prod(shape) <= budget:
        return [(np.zeros(3, np.int64), shape)]
    side = np.ceil(_BOX_PER_SHIFT * params.max_shift_um / movie.voxel_size_um).astype(np.int64)
    size = np.minimum(side, shape)
    while np.prod(size) * _MOST_BOXES < budget:
        size = np.minimum(np.ceil(1.1 * size).astype(np.int64), shape)
    while np.prod(size) > budget and size.max() > 1:
        longest = int(np.argmax(size * movie.voxel_size_um))
        size[longest] = (size[longest] + 1) // 2
    counts = np.ones(3, np.int64)
    while True:
        more = counts + np.eye(3, dtype=np.int64)[int(np.argmax((shape - size * counts) / (size * counts)))]
        if np.prod(more) * np.prod(size) > budget or (more * size > shape).any():
            break
        counts = more
    corners = np.stack(np.meshgrid(*[np.arange(n) for n in counts], indexing="ij"), -1).reshape(-1, 3)
    starts = np.rint((corners + 0.5) * shape / counts - size / 2).astype(np.int64)
    return [(np.clip(start, 0, shape - size), size) for start in starts]


def _read_coarse(
    movie: Movie, t: int, boxes: list[tuple[IntArray, IntArray]], sigma_um: float
) -> list[CoarseBox] | None:
    """Read the boxes of a frame and make them small, one after the other; None if one cannot be read."""
    coarse = []
    for start, size in boxes:
        try:
            coarse.append(coarsen_box(read_box(movie, t, start, size), sigma_um, movie.voxel_size_um))
        except ChunkError as error:
            _log.warning("no drift is measured at frame %d: %s", t, error.what)
            return None
    return coarse


def _report(drift: MovieDrift) -> None:
    frames = drift.shifted_frames.tolist()
    if frames:
        length = np.linalg.norm(drift.step_um, axis=1)
        named = ", ".join(f"{t} ({length[t]:.1f} µm)" for t in frames[:_FRAMES_NAMED])
        more = ", ..." if len(frames) > _FRAMES_NAMED else ""
        _log.info("the image as a whole moves at %d frames: %s%s; this is taken off", len(frames), named, more)
