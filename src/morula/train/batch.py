"""The gradient of one batch: the same whether it is computed at once, in parts, or by several processes.

Every mean of the loss runs over the voxels of the whole batch that count. A part of the batch divides its sum by the
number of the whole batch; then the gradients of the parts only have to be added. The numbers are known before the parts
are differentiated: from the other processes at once, and from parts of one's own by a look ahead without gradients.
"""

from __future__ import annotations

import logging
from math import isfinite

import torch
from torch import nn

from morula.errors import TrainingError
from morula.network.device import uses_bfloat16
from morula.network.prediction import Prediction
from morula.train.loss import at_least_one, compute_losses
from morula.train.params import TrainParams
from morula.train.ranks import ALONE, Ranks
from morula.train.targets import Targets

_LOG = logging.getLogger(__name__)
_MAX_GRADIENT = 1.0


class VoxelCounts:
    """Numbers of voxels of the whole batch, one for each mean of the loss in the order they are asked for.

    Parameters
    ----------
    ranks
        Processes that share the batch.
    """

    def __init__(self, ranks: Ranks) -> None:
        self._ranks = ranks
        self._own: list[torch.Tensor] = []
        self._whole: list[torch.Tensor] = []
        self._asked = 0

    def begin_look_ahead(self) -> None:
        """Forget what an earlier look ahead counted, which may have ended half-way."""
        self._own = []

    def begin_part(self) -> None:
        """Begin with the first mean again."""
        self._asked = 0

    def look_ahead(self, count: torch.Tensor) -> torch.Tensor:
        """Add the voxels of a part to those of the parts before."""
        if self._asked == len(self._own):
            self._own.append(torch.zeros_like(count))
        self._own[self._asked] = self._own[self._asked] + count
        self._asked += 1
        return at_least_one(count)

    def denominator(self, count: torch.Tensor) -> torch.Tensor:
        """Return what a part's sum is divided by, so that the parts add up to the mean over the whole batch."""
        if self._asked == len(self._whole):
            own = self._own[self._asked] if self._own else count
            self._whole.append(at_least_one(self._ranks.add_up(own)))
        self._asked += 1
        return self._whole[self._asked - 1]


def add_gradients(
    network: nn.Module,
    crops: torch.Tensor,
    targets: list[Targets],
    iteration: int,
    params: TrainParams,
    *,
    parts: int = 1,
    counts: VoxelCounts | None = None,
) -> tuple[float, float]:
    """Compute the gradients of a batch, or of this process' crops of it, in so many parts.

    Parameters
    ----------
    network
        Its gradients are set, not added to.
    crops, targets
        As from `CropSampler.draw_batch`.
    iteration
        Step, for the switch of the movement loss.
    params
        Weights of the losses, and the precision.
    parts
        Parts that are computed one after the other, which takes less memory.
    counts
        Numbers of voxels, where other processes have a share of the batch.

    Returns
    -------
    tuple
        Indicator and movement loss: this process' share of the batch's.
    """
    counts = VoxelCounts(ALONE) if counts is None else counts
    pieces = [range(len(targets))[i::parts] for i in range(parts)]
    network.zero_grad(set_to_none=True)
    if parts > 1:
        counts.begin_look_ahead()
        for piece in pieces:
            counts.begin_part()
            with torch.no_grad():
                prediction = _predict(network, crops[list(piece)], params)
                compute_losses(prediction, [targets[i] for i in piece], iteration, params, counts.look_ahead)
    indicator, movement = 0.0, 0.0
    for piece in pieces:
        counts.begin_part()
        prediction = _predict(network, crops[list(piece)], params)
        losses = compute_losses(prediction, [targets[i] for i in piece], iteration, params, counts.denominator)
        total = losses.indicator + params.movement_weight * losses.movement + params.event_weight * losses.events
        total.backward()  # type: ignore[no-untyped-call]
        indicator += float(losses.indicator.detach())
        movement += float(losses.movement.detach())
    return indicator, movement


def _predict(network: nn.Module, crops: torch.Tensor, params: TrainParams) -> Prediction:
    """Predict in the precision asked for; the losses are computed in 32 bits whatever it is."""
    device = next(network.parameters()).device
    crops = crops.to(device, memory_format=torch.channels_last_3d)
    with torch.autocast(device.type, torch.bfloat16, enabled=uses_bfloat16(params.precision, device)):
        prediction: Prediction = network(crops)
    events = None if prediction.events is None else prediction.events.float()
    return Prediction(prediction.indicator.float(), prediction.movement_um.float(), events)


def fit_gradients(
    network: nn.Module,
    crops: torch.Tensor,
    targets: list[Targets],
    iteration: int,
    params: TrainParams,
    *,
    parts: int,
    ranks: Ranks = ALONE,
) -> tuple[float, float, int]:
    """Compute the gradients of a whole batch in as few parts as the memory of the device allows, `parts` at least.

    Gradients longer than 1 are shortened to 1.

    Returns
    -------
    tuple
        Indicator and movement loss of the whole batch, and the number of parts.

    Raises
    ------
    TrainingError
        If a single crop does not fit into memory, or a loss or gradient is not finite.
    """
    counts = VoxelCounts(ranks)
    while True:
        try:
            own = add_gradients(network, crops, targets, iteration, params, parts=parts, counts=counts)
            break
        except torch.OutOfMemoryError as error:
            parts = _next_parts(parts, len(targets), error)
        torch.cuda.empty_cache()  # nothing without a card
    indicator, movement = _exchange(network, own, ranks)
    if not isfinite(indicator + movement):
        raise not_finite(iteration, f"indicator loss {indicator:g}, movement loss {movement:g}")
    if not isfinite(float(nn.utils.clip_grad_norm_(network.parameters(), _MAX_GRADIENT))):
        raise not_finite(iteration, f"indicator loss {indicator:g}, movement loss {movement:g}; no finite gradient")
    return indicator, movement, parts


def _next_parts(parts: int, crops: int, error: torch.OutOfMemoryError) -> int:
    if parts >= crops:
        raise TrainingError(
            "train: a single crop does not fit into the memory of the graphics card.",
            measured=str(error).splitlines()[0],
            cause="another program uses the card, or crops of many voxels",
            fix="end other programs on the card, or make train.crop_outputs smaller",
        ) from error
    more = min(2 * parts, crops)
    _LOG.warning(
        "the memory of the graphics card is full: %d crops are computed in %d parts; the outcome is the same, it takes "
        "longer", crops, more,
    )  # fmt: skip
    return more


def _exchange(network: nn.Module, own: tuple[float, float], ranks: Ranks) -> tuple[float, float]:
    """Add up the gradients and losses of all processes, in one message."""
    if ranks.count == 1:
        return own
    weights = list(network.parameters())
    gradients = [torch.zeros_like(w) if w.grad is None else w.grad for w in weights]
    losses = torch.tensor(own, device=weights[0].device)
    total = ranks.add_up(torch.cat([losses, *(gradient.flatten() for gradient in gradients)]))
    sizes = [weight.numel() for weight in weights]
    for weight, summed in zip(weights, torch.split(total[2:], sizes), strict=True):
        weight.grad = summed.view_as(weight)
    return float(total[0]), float(total[1])


def not_finite(iteration: int, measured: str) -> TrainingError:
    """Return the error of a training that diverged."""
    return TrainingError(
        f"train: the loss is not finite at iteration {iteration}.",
        measured=measured,
        cause="a learning rate that is too high, or voxels that are not finite",
        fix="lower train.learning_rate (a third of it) and run again, or look for NaN in the movie",
    )
