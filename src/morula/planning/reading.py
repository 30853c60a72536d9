"""How many bytes are read to look at boxes of a movie: voxels asked for, and the whole pieces they lie in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

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

    def share(self, share: float) -> Reading:
        """Return a share of it."""
        return Reading(share * self.asked_bytes, share * self.read_bytes)


def count_reading(
    intervals: Sequence[Sequence[Interval]], shape: Sequence[int], chunk: Sequence[int], voxel_bytes: int
) -> Reading:
    """Count what a grid of boxes reads.

    Parameters
    ----------
    intervals
        The sides of the boxes along t, z, y and x; every combination is a box. What lies outside the movie is not read.
    shape, chunk
        Shapes of the movie and of its pieces, order t, z, y, x.
    voxel_bytes
        Bytes of a voxel.

    Examples
    --------
    Two blocks side by side along x, each of which sees two voxels of the other, in a movie whose frames are one piece:

    >>> count_reading([[(0, 4)], [(0, 8)], [(0, 8)], [(-2, 6), (2, 10)]], (4, 8, 8, 8), (1, 8, 8, 8), 2)
    Reading(asked_bytes=6144.0, read_bytes=8192.0)
    """
    axes = list(zip(intervals, shape, chunk, strict=True))
    asked = prod(sum(_widen(interval, size, 1) for interval in along) for along, size, _ in axes)
    read = prod(sum(_widen(interval, size, step) for interval in along) for along, size, step in axes)
    return Reading(float(asked * voxel_bytes), float(read * voxel_bytes))


def _widen(interval: Interval, size: int, step: int) -> int:
    """Voxels along an axis of the pieces an interval touches."""
    first, last = max(interval[0], 0), min(interval[1], size)
    return min(-(-last // step) * step, size) - first // step * step
