"""What a network says about a frame: the form in which every network answers, on its two grids."""

from __future__ import annotations

from typing import NamedTuple

import torch

EVENTS = ("divides", "born")
"""What `Prediction.events` holds, in this order."""


class Prediction(NamedTuple):
    """Answer of a network for a batch of middle frames.

    Parameters
    ----------
    indicator
        Logit of the cell indicator, shape (batch, z, y, x), one value per `NetworkSpec.output_stride` input voxels.
    movement_um
        Movement vectors in µm, order z, y, x, shape (batch, 3, z', y', x'), one per `NetworkSpec.vector_stride` input
        voxels, from the centre of those voxels.
    events
        Logits of `divides` (a mother in her last frame) and `born` (a daughter in its first), shape
        (batch, 2, z', y', x'), on the grid of the vectors; `NetworkSpec.event_offset` makes them probabilities. None
        from a network that says nothing of the kind.
    """

    indicator: torch.Tensor
    movement_um: torch.Tensor
    events: torch.Tensor | None
