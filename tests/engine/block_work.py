"""What the engines' tests compute; a module of its own, so that worker processes can import it."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

from morula.core.blocks import Block
from morula.errors import ChunkError


def square(block: Block) -> int:
    return block.index**2


def break_odd(block: Block) -> int:
    if block.index % 2:
        raise ChunkError(f"chunk {block.index} is broken.")
    return block.index


class LockedError(OSError):
    """An error as some libraries have them, which cannot be packed for another process."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} is locked")
        self.lock = threading.Lock()


def find_third_locked(block: Block) -> int:
    if block.index == 2:
        raise LockedError("movie.h5")
    return block.index


def break_third_by_a_fault(block: Block) -> int:
    if block.index == 2:
        raise TypeError("a fault in the program")
    return block.index


def add_handed(block: Block, handed: dict[int, int]) -> int:
    """Block number plus what the blocks it waits for came to."""
    return block.index + sum(handed.values())


def refuse_second(block: Block, handed: dict[int, int]) -> int:
    if block.index == 1:
        raise ChunkError("chunk 1 is broken.")
    return add_handed(block, handed)


def name_process(block: Block) -> int:
    time.sleep(0.3)
    return os.getpid()


def name_card(block: Block) -> str:
    time.sleep(0.3)
    return os.environ.get("CUDA_VISIBLE_DEVICES", "not said")


def die_once(block: Block, folder: Path) -> int:
    """Kill the process that computes block 2, the first time."""
    mark = folder / "died"
    if block.index == 2 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return block.index


def die_always(block: Block) -> int:
    if block.index == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return block.index


def take_long(block: Block, folder: Path) -> int:
    (folder / f"begun-{block.index}").touch()
    time.sleep(0.2 if block.index == 0 else 120)
    return block.index


def take_half_a_second(block: Block) -> int:
    time.sleep(0.5)
    return block.index
