"""How many CPU threads the network may use: part of the settings, since sums depend on it in the last bits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from morula.network.memory import keep_freed_memory


@contextmanager
def use_threads(count: int) -> Iterator[None]:
    """Let torch use `count` threads inside the ``with`` block, and the process keep the memory they free."""
    keep_freed_memory()
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
