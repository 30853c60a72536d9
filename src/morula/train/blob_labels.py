"""Image blobs as labels: nuclei nobody annotated, believed or left undecided.

Blobs are sought only in tiles that a crop can reach, so that the memory of a huge frame is never needed. People click
the centre of a nucleus while a blob sits where it is brightest; the median offset between both, measured at the
annotations, is added to every blob.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from morula.core.columns import BoolArray, FloatArray, FrameArray
from morula.core.movie import Movie
from morula.core.tracks import Tracks
from morula.errors import ChunkError
from morula.peaks.blobs import find_blobs
from morula.peaks.scale import split_blob_responses
from morula.train.labels import MERGE_PER_MASK, LabelKind, Labels, annotation_labels, join_labels
from morula.train.params import TrainParams

_LOG = logging.getLogger(__name__)
_TILE_UM = 120.0
_MARGIN_RADII = 4.0
_LOW_PERCENTILE = 10.0
_BESIDE = 0.1  # of the median response: an annotation with less lies on no nucleus
_WEAK_SHARE = 0.3
_HIGHEST_SHARE = 0.8


def collect_labels(movie: Movie, annotations: Tracks, params: TrainParams) -> Labels:
    """Turn annotations, and the image blobs of their frames where the settings ask for them, into label points."""
    parts = [annotation_labels(annotations)]
    if params.background != "paper" and annotations.n:
        parts.append(_blob_labels(movie, annotations, params))
    return join_labels(parts)


@dataclass(frozen=True, slots=True, eq=False)
class _Hits:
    """Annotations that lie on blobs: response and offset there, and which blobs are free of annotations."""

    response: FloatArray
    offset_um: FloatArray
    free: BoolArray


def _match_annotations(
    positions: FloatArray, responses: FloatArray, frames: FrameArray, annotations: Tracks, radius_um: float
) -> _Hits:
    response, offset, free = [np.zeros(0)], [np.zeros((0, 3))], np.ones(len(frames), bool)
    for t in np.unique(annotations.t):
        blobs, points = np.flatnonzero(frames == t), annotations.zyx_um[annotations.t == t]
        if len(blobs):
            distance, nearest = map(np.asarray, cKDTree(positions[blobs]).query(points))
            hit = distance < radius_um
            response.append(responses[blobs[nearest[hit]]])
            offset.append(points[hit] - positions[blobs[nearest[hit]]])
            back, _ = cKDTree(points).query(positions[blobs])
            free[blobs[np.asarray(back) < radius_um]] = False
    return _Hits(np.concatenate(response), np.concatenate(offset), free)


def _blob_labels(movie: Movie, annotations: Tracks, params: TrainParams) -> Labels:
    positions, responses, frames = _blobs_near_annotations(movie, annotations, params)
    hits = _match_annotations(positions, responses, frames, annotations, MERGE_PER_MASK * params.mask_radius_um)
    if len(hits.response) < max(3, 0.3 * annotations.n):
        _LOG.warning(
            "only %d of %d annotated points lie on an image blob of sigma %.3g µm; blobs are not used as labels",
            len(hits.response), annotations.n, params.blob_sigma_um,
        )  # fmt: skip
        clear, weak, offset = np.inf, 0.0, np.zeros(3)
    else:
        clear = _choose_threshold(hits.response, responses, params)
        weak = _WEAK_SHARE * clear
        offset = np.median(hits.offset_um, axis=0)
    keep = hits.free & (responses > weak)
    is_clear = (responses[keep] >= clear) & (params.background == "pseudo")
    _LOG.info(
        "%d clear and %d weak blobs beside %d annotations, which lie off their blobs by z, y, x = %s µm",
        is_clear.sum(), (~is_clear).sum(), annotations.n, np.round(offset, 2).tolist(),
    )  # fmt: skip
    kind = np.where(is_clear, LabelKind.CLEAR_BLOB, LabelKind.WEAK_BLOB)
    return Labels.of_points(frames[keep], np.clip(positions[keep] + offset, 0.0, movie.extent_um), kind)


def _choose_threshold(at_annotations: FloatArray, everywhere: FloatArray, params: TrainParams) -> float:
    """Choose the least response of a nucleus: far below the annotated ones, since dim and dividing nuclei are rarely
    annotated, but above the split between noise and nuclei."""
    beside = _BESIDE * np.median(at_annotations)
    typical = float(np.percentile(at_annotations[at_annotations >= beside], _LOW_PERCENTILE))
    split = min(split_blob_responses(everywhere), _HIGHEST_SHARE * typical)
    return max(params.blob_threshold_share * typical, split)


def _blobs_near_annotations(
    movie: Movie, annotations: Tracks, params: TrainParams
) -> tuple[FloatArray, FloatArray, FrameArray]:
    """Find blobs in every tile that holds an annotation or touches one that does; each blob belongs to one tile."""
    tile = np.minimum(np.ceil(_TILE_UM / movie.voxel_size_um), movie.shape[1:]).astype(int)
    margin = np.ceil(_MARGIN_RADII * params.blob_sigma_um / movie.voxel_size_um + 1).astype(int)
    home = np.floor(annotations.zyx_um / movie.voxel_size_um / tile).astype(int)
    last = np.ceil(np.array(movie.shape[1:]) / tile).astype(int) - 1
    steps = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    around = np.clip(home[:, None] + steps, 0, last)
    tiles = np.unique(
        np.concatenate([np.repeat(annotations.t, len(steps))[:, None], around.reshape(-1, 3)], axis=1), axis=0
    )
    positions, responses, frames = [np.zeros((0, 3))], [np.zeros(0)], [np.zeros(0, np.int32)]
    for t, *corner in tiles.tolist():
        start = np.maximum(np.array(corner) * tile - margin, 0)
        stop = np.minimum((np.array(corner) + 1) * tile + margin, movie.shape[1:])
        try:
            box = movie.read((t, *start.tolist()), (t + 1, *stop.tolist()))[0]
        except ChunkError as error:
            _LOG.warning("no blobs are sought in frame %d: %s", t, error.what)
            continue
        if box.min() == box.max():
            continue  # blank or saturated: the only maxima are those of rounding
        blobs = find_blobs(
            box,
            sigma_um=params.blob_sigma_um,
            voxel_size_um=movie.voxel_size_um,
            threshold=0.0,
            window_um=np.maximum(MERGE_PER_MASK * params.mask_radius_um, 1.01 * movie.voxel_size_um),
        )
        where = blobs.zyx_um + start * movie.voxel_size_um
        own = (np.floor((where / movie.voxel_size_um + 0.5) / tile).astype(int) == corner).all(axis=1)
        positions.append(where[own])
        responses.append(np.asarray(blobs.response, np.float64)[own])
        frames.append(np.full(int(own.sum()), t, np.int32))
    return np.concatenate(positions), np.concatenate(responses), np.concatenate(frames)
