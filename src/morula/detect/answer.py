"""What the network says about a frame: probabilities and vectors, if asked for averaged over mirror images.

Owns the way to the device. Answers stay there: only what is found in them comes back. Knows neither blocks nor peaks.
"""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from morula.detect.params import DetectParams
from morula.network.device import uses_bfloat16
from morula.network.model import Model
from morula.network.prediction import Prediction

Float32Array = npt.NDArray[np.float32]

_MIRRORS = tuple(product((False, True), repeat=2))  # along y, along x; in z a nucleus looks different from behind


class Answer(NamedTuple):
    """What the network says about one frame: tensors in 32 bits, on the device where it was computed.

    Parameters
    ----------
    indicator
        Probability of a nucleus centre, shape (z, y, x), on the grid of the outputs.
    movement_um
        Vectors to the place one frame before, order z, y, x, shape (3, z', y', x'), on the coarser grid of the vectors.
    events
        Probabilities that a nucleus divides and that it was just born, shape (2, z', y', x'); None if nobody knows.
    """

    indicator: torch.Tensor
    movement_um: torch.Tensor
    events: torch.Tensor | None


@torch.inference_mode()
def ask_network(model: Model, shown: Float32Array, params: DetectParams) -> Answer:
    """Ask a network about the middle one of some frames.

    Parameters
    ----------
    model
        The network.
    shown
        Normalised frames, shape (t, z, y, x), sizes as `morula.network.build.build_network` says.
    params
        `mirrored`: ask about the frames as they are, mirrored along y, along x and along both, and average.
        `precision`: of the convolutions.

    Raises
    ------
    torch.OutOfMemoryError
        If a graphics card cannot hold the frames.
    """
    device = next(model.network.parameters()).device
    batch = torch.from_numpy(shown)[None].to(device, memory_format=torch.channels_last_3d)
    with torch.autocast(device.type, torch.bfloat16, enabled=uses_bfloat16(params.precision, device)):
        said = [_ask_mirrored(model, batch, axes) for axes in (_MIRRORS if params.mirrored else _MIRRORS[:1])]
    indicator, movement, events = ([part for part in parts if part is not None] for parts in zip(*said, strict=True))
    return Answer(_average(indicator), _average(movement), _average(events) if events else None)


def _ask_mirrored(
    model: Model, batch: torch.Tensor, mirrored: tuple[bool, ...]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
    """Return the probabilities, vectors and event probabilities of one mirror image, turned back."""
    axes = [axis for axis, turned in zip((-2, -1), mirrored, strict=True) if turned]
    said: Prediction = model.network(batch.flip(axes) if axes else batch)
    indicator, movement = torch.sigmoid(said.indicator[0].float()), said.movement_um[0].float()
    events, offset = None, model.spec.event_offset
    if said.events is not None and offset is not None:
        shift = torch.tensor(offset, device=batch.device).reshape(2, 1, 1, 1)
        events = torch.sigmoid(said.events[0].float() + shift)
    if not axes:
        return indicator, movement, events
    sign = torch.tensor([-1.0 if axis in axes else 1.0 for axis in (-3, -2, -1)], device=batch.device)
    movement = movement.flip(axes) * sign.reshape(3, 1, 1, 1)
    return indicator.flip(axes), movement, None if events is None else events.flip(axes)


def _average(parts: list[torch.Tensor]) -> torch.Tensor:
    return parts[0] if len(parts) == 1 else torch.stack(parts).mean(dim=0)
