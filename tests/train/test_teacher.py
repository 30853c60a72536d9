from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from morula.core.detections import Detections
from morula.core.history import TrainingHistory
from morula.core.lineages import Lineages
from morula.core.tracks import Tracks
from morula.network.build import build_network
from morula.network.model import Model
from morula.network.spec import NetworkSpec
from morula.train.labels import LabelKind, Labels
from morula.train.loop import train_network
from morula.train.params import TrainParams
from morula.train.teacher import (
    Teacher,
    add_lineages,
    drop_near,
    find_sound_divisions,
    keeps_what_was_learned,
    teacher_labels,
)

SPEC = NetworkSpec(voxel_size_um=(1.0, 1.0, 1.0), stem_stride=(1, 1, 1), downsampling=((2, 2, 2),), channels=(2, 3))
NOBODY = Tracks.from_ids([], [], [], [])


@pytest.fixture
def teacher() -> Teacher:
    """A dividing cell over five frames, one seen in two frames only, and a detection in no lineage; x in µm.

    t0    t1    t2    t3    t4
                      ,-9---9
    10----10----10---<
                      `-11--11
          30----30
                            50
    """
    t = np.array([0, 1, 1, 2, 2, 3, 3, 4, 4])
    x = np.array([10, 10, 30, 10, 30, 9, 11, 9, 11])
    parent = np.array([-1, 0, -1, 1, 2, 3, 3, 5, 6])

    def detect(t, x) -> Detections:
        zyx = np.stack([x * 0, x * 0, x], axis=1)
        return Detections(t=t, zyx_um=zyx, score=np.ones(len(t)), movement_um=0.0 * zyx)

    lineages = Lineages.from_parents(detect(t, x), parent)
    return Teacher(Model(build_network(SPEC), SPEC), lineages, detect(np.append(t, 4), np.append(x, 50)))


def _points(labels, kind) -> list[tuple[int, float]]:
    rows = labels.kind == kind
    return list(zip(labels.t[rows].tolist(), labels.zyx_um[rows, 2].tolist(), strict=True))


def test_lineages_of_four_frames_are_believed_and_the_rest_stays_undecided(teacher) -> None:
    labels = teacher_labels(teacher, NOBODY, 0.5)
    believed = [(0, 10), (1, 10), (2, 10), (3, 9), (3, 11), (4, 9), (4, 11)]
    assert _points(labels, LabelKind.LINEAGE) == believed
    assert _points(labels, LabelKind.WEAK_BLOB) == [(1, 30), (2, 30), (4, 50)]
    assert (np.diff(labels.t) >= 0).all()


def test_believed_links_teach_movement_and_a_division_at_the_movies_ends(teacher) -> None:
    labels = teacher_labels(teacher, NOBODY, 0.5)
    sure = labels.rows(labels.kind == LabelKind.LINEAGE)
    assert sure.has_mother.tolist() == [0, 1, 1, 1, 1, 1, 1]
    assert sure.mother_um[sure.has_mother == 1, 2].tolist() == [10, 10, 10, 10, 9, 11]
    assert _events(labels) == ([(2, 10)], [(3, 9), (3, 11)])
    assert set(labels.divides) == set(labels.born) == {-1, 1}  # that a lineage shows no division teaches nothing
    assert not labels.has_mother[labels.kind == LabelKind.WEAK_BLOB].any()


def _events(labels) -> tuple[list[tuple[int, float]], list[tuple[int, float]]]:
    mothers, daughters = (list(zip(labels.t[e == 1].tolist(), labels.zyx_um[e == 1, 2].tolist(), strict=True))
                          for e in (labels.divides, labels.born))  # fmt: skip
    return mothers, daughters


def _division(mother: tuple[int, int], *daughters: tuple[int, int]) -> Tracks:
    """A mother and her daughters by their first and last frames, beside a cell that is there in frames 0 to 20."""
    spans = [mother, *daughters]
    rows = [(t, number, t > first) for number, (first, last) in enumerate(spans, 1) for t in range(first, last + 1)]
    id_ = {(number, t): i for i, (t, number, _) in enumerate(rows)}
    parent = [
        id_[number, t - 1] if goes_on else (id_[1, mother[1]] if number > 1 else -1) for t, number, goes_on in rows
    ]
    other = len(rows)
    t = [row[0] for row in rows] + list(range(21))
    x = [10.0 * row[1] for row in rows] + [90.0] * 21
    return Tracks.from_ids(
        t, [[0.0, 0.0, place] for place in x], range(len(t)), [*parent, -1, *range(other, other + 20)]
    )


