"""Local maxima found on the device where the volume lies, so that only they leave it.

The same peaks as `morula.peaks.maxima.find_peaks`, whose definition holds: the same comparisons, in torch. It is used
on graphics cards; on a CPU the other one is faster.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from morula.core.columns import FloatArray
from morula.peaks.maxima import Peaks, window_offsets

_PAIRS_AT_ONCE = 1 << 22
"""Candidate–neighbour pairs compared together: some hundred megabytes."""


@torch.inference_mode()
def find_device_peaks(
    volume: torch.Tensor,
    *,
    window_um: float | Sequence[float] | FloatArray,
    voxel_size_um: Sequence[float] | FloatArray,
    threshold: float,
    origin_vox: Sequence[int] = (0, 0, 0),
) -> Peaks:
    """Find the voxels that beat every other voxel within an ellipsoid around them.

    Parameters
    ----------
    volume
        Values, shape (Z, Y, X), float32, on any device.
    window_um, voxel_size_um, threshold, origin_vox
        As for `morula.peaks.maxima.find_peaks`.
    """
    offsets = window_offsets(window_um, voxel_size_um)
    volume = volume.contiguous()
    found = _beat_neighbours(volume, threshold, [bool((np.abs(offsets[:, axis]) == 1).any()) for axis in range(3)])
    found = _beat_window(volume, found, torch.from_numpy(offsets).to(volume.device))
    voxel = found.cpu().numpy() + np.asarray(origin_vox, np.int64)
    value = volume[tuple(found.T)].cpu().numpy()
    return Peaks(voxel=voxel, refined_vox=voxel + _refine(volume, found).cpu().numpy(), value=value)


def _beat_neighbours(volume: torch.Tensor, threshold: float, reach: Sequence[bool]) -> torch.Tensor:
    """Voxels above the threshold that beat their direct neighbours along the axes in `reach`, shape (n, 3), sorted.

    Comparisons are negated so that a NaN neighbour, which compares false with everything, beats nobody.
    """
    mask = volume > threshold
    for axis, compared in enumerate(reach):
        size = volume.shape[axis]
        if compared and size > 1:
            before, after = volume.narrow(axis, 0, size - 1), volume.narrow(axis, 1, size - 1)
            mask.narrow(axis, 1, size - 1).logical_and_(~(after <= before))
            mask.narrow(axis, 0, size - 1).logical_and_(~(before < after))
    return mask.nonzero()


def _beat_window(volume: torch.Tensor, found: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
    """Keep the candidates that no voxel at `offsets` beats, nearest offsets first.

    Indices are clipped at the volume's edge: a clipped neighbour lies nearer on every axis, thus also in the window (or
    is the candidate itself, which does not beat itself).
    """
    sizes = torch.tensor(volume.shape, device=volume.device)
    weights = torch.tensor([volume.shape[1] * volume.shape[2], volume.shape[2], 1], device=volume.device)
    values, first = volume.reshape(-1), 0
    while first < len(offsets) and len(found):
        last = first + max(1, min(max(first, 64), _PAIRS_AT_ONCE // len(found)))
        other = torch.minimum((found[:, None] + offsets[first:last]).clamp_(min=0), sizes - 1)
        there_index, here_index = (other * weights).sum(dim=-1), (found * weights).sum(dim=-1)[:, None]
        there, here = values[there_index], values[here_index]
        beaten = (there > here) | ((there == here) & (there_index < here_index))
        found = found[~beaten.any(dim=1)]
        first = last
    return found


def _refine(volume: torch.Tensor, found: torch.Tensor) -> torch.Tensor:
    """Offset of a parabola's top from each voxel, per axis, as `morula.peaks.maxima.refine_peaks`; shape (n, 3)."""
    offset = torch.zeros(found.shape, dtype=torch.float64, device=volume.device)
    centre = volume[tuple(found.T)].double()
    for axis in range(3):
        inner = (found[:, axis] > 0) & (found[:, axis] < volume.shape[axis] - 1)
        sides = []
        for step in (-1, 1):
            place = found.clone()
            place[:, axis] = (place[:, axis] + step).clamp(0, volume.shape[axis] - 1)
            sides.append(volume[tuple(place.T)].double())
        before, after = sides
        curved = inner & before.isfinite() & after.isfinite() & (before <= centre) & (after <= centre)
        curved &= before + after < 2 * centre
        top = 0.5 * (after - before) / (2 * centre - before - after)
        offset[:, axis] = torch.where(curved, top, offset[:, axis])
    return offset.clamp(-0.5, 0.5)
