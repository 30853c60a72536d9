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

from morula.comparing import outline_search
from morula.core.blocks import Block
from morula.core.movie import Movie
from morula.detect.predict import detect_block
from morula.errors import MovieError
from morula.measure.blobs import measure_blob_search
from morula.measure.stabilise import choose_boxes, measure_movie_drift
from morula.network.build import build_network
from morula.network.device import choose_device
from morula.network.intensity import IntensityRange, measure_intensity
from morula.network.model import Model, load_model
from morula.peaks.classical import BlobSearch, cut_for_blobs, find_block_blobs
from morula.planning.rates import Rate
from morula.planning.stand_in import cut_excerpt
from morula.planning.work import MEGA, Subject

_LOG = logging.getLogger(__name__)
_EXCERPT_FRAMES, _EXCERPT_MEGAVOXELS = 4, 8.0
_BLOCK_MEGAVOXELS = 12.0
_SAMPLES, _SAMPLE_MEGAVOXELS = 8, 16.0  # at most, see measure.samples
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


def time_blobs(subject: Subject) -> Rate:
    """Time looking for blobs in a few frames; per megavoxel, and once for the threshold, sought in eight samples."""
    some = cut_excerpt(subject.movie, _EXCERPT_FRAMES, _EXCERPT_MEGAVOXELS)
    outline = outline_search(subject.config)
    blocks = cut_for_blobs(some, outline, some.shape)

    def measure() -> BlobSearch:
        return measure_blob_search(some, sigma_um=outline.sigma_um, window_um=outline.window_um)

    search, voxels = measure(), prod(some.shape) / MEGA

    def look() -> None:
        for block in blocks:
            find_block_blobs(block, movie=some, search=search)

    sampled = min(_SAMPLES, subject.movie.n_frames) * min(prod(subject.movie.shape[1:]) / MEGA, _SAMPLE_MEGAVOXELS)
    return Rate(time_work(look) / voxels, time_work(measure) / voxels * sampled, SOURCE)


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
    grid = subject.grid
    first = grid.shorten_middle(1)
    timed = grid.shorten_middle(max(1, int(_BLOCK_MEGAVOXELS / grid.count_seen(first))))
    intensity = find_intensity(movie)

    def detect(one: Block) -> None:
        detect_block(one, movie=movie, model=model, intensity=intensity, params=params)

    detect(first)
    mirrored = 4 if params.mirrored else 1
    seconds = time_work(lambda: detect(timed), params.threads)
    return Rate(seconds / (mirrored * grid.count_seen(timed)), source=SOURCE)


def find_intensity(movie: Movie) -> IntensityRange:
    """Measure the intensity range of the middle of a movie; any range where it shows nothing yet."""
    try:
        return measure_intensity(cut_excerpt(movie, _EXCERPT_FRAMES, _EXCERPT_MEGAVOXELS))
    except MovieError:
        _LOG.info("the middle of %s shows nothing; its speed is measured all the same", movie.name)
        return IntensityRange(0.0, 1.0)
