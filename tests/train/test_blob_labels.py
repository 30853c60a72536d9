from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from morula.core.movie import Movie
from morula.core.tracks import Tracks
from morula.errors import ChunkError
from morula.train import blob_labels
from morula.train.blob_labels import collect_labels
from morula.train.labels import LabelKind
from morula.train.params import TrainParams

VOXEL = (2.0, 1.0, 1.0)
PARAMS = TrainParams(background="pseudo", blob_sigma_um=1.7)


class Torn:
    """A movie of which one frame cannot be read."""

    def __init__(self, array, frame: int) -> None:
        self.array, self.frame, self.shape, self.dtype = array, frame, array.shape, array.dtype

    def __getitem__(self, box):
        if box[0].start <= self.frame < box[0].stop:
            raise ChunkError(f"frame {self.frame} is damaged.")
        return self.array[box]


@pytest.fixture(scope="module")
def scene() -> tuple[Movie, Tracks, np.ndarray]:
    """Twelve bright and four dim blobs that stand still in three frames; four of the bright ones are annotated."""
    z, y, x = np.meshgrid([8.0], [8.0, 22.0, 36.0, 50.0], [8.0, 22.0, 36.0, 50.0], indexing="ij")
    centres = np.stack([z, y, x], axis=-1).reshape(-1, 3)
    height = np.where(np.arange(16) < 12, 1000.0, 250.0)
    axes = [np.arange(n) * v for n, v in zip((9, 60, 60), VOXEL, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    blobs = [np.exp(-((grid - c) ** 2).sum(axis=-1) / (2 * 2.0**2)) for c in centres]
    frame = np.tensordot(height, blobs, axes=1)
    movie = Movie(np.stack([frame] * 3).astype(np.float32), VOXEL)
    ids = np.arange(12).reshape(3, 4)
    tracks = Tracks.from_ids(
        np.repeat([0, 1, 2], 4), np.tile(centres[:4], (3, 1)), ids.ravel(), np.concatenate([[-1] * 4, ids[:2].ravel()])
    )
    return movie, tracks, centres


def _count(labels, t: int) -> list[int]:
    """Labels of a frame by kind: annotations, clear and undecided blobs."""
    kinds = labels.kind[labels.frame(t)]
    return [int((kinds == kind).sum()) for kind in (LabelKind.ANNOTATION, LabelKind.CLEAR_BLOB, LabelKind.WEAK_BLOB)]


def test_clear_blobs_become_nuclei_dim_ones_stay_undecided_and_annotations_win(scene) -> None:
    movie, tracks, centres = scene
    labels = collect_labels(movie, tracks, PARAMS)
    assert [_count(labels, t)[:2] for t in range(3)] == [[4, 8]] * 3
    clear = labels.zyx_um[labels.kind == LabelKind.CLEAR_BLOB]
    assert np.abs(clear.reshape(3, 8, 3) - centres[4:12]).max() < 0.3
    weak = labels.zyx_um[labels.kind == LabelKind.WEAK_BLOB]
    assert np.abs(weak.reshape(3, 4, 3) - centres[12:]).max() < 0.3


def test_dim_blobs_count_as_undecided_only_above_a_share_of_the_clear_ones(scene) -> None:
    movie, tracks, centres = scene
    few, many = (collect_labels(movie, tracks, replace(PARAMS, blob_threshold_share=s)) for s in (0.9, 0.2))
    near_dim = [
        [np.linalg.norm(labels.zyx_um[labels.frame(0)] - point, axis=1).min() < 1 for point in centres[12:]]
        for labels in (few, many)
    ]
    assert near_dim == [[False] * 4, [True] * 4]


def test_without_pseudo_labels_all_blobs_are_undecided(scene) -> None:
    movie, tracks, _ = scene
    labels = collect_labels(movie, tracks, replace(PARAMS, background="blobs"))
    assert _count(labels, 0)[:2] == [4, 0]
    assert _count(labels, 0)[2] >= 8


def test_the_papers_labels_are_annotations_alone(scene) -> None:
    movie, tracks, _ = scene
    assert _count(collect_labels(movie, tracks, replace(PARAMS, background="paper")), 0) == [4, 0, 0]


def test_only_frames_with_annotations_are_looked_at(scene) -> None:
    movie, tracks, _ = scene
    labels = collect_labels(movie, tracks.rows(tracks.t == 1), PARAMS)
    assert set(labels.t.tolist()) == {1}


def test_blobs_are_moved_to_where_people_click(scene) -> None:
    """Annotations all lie 1 µm beside the brightest voxel: so do the labels of the blobs then."""
    movie, tracks, centres = scene
    clicked = replace(tracks, zyx_um=tracks.zyx_um + np.array([0.0, 1.0, 0.0]))
    labels = collect_labels(movie, clicked, PARAMS)
    clear = labels.zyx_um[labels.kind == LabelKind.CLEAR_BLOB].reshape(3, 8, 3)
    assert np.abs(clear - centres[4:12] - [0.0, 1.0, 0.0]).max() < 0.3


def test_annotations_beside_all_blobs_get_a_warning_and_no_pseudo_labels(scene, caplog) -> None:
    movie, tracks, _ = scene
    wrong = replace(tracks, zyx_um=tracks.zyx_um + np.array([0.0, 7.0, 7.0]))
    labels = collect_labels(movie, wrong, PARAMS)
    assert "only 0 of 12 annotated points lie on an image blob of sigma 1.7 µm" in caplog.text
    assert _count(labels, 0)[1] == 0
    assert _count(labels, 0)[2] >= 16


def test_a_frame_that_cannot_be_read_gets_a_warning_and_no_blobs(scene, caplog) -> None:
    movie, tracks, _ = scene
    labels = collect_labels(Movie(Torn(movie.tzyx, 1), VOXEL), tracks, PARAMS)
    assert "no blobs are sought in frame 1: frame 1 is damaged" in caplog.text
    assert [_count(labels, t)[1] for t in range(3)] == [8, 0, 8]


def test_every_blob_is_found_once_however_the_frame_is_cut(scene, monkeypatch) -> None:
    movie, tracks, _ = scene
    whole = collect_labels(movie, tracks, PARAMS)
    monkeypatch.setattr(blob_labels, "_TILE_UM", 23.0)
    pieces = collect_labels(movie, Tracks.from_ids(*_everywhere(movie, tracks)), PARAMS)
    assert _count(pieces, 0)[1] == _count(whole, 0)[1] == 8
    one, other = (
        labels.zyx_um[labels.frame(0)][labels.kind[labels.frame(0)] == LabelKind.CLEAR_BLOB]
        for labels in (whole, pieces)
    )
    assert np.abs(one[np.lexsort(one.round().T)] - other[np.lexsort(other.round().T)]).max() < 0.2


def _everywhere(movie, tracks):
    """The same annotations, and one in empty space so that every tile is looked at."""
    zyx = np.concatenate([tracks.zyx_um, [[8.0, 29.0, 29.0]]])
    return np.append(tracks.t, 0), zyx, np.append(tracks.id, 99), np.append(tracks.parent_id, -1)


def test_tiles_far_from_annotations_are_not_read(scene, monkeypatch) -> None:
    movie, _, centres = scene
    monkeypatch.setattr(blob_labels, "_TILE_UM", 15.0)
    corner = Tracks.from_ids([0, 0, 0], centres[[0, 1, 4]], [1, 2, 3], [-1, -1, -1])
    labels = collect_labels(movie, corner, PARAMS)
    assert labels.zyx_um.max(axis=0)[1] < 45
