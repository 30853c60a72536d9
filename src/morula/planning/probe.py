"""How fast this machine is at the movie's own work: a little of it is done and timed.

CPU seconds are taken, so that other programs on the machine hardly count; of a graphics card, the wall clock.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from math import prod
from pathlib import Path

from morula.core.blocks import Block
from morula.core.movie import Movie
from morula.detect.plan import plan_blocks
from morula.detect.predict import detect_block
from morula.errors import MovieError
from morula.measure.stabilise import choose_boxes, measure_movie_drift
from morula.network.build import build_network
from morula.network.device import choose_device
from morula.network.intensity import IntensityRange, measure_intensity
from morula.network.model import Model, load_model
from morula.peaks.classical import detect_blobs
from morula.planning.rates import Rate
from morula.planning.stand_in import cut_excerpt
from morula.planning.work import MEGA, Subject, count_seen

_LOG = logging.getLogger(__name__)
_EXCERPT_FRAMES, _EXCERPT_MEGAVOXELS = 4, 8.0
_BLOCK_MEGAVOXELS = 12.0
_UNTRAINED_THRESHOLD = 0.9  # what a network says that learned nothing is no detection
SOURCE = "timed here"


def time_work(work: Callable[[], object], threads: int = 1) -> float:
    """Return the seconds a piece of work takes on a machine that does nothing else."""
    on_card = choose_device().type != "cpu"
    clock = time.perf_counter if on_card else time.process_time
    began = clock()
    work()
    return (clock() - began) / (1 if on_card else threads)


def time_drift(subject: Subject) -> Rate:
    """Time measuring the drift of a few frames; per megavoxel."""
    some = cut_excerpt(subject.movie, _EXCERPT_FRAMES, _EXCERPT_MEGAVOXELS)
    params = subject.config.drift

    def measure() -> None:
        measure_movie_drift(some, params, sigma_um=subject.config.train.blob_sigma_um)

    measure()
    voxels = some.n_frames * sum(prod(size.tolist()) for _, size in choose_boxes(some, params))
    return Rate(time_work(measure) / (voxels / MEGA), source=SOURCE)


def time_baseline(subject: Subject) -> Rate:
    """Time looking for blobs in a few frames; per megavoxel. The threshold is sought in eight frames: counted once."""
    some = cut_excerpt(subject.movie, _EXCERPT_FRAMES, _EXCERPT_MEGAVOXELS)
    sigma, window = subject.config.train.blob_sigma_um, subject.config.detect.window_um

    def look() -> None:
        detect_blobs(some, sigma_um=sigma, window_um=window, threshold=0.0)

    look()
    per_megavoxel = time_work(look) / (prod(some.shape) / MEGA)
    sampled = min(8, subject.movie.n_frames) * prod(subject.movie.shape[1:]) / MEGA
    return Rate(per_megavoxel, once_s=per_megavoxel * sampled, source=SOURCE)


def time_detection(subject: Subject, weights: Path | None) -> Rate:
    """Time detecting one block in the middle of the movie; per megavoxel seen.

    Parameters
    ----------
    subject
        What is planned.
    weights
        A trained network; None takes one of the same shape that learned nothing.
    """
    movie, params = subject.movie, subject.config.detect
    if weights is None:
        model = Model(build_network(subject.spec).to(choose_device()).eval(), subject.spec)
        params = replace(params, threshold=_UNTRAINED_THRESHOLD)
    else:
        model = load_model(weights)
    blocks = plan_blocks(movie, model.spec, subject.config.detect)
    block = blocks[len(blocks) // 2]
    first = _keep_frames(block, 1, model.spec.frames_around)
    frames = max(1, int(_BLOCK_MEGAVOXELS / count_seen([first], movie, model.spec)))
    timed = _keep_frames(block, frames, model.spec.frames_around)
    intensity = find_intensity(movie)

    def detect(one: Block) -> None:
        detect_block(one, movie=movie, model=model, intensity=intensity, params=params)

    detect(first)
    mirrored = 4 if params.mirrored else 1
    seconds = time_work(lambda: detect(timed), params.threads)
    return Rate(seconds / (mirrored * count_seen([timed], movie, model.spec)), source=SOURCE)


def find_intensity(movie: Movie) -> IntensityRange:
    """Measure the intensity range of the middle of a movie; any range where it shows nothing yet."""
    try:
        return measure_intensity(cut_excerpt(movie, _EXCERPT_FRAMES, _EXCERPT_MEGAVOXELS))
    except MovieError:
        _LOG.info("the middle of %s shows nothing; its speed is measured all the same", movie.name)
        return IntensityRange(0.0, 1.0)


def _keep_frames(block: Block, frames: int, around: int) -> Block:
    """Return a block of fewer frames."""
    first, last = block.write[0].start, min(block.write[0].start + frames, block.write[0].stop)
    return replace(
        block,
        write=(slice(first, last), *block.write[1:]),
        read=(slice(first - around, last + around), *block.read[1:]),
    )
