"""The loss: cell indicator, movement vectors and events, each only where something is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from morula.network.prediction import Prediction
from morula.train.params import TrainParams
from morula.train.targets import Targets

_SWITCH_AT = 0.05
_SWITCH_WIDTH = 2.5e-4
_LARGEST_EXPONENT = 60.0

Denominator = Callable[[torch.Tensor], torch.Tensor]
"""From the number of voxels that count here to what their summed loss is divided by; see `morula.train.batch`."""


def at_least_one(count: torch.Tensor) -> torch.Tensor:
    """Divide by the number of voxels: the mean; and by 1 where there are none."""
    return count.clamp(min=1.0)


@dataclass(frozen=True, slots=True)
class Losses:
    """The parts of the loss, unweighted, as scalar tensors."""

    indicator: torch.Tensor
    movement: torch.Tensor
    events: torch.Tensor


def spread_share(iteration: int, params: TrainParams) -> float:
    """Share of the movement loss on the whole mask at a step: near 1 at first, then `params.movement_spread`.

    Malin-Mayor et al. 2023 switch at step 20 000 of 400 000 with a width of 100 steps; the switch scales with the
    length of the run. Written so that it cannot overflow.

    Examples
    --------
    >>> settings = TrainParams(iterations=1000, movement_spread=0.0)
    >>> [round(spread_share(i, settings), 2) for i in (0, 50, 1000)]
    [1.0, 0.5, 0.0]
    """
    exponent = (iteration / params.iterations - _SWITCH_AT) / _SWITCH_WIDTH
    early = 1.0 / (1.0 + float(np.exp(np.clip(exponent, -_LARGEST_EXPONENT, _LARGEST_EXPONENT))))
    return params.movement_spread + (1.0 - params.movement_spread) * early


def compute_losses(
    prediction: Prediction,
    targets: list[Targets],
    iteration: int,
    params: TrainParams,
    denominator: Denominator = at_least_one,
) -> Losses:
    """Compute the losses of a batch.

    Parameters
    ----------
    prediction
        What the network says.
    targets
        One per crop.
    iteration
        Current step, for the switch of the movement loss.
    params
        Kind of loss.
    denominator
        What the sum over the voxels of each mean is divided by: their number, unless this is only a part of a batch.
    """
    device = prediction.indicator.device
    stack = {
        name: torch.from_numpy(np.stack([getattr(target, name) for target in targets])).to(device)
        for name in ("indicator", "near", "background", "movement_um", "moving", "events")
    }
    spread = spread_share(iteration, params)
    return Losses(
        indicator=_indicator_loss(prediction.indicator, stack, params, denominator),
        movement=_movement_loss(prediction, stack["movement_um"], stack["moving"], spread, denominator),
        events=_event_loss(prediction.events, stack["events"], denominator),
    )


def _indicator_loss(
    logit: torch.Tensor, stack: dict[str, torch.Tensor], params: TrainParams, denominator: Denominator
) -> torch.Tensor:
    """Average the loss near centres and in the background separately, so that neither drowns the other."""
    if params.indicator_loss == "squared":
        loss = (torch.sigmoid(logit) - stack["indicator"]) ** 2
    else:
        loss = functional.binary_cross_entropy_with_logits(logit, stack["indicator"], reduction="none")
    return _mean_where(loss, stack["near"], denominator) + _mean_where(loss, stack["background"], denominator)


def _movement_loss(
    prediction: Prediction, target: torch.Tensor, moving: torch.Tensor, spread: float, denominator: Denominator
) -> torch.Tensor:
    """Smooth L1 in µm; L_A over the mask, L_B over local maxima of the predicted indicator inside it."""
    loss = functional.smooth_l1_loss(prediction.movement_um, target, reduction="none").sum(dim=1)
    everywhere = _mean_where(loss, moving, denominator)
    if spread == 1.0:
        return everywhere
    peak = _find_maxima(prediction.indicator.detach(), moving.shape[1:]) & moving
    return spread * everywhere + (1.0 - spread) * _mean_where(loss, peak, denominator)


def _find_maxima(logit: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """Voxels of the vectors' grid whose highest output voxel is not below those of their neighbours."""
    factor = tuple(fine // coarse for fine, coarse in zip(logit.shape[1:], shape, strict=True))
    highest = functional.max_pool3d(logit[:, None], factor)
    return (functional.max_pool3d(highest, 3, stride=1, padding=1) == highest)[:, 0]


def _event_loss(logit: torch.Tensor | None, target: torch.Tensor, denominator: Denominator) -> torch.Tensor:
    """Cross-entropy where it is known whether a nucleus divides, and whether it was just born."""
    if logit is None:
        return target.new_zeros(())
    loss = functional.binary_cross_entropy_with_logits(logit, target.clamp(min=0.0), reduction="none")
    return _mean_where(loss, target >= 0.0, denominator)


def _mean_where(loss: torch.Tensor, mask: torch.Tensor, denominator: Denominator) -> torch.Tensor:
    weight = mask.to(loss.dtype)
    return (loss * weight).sum() / denominator(weight.sum())
