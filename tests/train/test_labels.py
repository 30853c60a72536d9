from __future__ import annotations

import numpy as np
import pytest

from morula.core.tracks import Tracks
from morula.train.labels import LabelKind, Labels, annotation_labels, join_labels


@pytest.fixture
def family() -> Tracks:
    """A division after two frames, and a track that skips frame 1; positions are ids on x.

    t0     t1     t2
                ,- 3
    1 ---- 2 --<
                `- 4
    5 ------------ 6
    """
    ids = [1, 2, 3, 4, 5, 6]
    zyx = [[0.0, 0.0, float(i)] for i in ids]
    return Tracks.from_ids([0, 1, 2, 2, 0, 2], zyx, ids, [-1, 1, 2, 2, -1, 5])


def _by_id(labels, name) -> dict[int, float]:
    return {int(x): v for x, v in zip(labels.zyx_um[:, 2], getattr(labels, name).tolist(), strict=True)}


def test_mothers_are_known_only_one_frame_back(family) -> None:
    labels = annotation_labels(family)
    assert _by_id(labels, "has_mother") == {1: 0, 2: 1, 3: 1, 4: 1, 5: 0, 6: 0}
    mothers = {i: m[2] for i, m in _by_id(labels, "mother_um").items() if _by_id(labels, "has_mother")[i]}
    assert mothers == {2: 1.0, 3: 2.0, 4: 2.0}


def test_what_is_known_of_divisions_is_told_from_what_is_not(family) -> None:
    """Cells whose next or last frame nobody looked at say nothing: 5 and 6 miss a frame, 3 and 4 end."""
    labels = annotation_labels(family)
    assert _by_id(labels, "divides") == {1: 0, 2: 1, 3: -1, 4: -1, 5: -1, 6: -1}
    assert _by_id(labels, "born") == {1: -1, 2: 0, 3: 1, 4: 1, 5: -1, 6: -1}
    at_division = dict(zip(labels.zyx_um[:, 2].astype(int).tolist(), labels.at_division.tolist(), strict=True))
    assert at_division == {1: False, 2: True, 3: True, 4: True, 5: False, 6: False}


def test_a_mother_of_whom_one_daughter_skips_a_frame_is_not_known_to_divide_here() -> None:
    """1 -- 2, and 3 two frames later: the division may be in frame 0 or 1."""
    tracks = Tracks.from_ids([0, 1, 2], [[0.0, 0.0, float(i)] for i in (1, 2, 3)], [1, 2, 3], [-1, 1, 1])
    labels = annotation_labels(tracks)
    assert _by_id(labels, "divides") == {1: -1, 2: -1, 3: -1}
    assert _by_id(labels, "born") == {1: -1, 2: -1, 3: -1}


def test_points_of_which_only_the_place_is_known_say_nothing_else() -> None:
    labels = Labels.of_points(np.array([0, 2]), np.zeros((2, 3)), np.full(2, LabelKind.WEAK_BLOB))
    assert not labels.has_mother.any()
    assert set(labels.divides) == set(labels.born) == {-1}


def test_labels_are_sorted_by_frame_so_that_a_frame_is_a_slice(family) -> None:
    early = family.rows(family.t == 0)
    joined = join_labels([annotation_labels(family), annotation_labels(early)])
    assert joined.t.tolist() == [0, 0, 0, 0, 1, 2, 2, 2]
    assert sorted(joined.zyx_um[joined.frame(0), 2].tolist()) == [1, 1, 5, 5]
    assert joined.zyx_um[joined.frame(1), 2].tolist() == [2]
    assert len(joined.zyx_um[joined.frame(7)]) == 0


def test_labels_are_split_by_kind_and_renamed_whole(family) -> None:
    mixed = join_labels([annotation_labels(family), annotation_labels(family).with_kind(LabelKind.WEAK_BLOB)])
    weak, others = mixed.split(LabelKind.WEAK_BLOB, LabelKind.CLEAR_BLOB)
    assert (len(weak.t), len(others.t)) == (6, 6)
    assert set(weak.kind.tolist()) == {LabelKind.WEAK_BLOB}
    assert np.array_equal(weak.mother_um, others.mother_um)


def test_no_annotations_are_no_labels() -> None:
    assert len(annotation_labels(Tracks.from_ids([], [], [], [])).t) == 0


def test_sizes_are_radii_over_their_median_within_a_factor_of_two() -> None:
    """A radius of 0 is no radius; without any, all nuclei are of one size."""
    places = [[0.0, 0, 10.0 * i] for i in range(5)]
    tracks = Tracks.from_ids([0] * 5, places, list(range(5)), [-1] * 5, np.array([2.0, 4.0, 3.0, 0.0, 30.0]))
    assert annotation_labels(tracks).size.tolist() == pytest.approx([0.5714, 4 / 3.5, 3 / 3.5, 1.0, 2.0], abs=1e-3)
    without = Tracks.from_ids([0] * 5, places, list(range(5)), [-1] * 5)
    assert annotation_labels(without).size.tolist() == [1.0] * 5
    joined = join_labels([annotation_labels(without), annotation_labels(tracks)])
    assert joined.size.tolist() == [*annotation_labels(without).size, *annotation_labels(tracks).size]
