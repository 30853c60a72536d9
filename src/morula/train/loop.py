"""Training from top to bottom: labels, batches, steps, validation, checkpoints."""

from __future__ import annotations

import logging
from copy import deepcopy
from math import cos, isfinite, pi
from pathlib import Path

import numpy as np
import torch

from morula.core.history import TrainingHistory
from morula.core.movie import Movie
from morula.core.progress import Progress, ProgressSink, ignore_progress
from morula.core.tracks import Tracks
from morula.errors import AnnotationError, TrainingError
from morula.network.device import choose_device
from morula.network.fast import FastNetwork
from morula.network.intensity import measure_intensity
from morula.network.model import Model
from morula.network.spec import NetworkSpec, choose_network
from morula.network.threads import use_threads
from morula.train.blob_labels import collect_labels
from morula.train.checkpoint import TrainingLog, TrainingState, resume_checkpoint, save_checkpoint
from morula.train.labels import MERGE_PER_MASK, LabelKind, Labels, join_labels
from morula.train.loss import Losses, compute_losses
from morula.train.params import TrainParams, settle_second_round
from morula.train.sampling import CropSampler, FrameReader
from morula.train.targets import Targets
from morula.train.teacher import Teacher, drop_near, teacher_labels
from morula.train.validate import validate_network

_LOG = logging.getLogger(__name__)
_WARM_UP = 0.05
_LOG_EVERY = 20
_MAX_GRADIENT = 1.0
_FEWEST_POINTS = 10
_FEWEST_LINKS = 5
_RADIUS_PER_SIGMA = 2.3


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
        If the loss is not finite.
    """
    _check_enough(annotations)
    if teacher is not None:
        params = settle_second_round(params)
    with use_threads(params.threads):
        spec = choose_network(movie.voxel_size_um, _RADIUS_PER_SIGMA * np.array(params.target_sigma_um))
        spec = spec if teacher is None else teacher.model.spec
        reader = FrameReader(movie, measure_intensity(movie, spec.low_percentile, spec.high_percentile))
        state = _start(spec, params, teacher)
        if checkpoint is not None and resume_checkpoint(state, checkpoint, fingerprint):
            _LOG.info("training goes on at iteration %d of %d", state.iteration, params.iterations)
        labels = _collect(movie, annotations, params, teacher)
        _train(state, spec, reader, labels, held_out, params, (checkpoint, fingerprint), progress)
        return Model(network=state.average.eval(), spec=spec), _history(state.log)  # type: ignore[arg-type]


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
    """Annotations and blobs; in the second round lineages take the place of the blobs they lie on."""
    labels = collect_labels(movie, annotations, params)
    if teacher is None:
        return labels
    radius_um = MERGE_PER_MASK * params.mask_radius_um
    taught = teacher_labels(teacher, annotations, radius_um)
    blobs, others = labels.split(LabelKind.CLEAR_BLOB, LabelKind.WEAK_BLOB)
    blobs = drop_near(blobs, taught, radius_um).with_kind(LabelKind.WEAK_BLOB)
    return join_labels([others, taught, blobs])


def _start(spec: NetworkSpec, params: TrainParams, teacher: Teacher | None) -> TrainingState:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(params.seed)
        network = FastNetwork(spec)
    if teacher is not None:
        network.load_state_dict(teacher.model.network.state_dict())
    network = network.to(choose_device(), memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(network.parameters(), lr=params.learning_rate, weight_decay=params.weight_decay)
    return TrainingState(network, deepcopy(network), optimizer, 0, TrainingLog())


def _train(
    state: TrainingState,
    spec: NetworkSpec,
    reader: FrameReader,
    labels: Labels,
    held_out: Tracks,
    params: TrainParams,
    checkpoint: tuple[Path | None, str],
    progress: ProgressSink,
) -> None:
    sampler = CropSampler(reader, labels, spec, params)
    validate_at = {round(params.iterations * (i + 1) / params.validations) for i in range(params.validations)}
    while state.iteration < params.iterations:
        losses = _step(state, *sampler.draw_batch(state.iteration), params)
        recent = state.log.recent
        recent.append((float(losses.indicator.detach()), float(losses.movement.detach())))
        if state.iteration % _LOG_EVERY == 0 or state.iteration == params.iterations:
            indicator, movement = (sum(column) / len(recent) for column in zip(*recent, strict=True))
            state.log.add(iteration=state.iteration, indicator_loss=indicator, movement_loss=movement)
            recent.clear()
            detail = f"indicator loss {indicator:.3f}, movement loss {movement:.2f}"
            progress(Progress("train", state.iteration, params.iterations, "iterations", detail))
        if state.iteration in validate_at:
            _validate(state, spec, reader, held_out, params)
        if checkpoint[0] is not None and state.iteration % params.checkpoint_every == 0:
            save_checkpoint(state, checkpoint[0], checkpoint[1])


def _step(state: TrainingState, crops: torch.Tensor, targets: list[Targets], params: TrainParams) -> Losses:
    for group in state.optimizer.param_groups:
        group["lr"] = params.learning_rate * _rate(state.iteration / params.iterations)
    device = next(state.network.parameters()).device
    prediction = state.network(crops.to(device, memory_format=torch.channels_last_3d))
    losses = compute_losses(prediction, targets, state.iteration, params)
    total = losses.indicator + params.movement_weight * losses.movement
    if not isfinite(float(total.detach())):
        raise TrainingError(
            f"train: the loss is not finite at iteration {state.iteration}.",
            measured=f"indicator {float(losses.indicator.detach()):g}, movement {float(losses.movement.detach()):g}",
            cause="a learning rate that is too high, or voxels that are not finite",
            fix="lower train.learning_rate (a third of it), or look for NaN in the movie",
        )
    state.optimizer.zero_grad()
    total.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(state.network.parameters(), _MAX_GRADIENT)
    state.optimizer.step()
    state.iteration += 1
    decay = min(params.average_decay, state.iteration / (state.iteration + 10))
    with torch.no_grad():
        for averaged, current in zip(state.average.parameters(), state.network.parameters(), strict=True):
            averaged.lerp_(current, 1 - decay)
    return losses


def _rate(share: float) -> float:
    """Linear warm-up, then a cosine down to 1 %."""
    if share < _WARM_UP:
        return (share + 1e-3) / (_WARM_UP + 1e-3)
    return 0.01 + 0.99 * 0.5 * (1 + cos(pi * (share - _WARM_UP) / (1 - _WARM_UP)))


def _validate(
    state: TrainingState, spec: NetworkSpec, reader: FrameReader, held_out: Tracks, params: TrainParams
) -> None:
    if not held_out.n:
        return
    result = validate_network(state.average.eval(), spec, reader, held_out, params)  # type: ignore[arg-type]
    _LOG.info(
        "iteration %d: validation recall %.3f, movement error %.2f µm (no motion %.2f µm)",
        state.iteration, result.recall, result.movement_um, result.no_motion_um,
    )  # fmt: skip
    if isfinite(result.movement_um):
        state.log.add(
            val_iteration=state.iteration,
            val_recall=result.recall,
            val_movement_um=result.movement_um,
            val_no_motion_um=result.no_motion_um,
        )


def _history(log: TrainingLog) -> TrainingHistory:
    names = (
        "iteration", "indicator_loss", "movement_loss",
        "val_iteration", "val_recall", "val_movement_um", "val_no_motion_um",
    )  # fmt: skip
    return TrainingHistory(**{name: log.columns.get(name, []) for name in names})  # type: ignore[arg-type]
