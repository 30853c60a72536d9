from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from morula.train.events import find_event_offset
from morula.train.labels import LabelKind, Labels


def _labels(divides, born, kind=LabelKind.ANNOTATION) -> Labels:
    n = len(divides)
    plain = Labels.of_points(np.zeros(n, np.int32), np.zeros((n, 3)), np.full(n, kind))
    return replace(plain, divides=np.array(divides), born=np.array(born))


def test_what_was_drawn_as_often_as_it_is_needs_no_correction() -> None:
    labels = _labels([1, 0, 0, 0, -1], [1, 1, 0, 0, 0])
    assert find_event_offset(labels, np.array([0.25, 0.4])) == pytest.approx((0.0, 0.0))


def test_a_classifier_of_drawn_crops_becomes_one_of_the_movie() -> None:
    """A nucleus of which the evidence says nothing gets, after the correction, the share of divisions there are."""
    labels = _labels([1] + [0] * 49, [1, 1] + [0] * 48)
    drawn = np.array([0.3, 0.5])
    for share, offset, there_are in zip(drawn, find_event_offset(labels, drawn), (1 / 50, 2 / 50), strict=True):
        said = math.log(share / (1 - share)) + offset
        assert 1 / (1 + math.exp(-said)) == pytest.approx(there_are)


def test_only_annotations_tell_how_frequent_divisions_are() -> None:
    labels = _labels([1, 0, 0, 0], [1, 0, 0, 0])
    lineages = labels.with_kind(LabelKind.LINEAGE)
    assert find_event_offset(lineages, np.array([0.25, 0.25])) is None


@pytest.mark.parametrize(
    ("divides", "born", "drawn"),
    [
        ([0, 0, 0], [1, 0, 0], (0.2, 0.2)),
        ([1, 0, 0], [-1, -1, -1], (0.2, 0.2)),
        ([1, 0, 0], [1, 0, 0], (0.2, np.nan)),
        ([1, 0, 0], [1, 0, 0], (0.0, 0.2)),
        ([1, 1, 1], [1, 0, 0], (0.2, 0.2)),
        ([], [], (np.nan, np.nan)),
    ],
    ids=["no mother", "no daughter", "never drawn", "drawn without", "nothing else", "nobody"],
)
def test_without_both_kinds_nothing_can_be_said(divides, born, drawn) -> None:
    assert find_event_offset(_labels(divides, born), np.array(drawn)) is None
