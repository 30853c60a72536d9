"""From the network's answer about a frame to detections: peaks, positions, vectors, probabilities.

Peaks are sought where the answer is: on a graphics card by `device_peaks`, on a CPU by `morula.peaks`.
"""

from __future__ import annotations

import numpy as np
import torch

from morula.core.blocks import Block
from morula.core.columns import IntArray
from morula.core.detections import Detections
from morula.core.movie import Movie
from morula.detect.answer import Answer
from morula.detect.device_peaks import find_device_peaks
from morula.detect.foreground import Foreground
from morula.detect.params import DetectParams
from morula.detect.plan import peak_window_um
from morula.network.spec import NetworkSpec
from morula.peaks.maxima import Peaks, find_peaks


def collect_detections(
    answer: Answer,
    t: int,
    start: IntArray,
    *,
    movie: Movie,
    spec: NetworkSpec,
    block: Block,
    params: DetectParams,
    foreground: Foreground | None,
) -> Detections:
    """Collect the nuclei of one frame whose highest voxel lies in the block's write region.

    Parameters
    ----------
    answer, t, start
        What the network says, about which frame, and the first voxel of the movie it speaks of, order z, y, x.
    movie, spec, block, params
        As for `detect_block`.
    foreground
        Where nuclei may be; None means everywhere.
    """
    voxel, stride = movie.voxel_size_um, np.array(spec.output_stride)
    peaks = _seek_peaks(
        answer.indicator, start // stride, peak_window_um(movie, spec, params), voxel * stride, params.threshold
    )
    corner = peaks.voxel * stride
    first = np.array([s.start for s in block.write[1:]])
    last = np.array([s.stop for s in block.write[1:]])
    kept = ((corner >= first) & (corner < last)).all(axis=1)
    if foreground is not None:
        kept[kept] = foreground.at(corner[kept])
    peaks = peaks.rows(kept)
    refined = np.clip(spec.output_centre_um(peaks.refined_vox, voxel), 0, movie.extent_um)
    vector = peaks.voxel // spec.outputs_per_vector
    place = vector - start // spec.vector_stride
    movement = _pick(answer.movement_um, place).T + spec.vector_centre_um(vector, voxel) - refined
    movement -= movie.drift_um(t)  # the network saw the frame before shifted by it
    divides, born = (None, None) if answer.events is None else _pick(answer.events, place)
    score = np.clip(peaks.value.astype(np.float64), 0, 1)
    return Detections.sorted(np.full(peaks.n, t, np.int32), refined, score, movement, divides, born)


def _seek_peaks(
    indicator: torch.Tensor, origin: IntArray, window_um: np.ndarray, voxel_um: np.ndarray, threshold: float
) -> Peaks:
    """Find the peaks where the volume lies."""
    origin_vox = tuple(origin.tolist())
    if indicator.device.type != "cpu":
        return find_device_peaks(
            indicator, window_um=window_um, voxel_size_um=voxel_um, threshold=threshold, origin_vox=origin_vox
        )
    volume = indicator.contiguous().numpy()
    return find_peaks(volume, window_um=window_um, voxel_size_um=voxel_um, threshold=threshold, origin_vox=origin_vox)


def _pick(volumes: torch.Tensor, place: IntArray) -> np.ndarray:
    """Values of some volumes at some voxels, shape (volumes, n), float64."""
    z, y, x = torch.from_numpy(np.ascontiguousarray(place.T)).to(volumes.device)
    picked: np.ndarray = volumes[:, z, y, x].cpu().numpy().astype(np.float64)
    return picked
