"""The loss: cell indicator and movement vectors, each only where something is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from morula.train.params import TrainParams
from morula.train.targets import Targets

_SWITCH_AT = 0.05
_SWITCH_WIDTH = 2.5e-4
_LARGEST_EXPONENT = 60.0


@dataclass(frozen=True, slots=True)
class Losses:
    """The two parts of the loss, unweighted, as scalar tensors."""

    indicator: torch.Tensor
    movement: torch.Tensor


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


def compute_losses(prediction: torch.Tensor, targets: list[Targets], iteration: int, params: TrainParams) -> Losses:
    """Compute both losses of a batch.

    Parameters
    ----------
    prediction
        Network output, shape (batch, 4, z, y, x).
    targets
        One per crop.
    iteration
        Current step, for the switch of the movement loss.
    params
        Kind of loss.
    """
    device = prediction.device
    stack = {
        name: torch.from_numpy(np.stack([getattr(target, name) for target in targets])).to(device)
        for name in ("indicator", "near", "background", "movement_um", "moving")
    }
    return Losses(
        indicator=_indicator_loss(prediction[:, 0], stack["indicator"], stack["near"], stack["background"], params),
        movement=_movement_loss(prediction, stack["movement_um"], stack["moving"], spread_share(iteration, params)),
    )


def _indicator_loss(
    logit: torch.Tensor, target: torch.Tensor, near: torch.Tensor, background: torch.Tensor, params: TrainParams
) -> torch.Tensor:
    """Average the loss near centres and in the background separately, so that neither drowns the other."""
    if params.indicator_loss == "squared":
        loss = (torch.sigmoid(logit) - target) ** 2
    else:
        loss = functional.binary_cross_entropy_with_logits(logit, target, reduction="none")
    return _mean_where(loss, near) + _mean_where(loss, background)


def _movement_loss(prediction: torch.Tensor, target: torch.Tensor, moving: torch.Tensor, spread: float) -> torch.Tensor:
    """Smooth L1 in µm; L_A over the mask, L_B over local maxima of the predicted indicator inside it."""
    loss = functional.smooth_l1_loss(prediction[:, 1:], target, reduction="none").sum(dim=1)
    everywhere = _mean_where(loss, moving)
    if spread == 1.0:
        return everywhere
    logit = prediction[:, :1].detach()
    peak = (functional.max_pool3d(logit, 3, stride=1, padding=1) == logit)[:, 0] & moving
    return spread * everywhere + (1.0 - spread) * _mean_where(loss, peak)


def _mean_where(loss: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    weight = mask.to(loss.dtype)
    return (loss * weight).sum() / weight.sum().clamp(min=1.0)
