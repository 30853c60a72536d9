"""Where the network computes and how precisely: on a GPU if torch sees one, on the CPU otherwise."""

from __future__ import annotations

import os
from typing import Literal

import torch

Precision = Literal["auto", "float32", "bfloat16"]
"""How convolutions are computed; ``auto`` takes 16 bits on graphics cards that are made for it."""


def choose_device() -> torch.device:
    """Return the device that training and detection use: the current card of this process, where there is one.

    A process given one card of several by ``CUDA_VISIBLE_DEVICES`` sees that one only.
    """
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def list_cards() -> list[str]:
    """Return the names by which CUDA_VISIBLE_DEVICES chooses among the graphics cards that this process may use."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = [] if chosen is None else [name.strip() for name in chosen.split(",")]
    return [names[i] if names else str(i) for i in range(torch.cuda.device_count())]


def uses_bfloat16(precision: Precision, device: torch.device) -> bool:
    """Whether convolutions are computed in 16 bits: if asked for, or on a graphics card that is made for it."""
    if precision == "auto":
        return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return precision == "bfloat16"


def measure_card_bytes() -> int | None:
    """Return the memory of the card that `choose_device` takes; None where that is the CPU."""
    device = choose_device()
    return None if device.type == "cpu" else int(torch.cuda.get_device_properties(device).total_memory)
