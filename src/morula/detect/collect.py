"""From the network's answer about a frame to detections: places, vectors, probabilities."""

from __future__ import annotations

import numpy as np
import torch

from morula.core.blocks import Block
from morula.core.columns import BoolArray, IntArray
from morula.core.detections import Detections
from morula.core.movie import Movie
from morula.detect.answer import Answer
from morula.detect.foreground import Foreground
from morula.detect.places import Seeker


def collect_detections(
    answer: Answer,
    image: np.ndarray,
    t: int,
    start: IntArray,
    *,
    movie: Movie,
    block: Block,
    seeker: Seeker,
    foreground: Foreground | None,
) -> Detections:
    """Collect the nuclei of one frame that stand in the block's write region.

    Parameters
    ----------
    answer, image, t, start
        What the network says, the frame as it was shown to it, the frame's number, and the first voxel of the movie of
        which both speak, order z, y, x.
    movie, block
        As for `detect_block`.
    seeker
        Finds places in frames of this movie.
    foreground
        Where nuclei may be; None means everywhere.
    """
    spec = seeker.spec
    places = seeker.find_places(answer.indicator, image, start)
    first = np.array([s.start for s in block.write[1:]])
    last = np.array([s.stop for s in block.write[1:]])
    own: BoolArray = np.asarray(((places.voxel >= first) & (places.voxel < last)).all(axis=1))
    places = places.rows(own)
    if foreground is not None:
        places = places.rows(foreground.at(places.voxel))
    refined = np.clip(places.zyx_um, 0, movie.extent_um)
    vector = places.voxel // spec.vector_stride
    place = vector - start // spec.vector_stride
    movement = _pick(answer.movement_um, place).T + spec.vector_centre_um(vector, movie.voxel_size_um) - refined
    movement -= movie.drift_um(t)  # the network saw the frame before shifted by it
    divides, born = (None, None) if answer.events is None else _pick(answer.events, place)
    score = np.clip(places.score, 0, 1)
    return Detections.sorted(np.full(len(score), t, np.int32), refined, score, movement, divides, born)


def _pick(volumes: torch.Tensor, place: IntArray) -> np.ndarray:
    """Values of some volumes at some voxels, shape (volumes, n), float64."""
    z, y, x = torch.from_numpy(np.ascontiguousarray(place.T)).to(volumes.device)
    picked: np.ndarray = volumes[:, z, y, x].cpu().numpy().astype(np.float64)
    return picked
