"""What is known at single points: annotations with their mothers, and image blobs that may be nuclei.

Blobs are sought only in tiles that a crop can reach, so that the memory of a huge frame is never needed.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
from scipy.spatial import cKDTree

from morula.core.columns import BoolArray, FloatArray, FrameArray, IntArray, ReadOnlyColumns, column
from morula.core.movie import Movie
from morula.core.tracks import Tracks
from morula.errors import ChunkError
from morula.peaks.blobs import find_blobs
from morula.train.params import TrainParams

_LOG = logging.getLogger(__name__)
_TILE_UM = 120.0
_MARGIN_RADII = 4.0
_LOW_PERCENTILE = 10.0
_WEAK_SHARE = 0.3
MERGE_PER_MASK = 0.85  # of the mask radius: blobs closer than this are one nucleus


class LabelKind(IntEnum):
    """Where a label point comes from."""

    ANNOTATION = 0
    CLEAR_BLOB = 1
    WEAK_BLOB = 2
    LINEAGE = 3


@dataclass(frozen=True, slots=True, eq=False)
class Labels(ReadOnlyColumns):
    """Label points, sorted by frame.

    Parameters
    ----------
    t
        Frame, shape (n,).
    zyx_um
        Position in µm, shape (n, 3).
    kind
        A `LabelKind`, shape (n,).
    mother_um
        Position in frame t−1 of the same cell or its mother, shape (n, 3); meaningless where `has_mother` is 0.
    has_mother
        1 where the mother is known, shape (n,).
    divides
        1 for a mother in its last frame or a daughter in its first, shape (n,).
    """

    t: FrameArray
    zyx_um: FloatArray
    kind: IntArray
    mother_um: FloatArray
    has_mother: IntArray
    divides: IntArray

    def __post_init__(self) -> None:
        n = len(self.t)
        kinds = {"t": np.int32, "kind": np.int64, "has_mother": np.int64, "divides": np.int64}
        for name, dtype in kinds.items():
            object.__setattr__(self, name, column(getattr(self, name), dtype, (n,), name))
        for name in ("zyx_um", "mother_um"):
            object.__setattr__(self, name, column(getattr(self, name), np.float64, (n, 3), name))

    def frame(self, t: int) -> slice:
        """Rows of frame `t`."""
        first, last = np.searchsorted(self.t, [t, t + 1])
        return slice(int(first), int(last))

    def split(self, *kinds: LabelKind) -> tuple[Labels, Labels]:
        """Return the labels of these kinds, and the others."""
        chosen = np.isin(self.kind, kinds)
        return self.rows(chosen), self.rows(~chosen)

    def rows(self, keep: BoolArray) -> Labels:
        """Return the labels where `keep` is true."""
        return Labels(*(getattr(self, name)[keep] for name in self.__slots__))

    def with_kind(self, kind: LabelKind) -> Labels:
        """Return the same points as labels of another kind."""
        return replace(self, kind=np.full(len(self.t), kind))


def collect_labels(movie: Movie, annotations: Tracks, params: TrainParams) -> Labels:
    """Turn annotations, and the image blobs of their frames where the settings ask for them, into label points."""
    parts = [annotation_labels(annotations)]
    if params.background != "paper" and annotations.n:
        parts.append(_blob_labels(movie, annotations, params))
    return join_labels(parts)


def join_labels(parts: list[Labels]) -> Labels:
    """Concatenate label tables, sorted by frame."""
    t = np.concatenate([part.t for part in parts])
    order = np.argsort(t, kind="stable")
    names = ("zyx_um", "kind", "mother_um", "has_mother", "divides")
    return Labels(t[order], *(np.concatenate([getattr(part, name) for part in parts])[order] for name in names))


def annotation_labels(annotations: Tracks) -> Labels:
    """Label points of annotations; a mother further back than one frame counts as unknown."""
    parent = annotations.parent_row
    has_mother = (parent >= 0) & (annotations.t[parent] == annotations.t - 1)
    splits = annotations.n_children == 2
    return Labels(
        t=annotations.t,
        zyx_um=annotations.zyx_um,
        kind=np.full(annotations.n, LabelKind.ANNOTATION),
        mother_um=np.where(has_mother[:, None], annotations.zyx_um[parent], 0.0),
        has_mother=has_mother,
        divides=splits | (has_mother & splits[parent]),
    )


def _blob_labels(movie: Movie, annotations: Tracks, params: TrainParams) -> Labels:
    positions, responses, frames = _blobs_near_annotations(movie, annotations, params)
    radius = MERGE_PER_MASK * params.mask_radius_um
    at_annotation = np.zeros(annotations.n)
    free = np.ones(len(frames), bool)
    for t in np.unique(annotations.t):
        blobs, points = np.flatnonzero(frames == t), np.flatnonzero(annotations.t == t)
        if len(blobs):
            tree = cKDTree(positions[blobs] / radius)
            distance, nearest = map(np.asarray, tree.query(annotations.zyx_um[points] / radius))
            hit = distance < 1.0
            at_annotation[points[hit]] = responses[blobs[nearest[hit]]]
            back, _ = cKDTree(annotations.zyx_um[points] / radius).query(positions[blobs] / radius)
            free[blobs[back < 1.0]] = False
    found = at_annotation[at_annotation > 0]
    if len(found) < max(3, 0.3 * annotations.n):
        _LOG.warning(
            "only %d of %d annotated points lie on an image blob of sigma %.3g µm; blobs are not used as labels",
            len(found), annotations.n, params.blob_sigma_um,
        )  # fmt: skip
        clear = np.inf
        weak = 0.0
    else:
        clear = params.blob_threshold_share * float(np.percentile(found, _LOW_PERCENTILE))
        weak = _WEAK_SHARE * clear
    keep = free & (responses > weak)
    is_clear = (responses[keep] >= clear) & (params.background == "pseudo")
    _LOG.info("%d clear and %d weak blobs beside %d annotations", is_clear.sum(), (~is_clear).sum(), annotations.n)
    n = int(keep.sum())
    return Labels(
        t=frames[keep],
        zyx_um=positions[keep],
        kind=np.where(is_clear, LabelKind.CLEAR_BLOB, LabelKind.WEAK_BLOB),
        mother_um=np.zeros((n, 3)),
        has_mother=np.zeros(n, np.int64),
        divides=np.zeros(n, np.int64),
    )


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
