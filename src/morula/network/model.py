"""A trained network on disk: weights as safetensors, everything else as JSON inside the same file (never pickle)."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from morula.core.movie import Movie
from morula.errors import ModelError
from morula.network.build import build_network
from morula.network.device import choose_device
from morula.network.spec import NetworkSpec
from morula.network.tensor_file import write_tensors

_FORMAT = "morula-model-2"
_VOXEL_TOLERANCE = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A network ready to predict.

    Parameters
    ----------
    network
        The module, in evaluation mode.
    spec
        What its weights need.
    """

    network: nn.Module
    spec: NetworkSpec

    def __reduce__(self) -> tuple[object, ...]:
        """Travel without a device: whoever unpacks it, on a machine with other cards or none, chooses its own."""
        network = self.network
        if any(weight.device.type != "cpu" for weight in network.parameters()):
            network = deepcopy(network).cpu()
        return _place_model, (network, self.spec)

    def check_movie(self, movie: Movie) -> None:
        """Refuse a movie whose voxels differ by more than 10 % from those of the training movie.

        Raises
        ------
        ModelError
            With both voxel sizes.
        """
        trained, given = np.array(self.spec.voxel_size_um), movie.voxel_size_um
        if (np.abs(given / trained - 1) > _VOXEL_TOLERANCE).any():
            raise ModelError(
                f"{movie.name}: the model was trained at another voxel size.",
                measured=f"model z, y, x = {trained.tolist()} µm, movie {given.tolist()} µm",
                cause="a model from another microscope or magnification",
                fix="train on this movie, or resample it to the model's voxel size",
            )


def save_model(model: Model, path: Path) -> None:
    """Write weights and description into one safetensors file, whole or not at all; `DiskError` if it cannot be."""
    metadata = {"format": _FORMAT, "spec": json.dumps(model.spec.to_dict())}
    write_tensors(model.network.state_dict(), path, metadata)


def load_model(path: Path) -> Model:
    """Read a model.

    Raises
    ------
    ModelError
        If the file is missing, damaged, or its weights do not fit the network it names.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except FileNotFoundError:
        raise ModelError(f"{path}: there is no model here.", fix="run `morula train` first") from None
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path}: not a readable model ({error}).", fix="train again") from None
    if metadata.get("format") != _FORMAT:
        raise ModelError(
            f"{path}: format '{metadata.get('format')}', expected '{_FORMAT}'.",
            cause="weights of another version of morula, whose networks had other outputs, or of another program",
            fix="train again (`morula run` does it), or install the version that wrote them",
        )
    try:
        described = json.loads(metadata.get("spec", ""))
    except json.JSONDecodeError as error:
        raise ModelError(f"{path}: the model's description is damaged ({error}).", fix="train again") from None
    return build_model(NetworkSpec.from_dict(described), weights, str(path))


def build_model(spec: NetworkSpec, weights: dict[str, torch.Tensor], name: str = "model") -> Model:
    """Put weights into the network a spec describes.

    Raises
    ------
    ModelError
        If a tensor is missing, left over, of another shape or not finite.
    """
    network = build_network(spec)
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise ModelError(f"{name}: the weights do not fit the network: {error}", fix="train again") from None
    broken = [key for key, value in network.state_dict().items() if not bool(torch.isfinite(value).all())]
    if broken:
        raise ModelError(
            f"{name}: weights that are not finite, first in {broken[0]}.",
            measured=f"{len(broken)} of {len(weights)} tensors",
            cause="a damaged file",
            fix="train again",
        )
    return _place_model(network.eval(), spec)


def _place_model(network: nn.Module, spec: NetworkSpec) -> Model:
    """Put a network where this process computes, laid out as convolutions want it."""
    network = network.to(choose_device(), memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    return Model(network=network, spec=spec)
