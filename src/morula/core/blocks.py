"""Blocks: a movie cut into write regions that tile it, each with a larger read region."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from morula.errors import ConfigError

Box = tuple[slice, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """One piece of work.

    Parameters
    ----------
    index
        Number of the block, counted from 0 in the order t, z, y, x.
    write
        Region of the movie this block answers for, order t, z, y, x; the write regions of all blocks tile the movie.
    read
        Region it has to see; contains `write` and may reach beyond the movie, where values are replicated.
    """

    index: int
    write: Box
    read: Box

    def __post_init__(self) -> None:
        for inner, outer in zip(self.write, self.read, strict=True):
            if not (outer.start <= inner.start < inner.stop <= outer.stop):
                raise ConfigError(f"block {self.index}: its write region {self.write} is not inside {self.read}.")

    @property
    def name(self) -> str:
        """The block in words, for messages: ``block 3 (t 0:4, z 0:16, y 32:64, x 0:32)``."""
        box = ", ".join(f"{axis} {s.start}:{s.stop}" for axis, s in zip("tzyx", self.write, strict=True))
        return f"block {self.index} ({box})"


def tile_blocks(shape: Sequence[int], write_shape: Sequence[int], halo: Sequence[tuple[int, int]]) -> list[Block]:
    """Cut a movie into blocks whose write regions tile it.

    Parameters
    ----------
    shape
        Shape of the movie, order t, z, y, x.
    write_shape
        Largest write region, same order; the last block of an axis may be smaller.
    halo
        Voxels to read before and after the write region, per axis.

    Examples
    --------
    >>> [block.name for block in tile_blocks((3, 4, 4, 4), (2, 4, 4, 4), [(1, 1), (0, 0), (0, 0), (0, 0)])]
    ['block 0 (t 0:2, z 0:4, y 0:4, x 0:4)', 'block 1 (t 2:3, z 0:4, y 0:4, x 0:4)']
    """
    starts = [range(0, size, step) for size, step in zip(shape, write_shape, strict=True)]
    blocks = []
    for index, corner in enumerate(product(*starts)):
        write = tuple(slice(a, min(a + step, size)) for a, step, size in zip(corner, write_shape, shape, strict=True))
        read = tuple(slice(s.start - before, s.stop + after) for s, (before, after) in zip(write, halo, strict=True))
        blocks.append(Block(index=index, write=write, read=read))
    return blocks
