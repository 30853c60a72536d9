"""How far each network looks: pure arithmetic on its strides, so that blocks can be planned without torch.

An architecture has one function here; `NetworkSpec` asks the one its weights name.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from morula.errors import ModelError
from morula.network.valid_reach import context_of, trim_of

Triple = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Reach:
    """What a network needs around the place of an answer, input voxels on each side, order z, y, x.

    Parameters
    ----------
    context_vox
        How far voxels can influence an answer.
    trim_vox
        How much less the answer covers than the input: zero for a network that pads.
    """

    context_vox: Triple
    trim_vox: Triple = (0, 0, 0)


def measure_fast_reach(stem_stride: Triple, downsampling: tuple[Triple, ...], output_stride: Triple) -> Reach:
    """Measure the reach of the network `fast`.

    Each level has a residual block of two 3×3×3 convolutions on the way down and one on the way up (the deepest has
    one); going up and down can shift the view by up to one voxel less than the total stride, and an answer finer than
    the working grid lies up to the difference off the edge of its working voxel.

    Examples
    --------
    >>> measure_fast_reach((1, 2, 2), ((2, 2, 2), (2, 2, 2)), (1, 1, 1)).context_vox
    (23, 48, 48)
    """
    reach = []
    for axis in range(3):
        stride, total = stem_stride[axis], 0
        for depth in range(len(downsampling) + 1):
            convolutions = 2 if depth == len(downsampling) else 4
            total += convolutions * stride
            if depth < len(downsampling):
                stride *= downsampling[depth][axis]
        shift = stem_stride[axis] * prod(level[axis] for level in downsampling) - 1
        reach.append(total + shift + stem_stride[axis] - output_stride[axis])
    z, y, x = reach
    return Reach((z, y, x))


def measure_paper_reach(stem_stride: Triple, downsampling: tuple[Triple, ...], output_stride: Triple) -> Reach:
    """Measure the reach of the network `paper`, whose convolutions do not pad.

    Examples
    --------
    >>> measure_paper_reach((1, 1, 1), ((1, 2, 2), (2, 2, 2), (2, 2, 2)), (1, 1, 1)).trim_vox
    (24, 46, 46)
    """
    if max(*stem_stride, *output_stride) > 1:
        raise ModelError("the network 'paper' has one answer per voxel, and so strides of 1.", fix="train again")
    axes = list(zip(*downsampling, strict=True))
    (z, y, x), (tz, ty, tx) = [context_of(axis) for axis in axes], [trim_of(axis) for axis in axes]
    return Reach((z, y, x), (tz, ty, tx))
