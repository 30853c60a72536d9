"""How much a U-Net of valid convolutions cuts off, and how far it sees: whole numbers, one axis at a time.

Every level has two convolutions of length 3 on the way down and, but for the deepest, two on the way up, as in
Malin-Mayor et al. 2023 (Methods, network architecture). Owns the arithmetic; no tensors.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

_REACH = 2  # of two convolutions of length 3, to each side


def trim_of(factors: Sequence[int]) -> int:
    """Input voxels on each side of an axis that get no output.

    An input of ``n · stride + 2 · trim`` voxels, ``stride`` being the product of the factors, can be halved at every
    level without remainder and gives ``n · stride`` outputs: the middle ones. Then the coarse voxels lie alike in
    every tile, and tiles fit together without a trace (the cropping of the published network, which makes it
    equivariant under shifts by ``stride``).

    Parameters
    ----------
    factors
        Downsampling from each level to the next, powers of two.

    Examples
    --------
    The published networks: 148 input voxels give 56 outputs along y and x; 60 give 12 along z, whose first factor is 1.

    >>> (148 - 56) // 2 == trim_of([2, 2, 2]), (60 - 12) // 2 == trim_of([1, 2, 2])
    (True, True)
    """
    stride = prod(factors)
    lost = _REACH * sum(prod(factors[:level]) for level in range(len(factors)))  # by the convolutions of one way
    coarse = -(-2 * (lost + _REACH * stride) // stride)  # further voxels of the deepest level's input
    coarse += coarse * stride % 2  # as many on each side
    return coarse * stride // 2 + lost


def context_of(factors: Sequence[int]) -> int:
    """Input voxels on each side of an axis that can influence an output voxel, whichever of a stride it is.

    Examples
    --------
    >>> context_of([])
    2
    """
    first = trim_of(factors)
    farthest = 0
    for voxel in range(first, first + prod(factors)):
        low, high = _seen(factors, voxel, voxel)
        farthest = max(farthest, voxel - low, high - voxel)
    return farthest


def _seen(factors: Sequence[int], first: int, last: int) -> tuple[int, int]:
    """First and last input voxel of a level that some of its output voxels see, all counted from its first input."""
    if not factors:
        return first - _REACH, last + _REACH
    factor = factors[0]
    first, last = first - _REACH, last + _REACH
    low, high = _seen(factors[1:], (first - _REACH) // factor, (last - _REACH) // factor)
    return min(first - _REACH, low * factor), max(last + _REACH, high * factor + factor - 1 + 2 * _REACH)
