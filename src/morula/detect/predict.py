"""Predicting one block: frames in, detections out. Dense outputs never leave this module."""

from __future__ import annotations

import numpy as np
import torch

from morula.core.blocks import Block
from morula.core.detections import Detections
from morula.core.movie import Movie, read_replicated
from morula.detect.params import DetectParams
from morula.detect.plan import peak_window_um
from morula.errors import ChunkError
from morula.network.intensity import IntensityRange
from morula.network.model import Model
from morula.network.threads import use_threads
from morula.peaks.maxima import find_peaks


@torch.inference_mode()
def detect_block(
    block: Block, *, movie: Movie, model: Model, intensity: IntensityRange, params: DetectParams
) -> Detections:
    """Find the nuclei whose highest voxel lies in the block's write region.

    Parameters
    ----------
    block
        From `plan_blocks`.
    movie, model
        What to look at, and with what.
    intensity
        Constants of the movie, measured once by `measure_intensity`.
    params
        Threshold and peak window.

    Returns
    -------
    detections
        Positions in µm, refined between voxels; movement vectors relative to the refined positions.

    Raises
    ------
    ChunkError
        If pixels of the block cannot be read or are not finite.
    """
    start, stop, padded = _clip_to_movie(block, movie, model)
    frames, seen = _read_frames(movie, block, start, stop, padded)
    stem = np.array(model.spec.stem_stride)
    outputs = tuple(slice(n) for n in -(-(stop - start) // stem))  # padding is no place for a nucleus
    parts = []
    with use_threads(params.threads):
        for t in range(block.write[0].start, block.write[0].stop):
            around = slice(t - 1 - block.read[0].start, t + 2 - block.read[0].start)
            triple = intensity.normalise(frames[around])
            if seen is not None:
                triple[~seen[around]] = 0.0
            output = _predict(model, triple)
            if seen is not None:
                output[0][~_pool_mask(seen[around][1], stem)] = 0.0
            found = _detect_frame(t, output[:, *outputs], start, movie, model, block, params)
            parts.append(found if seen is None else _keep_seen(found, seen[around][1], start, movie))
    return Detections.concatenated(parts)


def _clip_to_movie(block: Block, movie: Movie, model: Model) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Region of the block inside the movie, and its end rounded up to the network's stride at the movie's far faces."""
    stride = np.array(model.spec.total_stride)
    start = np.array([max(s.start, 0) for s in block.read[1:]])
    stop = np.array([min(s.stop, n) for s, n in zip(block.read[1:], movie.shape[1:], strict=True)])
    return start, stop, -(-stop // stride) * stride


def _read_frames(
    movie: Movie, block: Block, start: np.ndarray, stop: np.ndarray, padded: np.ndarray
) -> tuple[np.ndarray, np.ndarray | None]:
    """Read all frames of the block once, float32 (t, z, y, x), and the mask if there is one, as truth values.

    Beyond the movie the outermost voxels repeat.
    """
    first, last = block.read[0].start, block.read[0].stop
    try:
        frames = read_replicated(movie.tzyx, (first, *start.tolist()), (last, *stop.tolist()))
        mask = None
        if movie.mask_tzyx is not None:
            mask = read_replicated(movie.mask_tzyx, (first, *start.tolist()), (last, *stop.tolist()))
    except ChunkError as error:
        raise ChunkError(
            f"{block.name}: {error.what}", measured=error.measured, cause=error.cause, fix=error.fix
        ) from error
    bad = ~np.isfinite(frames)
    if bad.any():
        raise ChunkError(
            f"{block.name}: {int(bad.sum())} voxels are not finite.",
            measured=f"first in frame {first + int(np.argwhere(bad)[0][0])}",
            cause="NaN written by a fusion or deconvolution step",
            fix="replace NaN by the background value and run again: only this block is repeated",
        )
    more = [(0, 0), *((0, int(b - a)) for a, b in zip(stop, padded, strict=True))]
    seen = None if mask is None else np.pad(mask > 0, more, mode="edge")
    return np.pad(frames, more, mode="edge"), seen


def _predict(model: Model, triple: np.ndarray) -> np.ndarray:
    device = next(model.network.parameters()).device
    batch = torch.from_numpy(triple)[None].to(device, memory_format=torch.channels_last_3d)
    output = model.network(batch)[0]
    output[0] = torch.sigmoid(output[0])
    predicted: np.ndarray = output.float().cpu().numpy()
    return predicted


def _detect_frame(
    t: int, output: np.ndarray, start: np.ndarray, movie: Movie, model: Model, block: Block, params: DetectParams
) -> Detections:
    stem = np.array(model.spec.stem_stride)
    peaks = find_peaks(
        np.ascontiguousarray(output[0]),
        window_um=peak_window_um(movie, model.spec, params),
        voxel_size_um=movie.voxel_size_um * stem,
        threshold=params.threshold,
        origin_vox=tuple((start // stem).tolist()),
    )
    first = np.array([s.start for s in block.write[1:]])
    last = np.array([s.stop for s in block.write[1:]])
    own = ((peaks.voxel * stem >= first) & (peaks.voxel * stem < last)).all(axis=1)
    peaks = peaks.rows(own)
    at_voxel = model.spec.output_centre_um(peaks.voxel, movie.voxel_size_um)
    refined = np.clip(model.spec.output_centre_um(peaks.refined_vox, movie.voxel_size_um), 0, movie.extent_um)
    z, y, x = (peaks.voxel - start // stem).T
    movement = output[1:, z, y, x].T.astype(np.float64) + at_voxel - refined
    return Detections.sorted(
        np.full(peaks.n, t, np.int32), refined, np.clip(peaks.value.astype(np.float64), 0, 1), movement
    )


def _pool_mask(seen: np.ndarray, stem: np.ndarray) -> np.ndarray:
    """Output voxels that hold at least one voxel of the mask."""
    pooled: np.ndarray = seen
    for axis, step in enumerate(stem.tolist()):
        pooled = np.logical_or.reduceat(pooled, np.arange(0, pooled.shape[axis], step), axis=axis)
    return pooled


def _keep_seen(found: Detections, seen: np.ndarray, start: np.ndarray, movie: Movie) -> Detections:
    """Drop detections whose own voxel lies outside the mask."""
    z, y, x = (np.round(found.zyx_um / movie.voxel_size_um).astype(int) - start).T
    keep = seen[z, y, x]
    return Detections(
        t=found.t[keep], zyx_um=found.zyx_um[keep], score=found.score[keep], movement_um=found.movement_um[keep]
    )
