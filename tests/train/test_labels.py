from __future__ import annotations

import numpy as np
import pytest

from morula.core.tracks import Tracks
from morula.train.labels import LabelKind, annotation_labels, join_labels


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


def test_the_mother_in_her_last_frame_and_the_daughters_in_their_first_divide(family) -> None:
    assert _by_id(annotation_labels(family), "divides") == {1: 0, 2: 1, 3: 1, 4: 1, 5: 0, 6: 0}


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
