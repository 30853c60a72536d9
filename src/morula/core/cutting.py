"""Cutting frames into blocks that see a margin around them: as little margin as a size allows. Pure arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np

from morula.core.columns import FloatArray, IntArray


class Cuts(NamedTuple):
    """Ways to cut one axis: length of a write region, most voxels one block sees, voxels all blocks see together."""

    write: IntArray
    most: FloatArray
    all: FloatArray


def list_cuts(size: int, step: int, halo: int, trim: int = 0) -> Cuts:
    """List the ways to cut an axis into parts of about equal length, longest first.

    Parameters
    ----------
    size
        Voxels along the axis.
    step
        Parts are multiples of so many voxels; the last one is seen as if it were, too.
    halo
        Voxels a part sees on either side, as far as there are any.
    trim
        Voxels seen beyond these, whether there are any or not.

    Examples
    --------
    >>> [part.tolist() for part in list_cuts(10, 2, 1)]
    [[10, 6, 4, 2], [10.0, 7.0, 6.0, 4.0], [10.0, 12.0, 14.0, 18.0]]
    """
    steps = -(-size // step)
    write = np.unique(-(-steps // np.arange(1, steps + 1)))[::-1] * step
    most, total = [], []
    for length in write.tolist():
        start = np.arange(0, size, length)
        seen = np.minimum(start + length + halo, steps * step) - np.maximum(start - halo, 0) + 2 * trim
        most.append(seen.max())
        total.append(seen.sum())
    return Cuts(write, np.array(most, np.float64), np.array(total, np.float64))


def choose_lengths(axes: Sequence[Cuts], most_megavoxels: float) -> tuple[int, ...] | None:
    """Choose how to cut every axis so that all blocks together see least, and none more than a size.

    Returns
    -------
    lengths
        Of a write region along each axis; None if even the smallest block sees more than `most_megavoxels`.
    """
    seen, work = (
        reduce(np.multiply.outer, sides) / 1e6 for sides in zip(*((a.most, a.all) for a in axes), strict=True)
    )
    if seen.min() > most_megavoxels:
        return None
    best = np.unravel_index(int(np.argmin(np.where(seen <= most_megavoxels, work, np.inf))), work.shape)
    return tuple(int(cuts.write[i]) for cuts, i in zip(axes, best, strict=True))
