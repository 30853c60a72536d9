"""The steps of a training: draw, differentiate, save, update, validate; alone or beside other processes.

A checkpoint is written between gradient and update, once the loss and its gradient were finite with the weights it
holds: what is on disk is always good to go on from.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from math import cos, isfinite, pi
from pathlib import Path

import torch

from morula.core.progress import Progress, ProgressSink, ignore_progress
from morula.core.tracks import Tracks
from morula.network.build import build_network
from morula.network.device import choose_device
from morula.network.spec import NetworkSpec
from morula.network.threads import use_threads
from morula.train.batch import fit_gradients, not_finite
from morula.train.checkpoint import TrainingLog, TrainingState, resume_checkpoint, save_checkpoint
from morula.train.labels import Labels
from morula.train.params import TrainParams
from morula.train.ranks import Ranks
from morula.train.sampling import CropSampler, FrameReader
from morula.train.stopping import note_validation, restore_best
from morula.train.validate import validate_network

_LOG = logging.getLogger(__name__)
_WARM_UP = 0.05
_LOG_EVERY = 20


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """A training, as every process that takes part needs it; pickles.

    Parameters
    ----------
    reader, labels
        Pixels, and what is known at points of them.
    held_out
        Points to validate on.
    spec, params
        The network, and the settings.
    first
        Weights to start from; random ones of the seed if None.
    checkpoint, fingerprint
        Where to save and to go on from, and the identity of the inputs.
    """

    reader: FrameReader
    labels: Labels
    held_out: Tracks
    spec: NetworkSpec
    params: TrainParams
    first: Mapping[str, torch.Tensor] | None
    checkpoint: Path | None
    fingerprint: str


def start_training(spec: NetworkSpec, params: TrainParams, first: Mapping[str, torch.Tensor] | None) -> TrainingState:
    """Build the network with the weights of the first round, or with random ones of the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(params.seed)
        network = build_network(spec)
    if first is not None:
        network.load_state_dict(first)
    network = network.to(choose_device(), memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(network.parameters(), lr=params.learning_rate, weight_decay=params.weight_decay)
    return TrainingState(network, deepcopy(network), optimizer, 0, TrainingLog())


def take_part(task: Task, ranks: Ranks) -> None:
    """Train as one of the other processes."""
    with use_threads(task.params.threads):
        run_training(task, ranks, ignore_progress)


def run_training(task: Task, ranks: Ranks, progress: ProgressSink) -> TrainingState:
    """Train to the end, from the checkpoint if there is one."""
    state = start_training(task.spec, task.params, task.first)
    if task.checkpoint is not None and resume_checkpoint(state, task.checkpoint, task.fingerprint) and not ranks.rank:
        _LOG.info("training goes on at iteration %d of %d", state.iteration, task.params.iterations)
    _train(state, task, ranks, progress)
    return state


def _train(state: TrainingState, task: Task, ranks: Ranks, progress: ProgressSink) -> None:
    params, device = task.params, next(state.network.parameters()).device
    sampler = CropSampler(task.reader, task.labels, task.spec, params)
    validate_at = {round(params.iterations * (i + 1) / params.validations) for i in range(params.validations)}
    saved = state.iteration
    while state.iteration < params.iterations:
        crops, targets = sampler.draw_batch(state.iteration, rank=ranks.rank, ranks=ranks.count)
        indicator, movement, state.parts = fit_gradients(
            state.network, crops, targets, state.iteration, params, parts=state.parts, ranks=ranks
        )
        if state.iteration % params.checkpoint_every == 0 and state.iteration > saved:
            _save(state, task, ranks)  # weights whose loss was finite
        update_weights(state, params)
        state.log.recent.append((indicator, movement))
        if state.iteration % _LOG_EVERY == 0 or state.iteration == params.iterations:
            _tell(state, params, progress)
        if state.iteration in validate_at:
            enough = ranks.rank == 0 and _validate(state, task)
            if ranks.ask_first(enough, device):
                _LOG.info("no better validation in the last %d: training ends here", params.patience)
                break
    _check_weights(state)
    if state.iteration % params.checkpoint_every == 0:
        _save(state, task, ranks)
    restore_best(state)


def _save(state: TrainingState, task: Task, ranks: Ranks) -> None:
    if task.checkpoint is not None and ranks.rank == 0:
        save_checkpoint(state, task.checkpoint, task.fingerprint)


def _tell(state: TrainingState, params: TrainParams, progress: ProgressSink) -> None:
    """Put the mean losses of the last steps into the log, and tell the listener."""
    recent = state.log.recent
    indicator, movement = (sum(column) / len(recent) for column in zip(*recent, strict=True))
    state.log.add(iteration=state.iteration, indicator_loss=indicator, movement_loss=movement)
    recent.clear()
    detail = f"indicator loss {indicator:.3f}, movement loss {movement:.2f}"
    progress(Progress("train", state.iteration, params.iterations, "iterations", detail))


def update_weights(state: TrainingState, params: TrainParams) -> None:
    """Make one step along the gradients, and let the average follow."""
    for group in state.optimizer.param_groups:
        group["lr"] = params.learning_rate * _rate(state.iteration / params.iterations)
    state.optimizer.step()
    state.iteration += 1
    decay = min(params.average_decay, state.iteration / (state.iteration + 10))
    with torch.no_grad():
        for averaged, current in zip(state.average.parameters(), state.network.parameters(), strict=True):
            averaged.lerp_(current, 1 - decay)


def _check_weights(state: TrainingState) -> None:
    """Refuse weights that the last step broke: no loss would tell any more."""
    if not all(bool(torch.isfinite(weight).all()) for weight in state.network.parameters()):
        raise not_finite(state.iteration, "weights that are not finite after the last step")


def _rate(share: float) -> float:
    """Linear warm-up, then a cosine down to 1 %."""
    if share < _WARM_UP:
        return (share + 1e-3) / (_WARM_UP + 1e-3)
    return 0.01 + 0.99 * 0.5 * (1 + cos(pi * (share - _WARM_UP) / (1 - _WARM_UP)))


def _validate(state: TrainingState, task: Task) -> bool:
    """Look at the held-out points; true if training should stop."""
    if not task.held_out.n:
        return False
    result = validate_network(state.average.eval(), task.spec, task.reader, task.held_out, task.params)
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
    return note_validation(state, result, task.params)
