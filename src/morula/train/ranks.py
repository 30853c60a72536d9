"""Processes that train one network together: each draws and computes its part of every batch.

torch's own `torch.distributed` carries the sums: NCCL between graphics cards, gloo between processes without any. The
caller's process is rank 0; the others are started here and end with it. What the processes say to each other is summed
in a fixed order, so that all hold the same weights at every step.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.process import BaseProcess
from typing import Protocol

import torch
from torch import distributed, multiprocessing

from morula.errors import MorulaError, TrainingError

_PATIENCE = timedelta(hours=1)  # of the others while rank 0 validates
_JOIN_S = 10.0


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process among those that train.

    Parameters
    ----------
    rank, count
        Number of this process from 0, and how many there are.
    """

    rank: int = 0
    count: int = 1

    def add_up(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return the sum over all processes; every one of them has to ask."""
        if self.count == 1:
            return tensor
        total = tensor.clone()
        distributed.all_reduce(total)
        return total

    def ask_first(self, answer: bool, device: torch.device) -> bool:
        """Return what rank 0 answers."""
        if self.count == 1:
            return answer
        said = torch.tensor([float(answer)], device=device)
        distributed.broadcast(said, src=0)
        return bool(said.item())


class _Reports(Protocol):
    def put(self, error: MorulaError) -> None: ...
    def get(self) -> MorulaError: ...
    def empty(self) -> bool: ...


ALONE = Ranks()
Work = Callable[[Ranks], None]


@contextmanager
def share_work(count: int, work: Work) -> Iterator[Ranks]:
    """Start ``count - 1`` processes that do `work`, and be rank 0 beside them inside the ``with`` block.

    Parameters
    ----------
    count
        Processes, this one included; with 1 nothing is started.
    work
        What the others do with their `Ranks`; it pickles.

    Raises
    ------
    TrainingError
        If another process ends before its time; if it left an error of morula, that one.
    """
    if count == 1:
        yield ALONE
        return
    _check_cards(count)
    store = distributed.TCPStore("127.0.0.1", 0, count, is_master=True, wait_for_workers=False)  # type: ignore[attr-defined]
    context = multiprocessing.get_context("spawn")
    reports = context.SimpleQueue()
    others = [
        context.Process(target=_take_part, args=(rank, count, store.port, work, reports), daemon=True)
        for rank in range(1, count)
    ]
    for other in others:
        other.start()
    try:
        _join_group(store, 0, count)
        yield Ranks(0, count)
        for other in others:
            other.join(_JOIN_S)
    except MorulaError:
        raise
    except RuntimeError as error:  # the connection broke
        raise _explain(others, reports, error) from error
    finally:
        for other in others:
            other.kill()
            other.join()
        if distributed.is_initialized():
            distributed.destroy_process_group()


def _check_cards(count: int) -> None:
    cards = torch.cuda.device_count()
    if 0 < cards < count:
        raise TrainingError(
            f"train: {count} graphics cards are asked for, {cards} are here.", fix=f"set train.devices = {cards}"
        )


def _join_group(store: distributed.Store, rank: int, count: int) -> None:  # type: ignore[name-defined]
    on_cards = torch.cuda.is_available()
    if on_cards:
        torch.cuda.set_device(rank)
    else:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # one machine: no need to ask the network for its name
    backend = "nccl" if on_cards else "gloo"
    distributed.init_process_group(backend, store=store, rank=rank, world_size=count, timeout=_PATIENCE)


def _take_part(rank: int, count: int, port: int, work: Work, reports: _Reports) -> None:
    """Be one of the other processes, from start to end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches rank 0, which ends the others
    store = distributed.TCPStore("127.0.0.1", port, count, is_master=False)  # type: ignore[attr-defined]
    _join_group(store, rank, count)
    try:
        work(Ranks(rank, count))
    except MorulaError as error:
        reports.put(error)
    distributed.destroy_process_group()


def _explain(others: Sequence[BaseProcess], reports: _Reports, error: RuntimeError) -> MorulaError:
    for other in others:
        other.join(_JOIN_S)
    if not reports.empty():
        return reports.get()
    codes = [other.exitcode for other in others]
    return TrainingError(
        f"train: one of {len(others) + 1} processes ended before its time.",
        measured=f"exit codes of the others {codes}; {str(error).splitlines()[0]}",
        cause="killed from outside, or out of memory",
        fix="run again with train.devices = 1; training goes on from its last checkpoint",
    )
