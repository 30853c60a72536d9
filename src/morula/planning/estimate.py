"""What `morula plan` does: the movie is opened or imagined, rates are read or timed, and a plan is made of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path

from morula.config import RunConfig
from morula.core.movie import Movie
from morula.core.progress import Progress, ProgressSink, ignore_progress
from morula.core.tracks import Tracks
from morula.errors import ConfigError
from morula.inputs import open_configured_movie, open_inputs
from morula.io.movies.chunks import find_chunk
from morula.network.model import load_model
from morula.planning.advice import give_advice
from morula.planning.contents import Contents, guess_contents, scale_contents
from morula.planning.detection import cut_for_detection
from morula.planning.finished import Finished, read_finished
from morula.planning.plan import Plan, plan_cluster, plan_stages
from morula.planning.probe import time_blobs, time_detection, time_drift
from morula.planning.rates import USUAL, Rate, RateName, Rates
from morula.planning.stand_in import make_blank_movie
from morula.planning.training_probe import nobody, time_training
from morula.planning.work import Subject, list_work
from morula.train.loop import choose_spec

_BLANK_CHUNK = (1, 32, 128, 128)
_DETECTION_BYTES = 950.0  # 450 in the store, 320 in the exports, and a blob of the baseline
_MODEL_BYTES = {"fast": 16e6, "paper": 430e6}  # weights and checkpoints of two rounds
_REPORT_BYTES = 6e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Imagined:
    """A movie that is not there yet.

    Parameters
    ----------
    shape
        Lengths of t, z, y, x.
    voxel_size_um
        Size of a voxel in µm, order z, y, x.
    dtype
        Type of a voxel.
    chunk
        Shape of the pieces it will be stored in, order z, y, x; None takes those `morula synthetic` writes.
    """

    shape: tuple[int, int, int, int]
    voxel_size_um: tuple[float, float, float]
    dtype: str = "uint16"
    chunk: tuple[int, int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRequest:
    """What `morula plan` was asked for.

    Parameters
    ----------
    workers
        Workers to plan for.
    within_hours
        When it shall be done.
    run_dir
        A run to take rates and the number of detections from.
    imagined
        The movie, if it is not that of the configuration.
    detections
        Number of detections, where it is known.
    until
        Last stage.
    """

    workers: int = 1
    within_hours: float = 24.0
    run_dir: Path | None = None
    imagined: Imagined | None = None
    detections: float | None = None
    until: str = "report"


def make_plan(config: RunConfig, request: PlanRequest, *, progress: ProgressSink = ignore_progress) -> Plan:
    """Say what a run will take, without starting it.

    Raises
    ------
    MovieError, TracksError, AnnotationError, ModelError
        If an input is there and cannot be read.
    StoreError
        If the run to take rates from is none.
    ConfigError
        If the number of detections of a movie that is not there is neither told nor known from another run.
    """
    finished = None if request.run_dir is None else read_finished(request.run_dir)
    subject = _describe(config, request, finished)
    known = {} if finished is None else dict(finished.rates)
    rates = _complete(known, subject, request, finished, progress)
    work = list_work(subject, request.until)
    stages = plan_stages(work, rates, request.workers)
    cluster = plan_cluster(work, rates, 3600 * request.within_hours)
    movie = subject.movie
    z, y, x = movie.voxel_size_um.tolist()
    return Plan(
        movie=movie.name,
        shape=movie.shape,
        voxel_size_um=(z, y, x),
        movie_bytes=float(prod(movie.shape) * subject.voxel_bytes),
        detections=subject.contents.detections,
        detections_source=subject.contents.source,
        workers=request.workers,
        stages=stages,
        cluster=cluster,
        disk_bytes=_project_disk(subject),
        advice=give_advice(subject, stages, cluster, read_memory_bytes()),
    )


def _project_disk(subject: Subject) -> float:
    """Return the bytes of a run directory and its database."""
    kept = _MODEL_BYTES[subject.spec.architecture] + _REPORT_BYTES
    return kept + _DETECTION_BYTES * subject.contents.detections


def read_memory_bytes() -> float:
    """Return the memory of this machine."""
    return float(os.sysconf("SC_PAGE_SIZE")) * os.sysconf("SC_PHYS_PAGES")


def _describe(config: RunConfig, request: PlanRequest, finished: Finished | None) -> Subject:
    there = request.imagined
    if there is None:
        movie = open_configured_movie(config.movie)
        chunk = find_chunk(movie.tzyx)
    else:
        movie = make_blank_movie(there.shape, there.voxel_size_um, there.dtype)
        chunk = _BLANK_CHUNK if there.chunk is None else (1, *there.chunk)
        chunk = tuple(min(step, size) for step, size in zip(chunk, movie.shape, strict=True))  # type: ignore[assignment]
    weights = _find_weights(config, finished, movie)
    spec = choose_spec(movie, config.train) if weights is None else load_model(weights).spec
    grid = cut_for_detection(movie, spec, config.detect)
    return Subject(movie, chunk, config, spec, grid, _find_contents(movie, config, request, finished))


def _find_weights(config: RunConfig, finished: Finished | None, movie: Movie) -> Path | None:
    """Return the trained network that would be used; that of another run counts where it fits the movie."""
    if config.model.weights is not None:
        return Path(config.model.weights)
    if finished is None or finished.weights is None:
        return None
    same = choose_spec(movie, config.train)
    trained = replace(load_model(finished.weights).spec, event_offset=None)
    return finished.weights if trained == same else None


def _find_contents(movie: Movie, config: RunConfig, request: PlanRequest, finished: Finished | None) -> Contents:
    if request.detections is not None:
        return Contents(request.detections, "as told")
    if finished is not None and finished.contents is not None:
        return scale_contents(finished.contents, finished.movie, movie)
    if request.imagined is not None:
        raise ConfigError(
            "the number of detections of a movie that is not there cannot be guessed.",
            fix="give --detections (cells in all frames together), or --run-dir of a finished run on a similar movie",
        )
    return guess_contents(movie, config.train.blob_sigma_um, config.detect)


def _complete(
    known: dict[RateName, Rate],
    subject: Subject,
    request: PlanRequest,
    finished: Finished | None,
    progress: ProgressSink,
) -> Rates:
    """Time what no other run tells, and take the usual rates for the rest."""
    config = subject.config
    train, val = _read_annotations(config, request)
    weights = _find_weights(config, finished, subject.movie)
    probes: dict[RateName, Callable[[], Rate]] = {
        "drift": lambda: time_drift(subject),
        "train": lambda: time_training(subject, train, val),
        "detect": lambda: time_detection(subject, weights),
        "blobs": lambda: time_blobs(subject),
    }
    rates = {**USUAL, **known}
    missing = [name for name in probes if name not in known]
    for i, name in enumerate(missing):
        rates[name] = probes[name]()
        progress(Progress("timing", i + 1, len(missing), "rates", name))
    return rates


def _read_annotations(config: RunConfig, request: PlanRequest) -> tuple[Tracks, Tracks]:
    if request.imagined is not None or config.annotations.train is None:
        return nobody(), nobody()
    inputs = open_inputs(config)
    return inputs.train, inputs.val
