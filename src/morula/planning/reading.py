"""How many bytes are read to look at boxes of a movie: voxels asked for, and the whole pieces they lie in.

Blocks tile a movie as a grid, so that along each axis only a few intervals occur; what all blocks read is the product
of what these intervals read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod

from morula.core.blocks import Block

Interval = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Reading:
    """What is read.

    Parameters
    ----------
    asked_bytes
        Voxels that are looked at, once for each time.
    read_bytes
        The same with the rest of the pieces they lie in; pieces are not kept between blocks. Not compressed.
    """

    asked_bytes: float
    read_bytes: float


def count_reading(blocks: Iterable[Block], shape: Sequence[int], chunk: Sequence[int], voxel_bytes: int) -> Reading:
    """Count what blocks that tile a movie as a grid read.

    Parameters
    ----------
    blocks
        All blocks of the grid, with their read regions.
    shape, chunk
        Shapes of the movie and of its pieces, order t, z, y, x.
    voxel_bytes
        Bytes of a voxel.

    Examples
    --------
    >>> from morula.core.blocks import tile_blocks
    >>> blocks = tile_blocks((4, 8, 8, 8), (2, 8, 8, 4), [(1, 1), (0, 0), (0, 0), (2, 2)])
    >>> count_reading(blocks, (4, 8, 8, 8), (1, 8, 8, 8), 2)
    Reading(asked_bytes=9216.0, read_bytes=12288.0)
    """
    along: list[set[tuple[Interval, int]]] = [set(), set(), set(), set()]
    for block in blocks:
        for axis, (seen, own) in enumerate(zip(block.read, block.write, strict=True)):
            along[axis].add(((seen.start, seen.stop), own.start))
    intervals = [[interval for interval, _ in places] for places in along]
    asked = [sum(_widen(i, size, 1) for i in axis) for axis, size in zip(intervals, shape, strict=True)]
    read = [sum(_widen(i, size, step) for i in axis) for axis, size, step in zip(intervals, shape, chunk, strict=True)]
    return Reading(float(prod(asked) * voxel_bytes), float(prod(read) * voxel_bytes))


def _clip(interval: Interval, size: int) -> Interval:
    return max(interval[0], 0), min(interval[1], size)


def _widen(interval: Interval, size: int, step: int) -> int:
    """Voxels of the pieces an interval touches."""
    first, last = _clip(interval, size)
    return min(-(-last // step) * step, size) - first // step * step
