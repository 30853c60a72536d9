"""The worst places: errors that lie together become one place, the gravest first, in words."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from morula.core.evaluation import Evaluation
from morula.core.lineage_errors import ErrorKind, LineageErrors
from morula.core.lineages import SolveStatus
from morula.view.places import gather_places, stack_places
from morula.view.report_data import ReportData
from morula.view.wording import ERROR_WORDS, STATUS_WORDS


@pytest.fixture
def judged(full_data: ReportData) -> Evaluation:
    """An evaluation with a matching distance of 4 µm."""
    return full_data.evaluations[0].evaluation


def with_errors(judged: Evaluation, *errors: tuple[str, int, float]) -> Evaluation:
    """The evaluation with these errors instead: kind, frame and x in µm."""
    kind, t, x = zip(*errors, strict=True) if errors else ((), (), ())
    n = len(errors)
    position = np.array([[1.0, 1.0, value] for value in x]).reshape(n, 3)
    table = LineageErrors(np.array(kind, np.str_), np.array(t, np.int32), position, np.arange(n), np.full(n, -1))
    return replace(judged, errors=table)


def test_errors_close_in_space_and_time_are_one_place(judged: Evaluation) -> None:
    (place,) = gather_places(with_errors(judged, ("fn_edge", 3, 1), ("fn_edge", 4, 2), ("no_connection", 5, 3)))

    assert place.t == 5
    assert place.zyx_um == (1.0, 1.0, 3.0)
    assert place.kinds == (("no_connection", 1), ("fn_edge", 2))
    assert place.words == "missed division, neither daughter joined to the mother; link missing (2 times)"
    assert place.look_at == ERROR_WORDS["no_connection"].look_at


def test_the_gravest_place_comes_first(judged: Evaluation) -> None:
    errors = [("fn_edge", 0, 0.0), ("fp_edge", 0, 90.0), ("fn_edge", 9, 50.0), ("fp_division", 9, 51.0)]

    assert [place.t for place in gather_places(with_errors(judged, *errors))] == [9, 0, 0]
    assert [place.zyx_um[2] for place in gather_places(with_errors(judged, *errors))] == [51.0, 0.0, 90.0]


def test_no_more_places_than_asked_for(judged: Evaluation) -> None:
    many = with_errors(judged, *[("fn_edge", 0, 100.0 * i) for i in range(50)])

    assert len(gather_places(many)) == 20
    assert len(gather_places(many, max_places=3)) == 3


def test_a_faultless_result_has_no_places(judged: Evaluation) -> None:
    places = gather_places(with_errors(judged))

    assert places == []
    assert [column.shape for column in stack_places(places)] == [(0,), (0, 3)]


def test_every_kind_of_error_and_status_has_words() -> None:
    assert set(ERROR_WORDS) == set(get_args(ErrorKind))
    assert set(STATUS_WORDS) == set(get_args(SolveStatus))
    assert all(words.name and words.look_at and words.weight > 0 for words in ERROR_WORDS.values())
