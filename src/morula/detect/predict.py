"""Predicting one block: frames in, detections out. Dense outputs never leave this module."""

from __future__ import annotations

import logging
from typing import NamedTuple

import numpy as np
import torch

from morula.core.blocks import Block
from morula.core.detections import Detections
from morula.core.movie import Movie
from morula.detect.answer import Answer, ask_network
from morula.detect.frames import BlockFrames, read_box
from morula.detect.params import DetectParams
from morula.detect.places import Places, Seeker
from morula.detect.plan import halve_block
from morula.network.intensity import IntensityRange
from morula.network.model import Model
from morula.network.threads import use_threads

_LOG = logging.getLogger(__name__)


class _Region(NamedTuple):
    """Where the network answers, in voxels of the movie, order z, y, x; `padded` is the end at a multiple of strides.

    `start` and `stop` lie in the movie; from `stop` to `padded` its last voxels repeat.
    """

    start: np.ndarray
    stop: np.ndarray
    padded: np.ndarray


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
        Positions in µm, refined between voxels; movement vectors relative to the refined positions; the probabilities
        that a nucleus divides and that it was just born.

    Raises
    ------
    ChunkError
        If pixels of the block cannot be read or are not finite.
    MemoryError
        If a graphics card cannot hold even the smallest part of the block. What it can hold is found out: a block that
        is too large is detected in two halves, and these again, with the same result.
    """
    if _is_masked(block, movie):
        return Detections.empty()
    try:
        return _detect_at_once(block, movie, model, intensity, params)
    except torch.OutOfMemoryError as error:
        halves = halve_block(block, model.spec)
        if halves is None:
            raise MemoryError(
                f"the graphics card has too little memory for the smallest part of {block.name}"
            ) from error
        said = str(error).splitlines()[0]
    _LOG.info("%s does not fit the graphics card and is detected in two halves: %s", block.name, said)
    return Detections.concatenated(
        [detect_block(half, movie=movie, model=model, intensity=intensity, params=params) for half in halves]
    )


def _is_masked(block: Block, movie: Movie) -> bool:
    """Say whether the mask leaves nothing of the block, so that its pixels need not be read."""
    if movie.mask_tzyx is None:
        return False
    first, last = tuple(s.start for s in block.write), tuple(s.stop for s in block.write)
    return not read_box(movie.mask_tzyx, block, first, last).any()


def _detect_at_once(
    block: Block, movie: Movie, model: Model, intensity: IntensityRange, params: DetectParams
) -> Detections:
    region = _clip_to_movie(block, movie, model)
    trim = np.array(model.spec.trim_vox)
    start, stop = tuple((region.start - trim).tolist()), tuple((region.padded + trim).tolist())
    frames = BlockFrames.read(movie, block, start, stop)
    stride, around = np.array(model.spec.output_stride), model.spec.frames_around
    outputs = tuple(slice(n) for n in -(-(region.stop - region.start) // stride))  # padding is no place for a nucleus
    seeker = Seeker(movie.shape[1:], movie.voxel_size_um, model.spec, params)
    parts = []
    with use_threads(params.threads):
        for t in range(block.write[0].start, block.write[0].stop):
            pixels, seen = frames.around(t, around)
            shown = intensity.normalise(pixels)
            here = None
            if seen is not None:
                shown[~seen] = 0.0
                here = _cut_trim(seen[around], model)
            answer = ask_network(model, shown, mirrored=params.mirrored)
            if here is not None:
                answer.indicator[~_pool_mask(here, stride)] = 0.0
            image = shown[around][_cut_inside(region, start)]
            places = seeker.find_places(answer.indicator[outputs], image, region.start)
            found = _detect_frame(t, places, answer, region.start, movie, model, block)
            parts.append(found if here is None else _keep_seen(found, here, region.start, movie))
    return Detections.concatenated(parts)


def _clip_to_movie(block: Block, movie: Movie, model: Model) -> _Region:
    """Region of the block inside the movie, and its end rounded up to the network's stride at the movie's far faces."""
    stride = np.array(model.spec.total_stride)
    start = np.array([max(s.start, 0) for s in block.read[1:]])
    stop = np.array([min(s.stop, n) for s, n in zip(block.read[1:], movie.shape[1:], strict=True)])
    return _Region(start, stop, -(-stop // stride) * stride)


def _cut_inside(region: _Region, start: tuple[int, ...]) -> tuple[slice, ...]:
    """Where the region inside the movie lies in what was read from `start` on."""
    return tuple(
        slice(a - read, b - read) for a, b, read in zip(region.start.tolist(), region.stop.tolist(), start, strict=True)
    )


def _cut_trim(shown: np.ndarray, model: Model) -> np.ndarray:
    """The part of a volume shown to the network for which it answers."""
    return shown[tuple(slice(n, size - n) for n, size in zip(model.spec.trim_vox, shown.shape, strict=True))]


def _detect_frame(
    t: int, places: Places, answer: Answer, start: np.ndarray, movie: Movie, model: Model, block: Block
) -> Detections:
    spec, voxel = model.spec, movie.voxel_size_um
    first = np.array([s.start for s in block.write[1:]])
    last = np.array([s.stop for s in block.write[1:]])
    places = places.rows(((places.voxel >= first) & (places.voxel < last)).all(axis=1))
    refined = np.clip(places.zyx_um, 0, movie.extent_um)
    vector = places.voxel // spec.vector_stride
    z, y, x = (vector - start // spec.vector_stride).T
    movement = answer.movement_um[:, z, y, x].T.astype(np.float64) + spec.vector_centre_um(vector, voxel) - refined
    movement -= movie.drift_um(t)  # the network saw the frame before shifted by it
    divides, born = (None, None) if answer.events is None else answer.events[:, z, y, x].astype(np.float64)
    score = np.clip(places.score, 0, 1)
    return Detections.sorted(np.full(len(score), t, np.int32), refined, score, movement, divides, born)


def _pool_mask(seen: np.ndarray, stride: np.ndarray) -> np.ndarray:
    """Output voxels that hold at least one voxel of the mask."""
    pooled: np.ndarray = seen
    for axis, step in enumerate(stride.tolist()):
        pooled = np.logical_or.reduceat(pooled, np.arange(0, pooled.shape[axis], step), axis=axis)
    return pooled


def _keep_seen(found: Detections, seen: np.ndarray, start: np.ndarray, movie: Movie) -> Detections:
    """Drop detections whose own voxel lies outside the mask."""
    z, y, x = (np.round(found.zyx_um / movie.voxel_size_um).astype(int) - start).T
    return found.rows(seen[z, y, x])
