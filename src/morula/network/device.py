"""Where the network computes: on a GPU if torch sees one, on the CPU otherwise."""

from __future__ import annotations

import torch


def choose_device() -> torch.device:
    """Return the device that training and detection use."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
