"""How long training takes here: a few steps, the labels of a few frames, one look at the held-out annotations."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from morula.core.movie import Movie
from morula.core.progress import ignore_progress
from morula.core.tracks import Tracks
from morula.network.build import build_network
from morula.network.device import choose_device
from morula.network.threads import use_threads
from morula.planning.probe import SOURCE, find_intensity, time_work
from morula.planning.rates import Rate
from morula.planning.work import Subject
from morula.train.blob_labels import collect_labels
from morula.train.labels import LabelKind, Labels, annotation_labels, join_labels
from morula.train.params import TrainParams
from morula.train.ranks import Ranks
from morula.train.sampling import FrameReader
from morula.train.steps import Task, run_training
from morula.train.validate import validate_network

_WARM_STEPS, _STEPS = 2, 10
_LABELLED_FRAMES = 3
_MADE_UP_TRACKS = 60


def time_training(subject: Subject, train: Tracks, val: Tracks) -> Rate:
    """Time training; per step, and once for labels and validation.

    Parameters
    ----------
    subject
        What is planned.
    train, val
        Annotations; where there are none to learn from, points anywhere in the movie stand in for them, and no labels
        are sought in its images.
    """
    movie, params = subject.movie, subject.config.train
    reader = FrameReader(movie, find_intensity(movie))
    labels, once_s = _time_labels(movie, train, params) if train.n else (annotation_labels(make_up_tracks(movie)), 0.0)
    task = Task(reader, labels, nobody(), subject.spec, params, None, None, "")
    with use_threads(params.threads):
        run_training(_shorten(task, _WARM_STEPS, params.seed + 1), Ranks(), ignore_progress)
        timed = partial(run_training, _shorten(task, _STEPS, params.seed), Ranks(), ignore_progress)
        step_s = time_work(timed, params.threads) / _STEPS / params.devices
        if val.n:
            network = build_network(subject.spec).to(choose_device()).eval()
            look = partial(validate_network, network, subject.spec, reader, val, params)
            once_s += params.validations * time_work(look, params.threads)
    return Rate(step_s, once_s, SOURCE)


def _shorten(task: Task, steps: int, seed: int) -> Task:
    short = replace(task.params, iterations=steps, validations=1, patience=0, devices=1, seed=seed)
    return replace(task, params=short)


def _time_labels(movie: Movie, train: Tracks, params: TrainParams) -> tuple[Labels, float]:
    """Seek the labels of a few annotated frames; returns them with all annotations, and the seconds for all frames."""
    frames = np.unique(train.t)
    some = frames[np.unique(np.linspace(0, len(frames) - 1, _LABELLED_FRAMES).round().astype(int))]
    found: list[Labels] = []
    seconds = time_work(lambda: found.append(collect_labels(movie, train.rows(np.isin(train.t, some)), params)))
    blobs = found[0].rows(found[0].kind != LabelKind.ANNOTATION)
    return join_labels([annotation_labels(train), blobs]), seconds * len(frames) / len(some)


def make_up_tracks(movie: Movie) -> Tracks:
    """Return tracks of two frames each anywhere in a movie."""
    rng = np.random.default_rng(0)
    first = rng.integers(0, movie.n_frames - 1, _MADE_UP_TRACKS)
    places = rng.uniform(0, 1, (_MADE_UP_TRACKS, 3)) * movie.extent_um
    row = np.arange(_MADE_UP_TRACKS)
    return Tracks(
        t=np.concatenate([first, first + 1]).astype(np.int32),
        zyx_um=np.concatenate([places, places]),
        id=np.arange(2 * _MADE_UP_TRACKS),
        parent_row=np.concatenate([np.full(_MADE_UP_TRACKS, -1), row]),
    )


def nobody() -> Tracks:
    """Return annotations of no cell."""
    none = np.zeros(0, np.int64)
    return Tracks(t=none.astype(np.int32), zyx_um=np.zeros((0, 3)), id=none, parent_row=none)
