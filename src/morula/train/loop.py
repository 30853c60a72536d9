"""Training from top to bottom: labels, batches, steps, validation, checkpoints."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from morula.core.history import TrainingHistory
from morula.core.movie import Movie
from morula.core.progress import ProgressSink, ignore_progress
from morula.core.tracks import Tracks
from morula.errors import AnnotationError
from morula.network.intensity import measure_intensity
from morula.network.model import Model
from morula.network.spec import NetworkSpec, choose_network, choose_paper_network
from morula.network.threads import use_threads
from morula.train.blob_labels import collect_labels
from morula.train.checkpoint import TrainingLog
from morula.train.events import find_event_offset
from morula.train.labels import Labels
from morula.train.params import TrainParams, settle_second_round
from morula.train.ranks import share_work
from morula.train.sampling import CropSampler, FrameReader
from morula.train.steps import Task, run_training, take_part
from morula.train.teacher import Teacher, add_lineages

_LOG = logging.getLogger(__name__)
_FEWEST_POINTS = 10
_FEWEST_LINKS = 5


def train_network(
    movie: Movie,
    annotations: Tracks,
    held_out: Tracks,
    params: TrainParams,
    *,
    teacher: Teacher | None = None,
    checkpoint: Path | None = None,
    fingerprint: str = "",
    progress: ProgressSink = ignore_progress,
) -> tuple[Model, TrainingHistory]:
    """Learn cell indicator and movement vectors from sparse points.

    Parameters
    ----------
    movie
        The movie; read in small boxes.
    annotations
        Points to learn from.
    held_out
        Points to validate on, never learned from; may be empty.
    params
        Settings.
    teacher
        Outcome of a first round: this is the second then, which starts from its weights and learns its lineages too.
    checkpoint
        File to continue from and to write to; the run goes on bit for bit (CPU, same settings and threads).
    fingerprint
        Identity of this training's inputs; a checkpoint of another one is ignored.
    progress
        Listener.

    Raises
    ------
    AnnotationError
        If there are fewer points or links than can be learned from.
    TrainingError
        If the loss is not finite, or a single crop does not fit into the memory of the graphics card.
    """
    _check_enough(annotations)
    if teacher is not None:
        params = settle_second_round(params)
    if params.patience and not held_out.n:
        _LOG.warning("train.patience needs held-out annotations: training runs to its end")
    with use_threads(params.threads):
        spec = choose_spec(movie, params) if teacher is None else teacher.model.spec
        first = None if teacher is None else {k: v.cpu() for k, v in teacher.model.network.state_dict().items()}
        reader = FrameReader(movie, measure_intensity(movie, spec.low_percentile, spec.high_percentile))
        labels = _collect(movie, annotations, params, teacher)
        task = Task(reader, labels, held_out, spec, params, first, checkpoint, fingerprint)
        with share_work(params.devices, partial(take_part, task)) as ranks:
            state = run_training(task, ranks, progress)
        drawn = CropSampler(reader, labels, spec, params).measure_event_shares()
        spec = replace(spec, event_offset=find_event_offset(labels, drawn))
        return Model(network=state.average.eval(), spec=spec), _history(state.log)


def choose_spec(movie: Movie, params: TrainParams) -> NetworkSpec:
    """Choose the shape of the network the settings name, for this movie."""
    if params.network == "paper":
        spec = choose_paper_network(movie.voxel_size_um, variant=params.paper_variant)
        widths = params.channels or spec.channels
        return replace(spec, channels=widths, downsampling=spec.downsampling[: len(widths) - 1])
    spec = choose_network(movie.voxel_size_um, np.array(params.nucleus_radius_um))
    return replace(spec, channels=params.channels or spec.channels)


def _check_enough(annotations: Tracks) -> None:
    links = len(annotations.edges)
    if annotations.n < _FEWEST_POINTS or links < _FEWEST_LINKS:
        raise AnnotationError(
            f"{annotations.n} annotated points with {links} links are too few to learn from.",
            measured=f"at least {_FEWEST_POINTS} points and {_FEWEST_LINKS} links are needed, some hundred are better",
            cause="an empty or truncated track file",
            fix="follow a few more cells through the movie, divisions included",
        )


def _collect(movie: Movie, annotations: Tracks, params: TrainParams, teacher: Teacher | None) -> Labels:
    labels = collect_labels(movie, annotations, params)
    return labels if teacher is None else add_lineages(labels, teacher, annotations, params)


def _history(log: TrainingLog) -> TrainingHistory:
    names = (
        "iteration", "indicator_loss", "movement_loss",
        "val_iteration", "val_recall", "val_movement_um", "val_no_motion_um",
    )  # fmt: skip
    return TrainingHistory(**{name: log.columns.get(name, []) for name in names})  # type: ignore[arg-type]