@pytest.mark.parametrize(
    ("mother", "one", "other", "sound"),
    [
        ((3, 8), (9, 14), (9, 14), True),
        ((3, 8), (9, 14), (9, 11), False),  # a daughter of three frames
        ((7, 8), (9, 14), (9, 14), False),  # a mother of two
        ((0, 1), (2, 9), (2, 9), True),  # who was there before
        ((3, 18), (19, 20), (19, 20), True),  # whose daughters go on
        ((3, 18), (19, 20), (19, 19), False),
    ],
)
def test_a_division_is_sound_if_mother_and_daughters_are_followed(mother, one, other, sound) -> None:
    tracks = _division(mother, one, other)
    found = find_sound_divisions(tracks)
    assert found.sum() == sound
    assert (tracks.n_children[found] == 2).all()
    assert (tracks.t[found] == mother[1]).all()


def test_annotations_win_over_lineages_and_detections(teacher) -> None:
    annotated = Tracks.from_ids([0, 2], [[0.0, 0.0, 10.4], [0.0, 0.0, 29.8]], [1, 2], [-1, -1])
    labels = teacher_labels(teacher, annotated, 0.5)
    assert (0, 10) not in _points(labels, LabelKind.LINEAGE)
    assert (2, 10) in _points(labels, LabelKind.LINEAGE)
    assert _points(labels, LabelKind.WEAK_BLOB) == [(1, 30), (4, 50)]


def test_undecided_detections_beside_believed_ones_are_dropped(teacher) -> None:
    labels = teacher_labels(teacher, NOBODY, 45.0)
    assert _points(labels, LabelKind.WEAK_BLOB) == []


def test_labels_near_others_are_dropped_only_in_the_same_frame(teacher) -> None:
    labels = teacher_labels(teacher, NOBODY, 0.5)
    sure, unsure = labels.split(LabelKind.LINEAGE)
    left = drop_near(unsure, sure.rows(sure.t < 2), 25.0)
    assert _points(left, LabelKind.WEAK_BLOB) == [(2, 30), (4, 50)]


def test_lineages_take_the_place_of_the_blobs_they_lie_on_and_no_other(teacher) -> None:
    """Blobs on a believed cell go; those elsewhere, the clear one that may be her sister too, stay what they are."""
    x = np.array([10.2, 12.0, 30.0, 70.0, 10.4])
    zyx = np.stack([x * 0, x * 0, x], axis=1)
    kind = np.array(
        [LabelKind.CLEAR_BLOB, LabelKind.CLEAR_BLOB, LabelKind.CLEAR_BLOB, LabelKind.WEAK_BLOB, LabelKind.ANNOTATION]
    )
    labels = Labels.of_points(np.ones(5, np.int32), zyx, kind)
    annotated = Tracks.from_ids([2], [[0.0, 0.0, 10.0]], [1], [-1])
    joined = add_lineages(labels, teacher, annotated, TrainParams(mask_radius_um=1.0))
    assert _points(joined, LabelKind.CLEAR_BLOB) == [(1, 12.0), (1, 30.0)]
    assert _points(joined, LabelKind.ANNOTATION) == [(1, 10.4)]
    assert (1, 70.0) in _points(joined, LabelKind.WEAK_BLOB)
    assert (1, 10.0) in _points(joined, LabelKind.LINEAGE)
    assert (2, 10.0) not in _points(joined, LabelKind.LINEAGE)


def test_nothing_found_teaches_nothing() -> None:
    nothing = Lineages.from_parents(Detections.empty(), np.zeros(0, np.int64))
    assert (
        len(teacher_labels(Teacher(Model(build_network(SPEC), SPEC), nothing, Detections.empty()), NOBODY, 1.0).t) == 0
    )


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        ((0.9, 1.0), (0.95, 0.8), True),
        ((0.9, 1.0), (0.88, 1.05), True),  # within what chance does
        ((0.9, 1.0), (0.8, 0.5), False),
        ((0.9, 1.0), (0.95, 1.2), False),
        (None, (0.1, 9.0), True),
        ((0.9, 1.0), None, True),
    ],
)
def test_the_second_round_is_kept_unless_held_out_annotations_speak_against_it(first, second, kept) -> None:
    def history(last: tuple[float, float] | None) -> TrainingHistory:
        recall, movement = ([0.0, last[0]], [9.0, last[1]]) if last else ([], [])
        return TrainingHistory([], [], [], np.arange(len(recall)), recall, movement, movement)

    assert keeps_what_was_learned(history(first), history(second)) == kept


def test_a_second_round_starts_from_the_first_ones_weights(drift, quick) -> None:
    movie, tracks = drift
    params = replace(quick, iterations=4, second_iterations=1, second_learning_rate=1e-9, average_decay=0.0)
    first, _ = train_network(movie, tracks, NOBODY, params)
    lineages = Lineages.from_parents(
        Detections(t=tracks.t, zyx_um=tracks.zyx_um, score=np.ones(tracks.n), movement_um=np.zeros((tracks.n, 3))),
        tracks.parent_row,
    )
    few = tracks.rows(tracks.lineage_id() < 3)
    second, history = train_network(movie, few, NOBODY, params, teacher=Teacher(first, lineages, lineages.nodes))
    assert history.iteration.tolist() == [1]
    pairs = zip(first.network.parameters(), second.network.parameters(), strict=True)
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in pairs)
