"""Where the network computes: on a GPU if torch sees one, on the CPU otherwise."""

from __future__ import annotations

import os

import torch


def choose_device() -> torch.device:
    """Return the device that training and detection use."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def list_cards() -> list[str]:
    """Return the names by which CUDA_VISIBLE_DEVICES chooses among the graphics cards that this process may use."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = [] if chosen is None else [name.strip() for name in chosen.split(",")]
    return [names[i] if names else str(i) for i in range(torch.cuda.device_count())]
