"""Checkpoints of training: everything needed to go on bit for bit, in one safetensors file, replaced atomically."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from math import inf
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from morula.network.tensor_file import write_tensors


@dataclass(slots=True)
class TrainingLog:
    """Numbers gathered during training; becomes a `TrainingHistory`.

    Parameters
    ----------
    columns
        One list of numbers per column.
    recent
        Losses of the steps since the last entry, to be averaged into the next: indicator and movement.
    """

    columns: dict[str, list[float]] = field(default_factory=dict)
    recent: list[tuple[float, float]] = field(default_factory=list)

    def add(self, **values: float) -> None:
        """Append one value to each named column."""
        for name, value in values.items():
            self.columns.setdefault(name, []).append(value)


@dataclass(slots=True)
class BestWeights:
    """The averaged weights that validation liked most so far.

    Parameters
    ----------
    score
        Their score, see `morula.train.stopping.score_validation`; minus infinity before the first validation.
    iteration
        When they were looked at.
    waited
        Validations since then.
    weights
        State of the averaged network; empty before the first validation.
    """

    score: float = -inf
    iteration: int = 0
    waited: int = 0
    weights: dict[str, torch.Tensor] = field(default_factory=dict)


@dataclass(slots=True)
class TrainingState:
    """What changes during training.

    Parameters
    ----------
    network
        The network being trained.
    average
        Its moving average, which prediction uses.
    optimizer
        AdamW with its moments.
    iteration
        Steps done.
    log
        Losses and validations so far.
    best
        The best weights so far, where early stopping asks for them.
    parts
        Parts that a batch is computed in; more than one once the device's memory was full. Not kept on disk: another
        machine may have more.
    """

    network: nn.Module
    average: nn.Module
    optimizer: torch.optim.Optimizer
    iteration: int
    log: TrainingLog
    best: BestWeights = field(default_factory=BestWeights)
    parts: int = 1


def save_checkpoint(state: TrainingState, path: Path, fingerprint: str) -> None:
    """Write a checkpoint, whole or not at all; `DiskError` if it cannot be."""
    tensors = {f"network.{k}": v for k, v in state.network.state_dict().items()}
    tensors |= {f"average.{k}": v.clone() for k, v in state.average.state_dict().items()}
    for index, moments in state.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": value.clone() for name, value in moments.items()}
    tensors |= {f"best.{k}": v.clone() for k, v in state.best.weights.items()}
    described = {
        "iteration": state.iteration,
        "log": state.log.columns,
        "recent": state.log.recent,
        "best": [state.best.score, state.best.iteration, state.best.waited] if state.best.weights else None,
    }
    write_tensors(tensors, path, {"fingerprint": fingerprint, "state": json.dumps(described)})


def resume_checkpoint(state: TrainingState, path: Path, fingerprint: str) -> bool:
    """Load a checkpoint into `state`; false, with `state` untouched, if none, or a damaged one, is of this training."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("fingerprint") != fingerprint:
                return False
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        described = json.loads(metadata["state"])
        log = TrainingLog(described["log"], [(indicator, movement) for indicator, movement in described["recent"]])
        best = BestWeights(*(described["best"] or ()))
    except (FileNotFoundError, SafetensorError, KeyError, ValueError, TypeError):
        return False
    state.network.load_state_dict(_under("network.", tensors))
    state.average.load_state_dict(_under("average.", tensors))
    moments: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in _under("optimizer.", tensors).items():
        index, key = name.split(".", 1)
        moments.setdefault(int(index), {})[key] = value
    state.optimizer.load_state_dict({**state.optimizer.state_dict(), "state": moments})
    state.iteration = described["iteration"]
    state.log = log
    best.weights = {k: v.to(_device(state)) for k, v in _under("best.", tensors).items()}
    state.best = best
    return True


def _device(state: TrainingState) -> torch.device:
    return next(state.average.parameters()).device


def _under(prefix: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
