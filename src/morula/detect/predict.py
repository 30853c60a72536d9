"""Predicting one block: frames in, detections out. Dense outputs never leave this module."""

from __future__ import annotations

import logging
from math import prod
from typing import NamedTuple

import numpy as np
import torch

from morula.core.blocks import Block
from morula.core.detections import Detections
from morula.core.movie import Movie
from morula.detect.answer import ask_network
from morula.detect.collect import collect_detections
from morula.detect.foreground import Foreground, choose_cell_vox, find_foreground
from morula.detect.frames import BlockFrames, Window, read_box
from morula.detect.params import DetectParams
from morula.detect.places import Seeker
from morula.detect.plan import halve_block
from morula.network.intensity import IntensityRange
from morula.network.model import Model
from morula.network.threads import use_threads

_LOG = logging.getLogger(__name__)


class Found(NamedTuple):
    """What came of a block.

    Parameters
    ----------
    detections
        Positions in µm, refined between voxels; movement vectors relative to the refined positions; the probabilities
        that a nucleus divides and that it was just born.
    skipped_vox
        Voxels of the write region that the network was not asked about: masked or empty.
    """

    detections: Detections
    skipped_vox: int


class _Region(NamedTuple):
    """Where the network answers, in voxels of the movie, order z, y, x; `padded` is the end at a multiple of strides.

    `start` and `stop` lie in the movie; from `stop` to `padded` its last voxels repeat.
    """

    start: np.ndarray
    stop: np.ndarray
    padded: np.ndarray


def detect_block(
    block: Block, *, movie: Movie, model: Model, intensity: IntensityRange, params: DetectParams
) -> Detections:
    """Find the nuclei whose highest voxel lies in the block's write region; see `search_block`."""
    return search_block(block, movie=movie, model=model, intensity=intensity, params=params).detections


@torch.inference_mode()
def search_block(block: Block, *, movie: Movie, model: Model, intensity: IntensityRange, params: DetectParams) -> Found:
    """Find the nuclei whose highest voxel lies in the block's write region, and say how much was skipped.

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

    Raises
    ------
    ChunkError
        If pixels of the block cannot be read or are not finite.
    MemoryError
        If a graphics card cannot hold even the smallest part of the block. What it can hold is found out: a block that
        is too large is detected in two halves, and these again, with the same result.
    """
    if _is_masked(block, movie):
        return Found(Detections.empty(), prod(side.stop - side.start for side in block.write))
    try:
        return _search_at_once(block, movie, model, intensity, params)
    except torch.OutOfMemoryError as error:
        halves = halve_block(block, model.spec)
        if halves is None:
            raise MemoryError(
                f"the graphics card has too little memory for the smallest part of {block.name}"
            ) from error
        said = str(error).splitlines()[0]
    _LOG.info("%s does not fit the graphics card and is detected in two halves: %s", block.name, said)
    parts = [search_block(half, movie=movie, model=model, intensity=intensity, params=params) for half in halves]
    return Found(Detections.concatenated([part.detections for part in parts]), sum(part.skipped_vox for part in parts))


def _is_masked(block: Block, movie: Movie) -> bool:
    """Say whether the mask leaves nothing of the block, so that its pixels need not be read."""
    if movie.mask_tzyx is None:
        return False
    first, last = tuple(s.start for s in block.write), tuple(s.stop for s in block.write)
    return not read_box(movie.mask_tzyx, block, first, last).any()


def _search_at_once(block: Block, movie: Movie, model: Model, intensity: IntensityRange, params: DetectParams) -> Found:
    region, trim = _clip_to_movie(block, movie, model), np.array(model.spec.trim_vox)
    start, stop = tuple((region.start - trim).tolist()), tuple((region.padded + trim).tolist())
    frames = BlockFrames(movie, block, start, stop, intensity, model.spec.frames_around)
    in_frame = prod(side.stop - side.start for side in block.write[1:])
    parts, skipped = [], 0
    with use_threads(params.threads):
        for window in frames.windows():
            foreground = _look(window, region, movie, model, params)
            if foreground is not None and not foreground.any_within(*_write_region(block)):
                skipped += in_frame
                continue
            parts.append(_search_frame(window, region, movie, model, block, params, foreground))
    return Found(Detections.concatenated(parts), skipped)


def _look(window: Window, region: _Region, movie: Movie, model: Model, params: DetectParams) -> Foreground | None:
    """Look where the frame is not empty; None if it is to be searched everywhere."""
    if params.skip_contrast == 0:
        return None
    inside = _cut_inside(window, region, model)
    cell = choose_cell_vox(params.window_um, movie.voxel_size_um)
    return find_foreground(inside * inside, region.start, movie.shape[1:], cell, params.skip_contrast)


def _search_frame(
    window: Window,
    region: _Region,
    movie: Movie,
    model: Model,
    block: Block,
    params: DetectParams,
    foreground: Foreground | None,
) -> Detections:
    stride = np.array(model.spec.output_stride)
    answer = ask_network(model, window.shown, params)
    here = None if window.seen is None else _cut_trim(window.seen, model)
    if here is not None:
        answer.indicator[torch.from_numpy(~_pool_mask(here, stride)).to(answer.indicator.device)] = 0.0
    outputs = tuple(slice(n) for n in -(-(region.stop - region.start) // stride))  # padding is no place for a nucleus
    found = collect_detections(
        answer._replace(indicator=answer.indicator[outputs]),
        _cut_inside(window, region, model),
        window.t,
        region.start,
        movie=movie,
        block=block,
        seeker=Seeker(movie.shape[1:], movie.voxel_size_um, model.spec, params),
        foreground=foreground,
    )
    return found if here is None else _keep_seen(found, here, region.start, movie)


def _write_region(block: Block) -> tuple[np.ndarray, np.ndarray]:
    return np.array([s.start for s in block.write[1:]]), np.array([s.stop for s in block.write[1:]])


def _clip_to_movie(block: Block, movie: Movie, model: Model) -> _Region:
    """Region of the block inside the movie, and its end rounded up to the network's stride at the movie's far faces."""
    stride = np.array(model.spec.total_stride)
    start = np.array([max(s.start, 0) for s in block.read[1:]])
    stop = np.array([min(s.stop, n) for s, n in zip(block.read[1:], movie.shape[1:], strict=True)])
    return _Region(start, stop, -(-stop // stride) * stride)


def _cut_inside(window: Window, region: _Region, model: Model) -> np.ndarray:
    """The frame to be searched as the network is shown it: the part inside the movie for which it answers."""
    answered = _cut_trim(window.shown[model.spec.frames_around], model)
    return answered[tuple(slice(n) for n in region.stop - region.start)]


def _cut_trim(shown: np.ndarray, model: Model) -> np.ndarray:
    """The part of a volume shown to the network for which it answers."""
    return shown[tuple(slice(n, size - n) for n, size in zip(model.spec.trim_vox, shown.shape, strict=True))]


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
