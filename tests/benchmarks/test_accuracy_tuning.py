"""The searches by which peers get their settings."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accuracy_tuning import count_errors, search_all, search_some
from morula.core.tracks import Tracks
from morula.evaluate.params import EvaluateParams

AXES = {"a": (1.0, 0.0, 2.0, 3.0), "b": (10.0, 20.0, 30.0)}


def test_every_combination_is_tried_once() -> None:
    seen: list[tuple[float, float]] = []

    def count(setting) -> int:
        seen.append((setting["a"], setting["b"]))
        return 5 if seen[-1] != (3.0, 20.0) else 1

    choice = search_all(AXES, count)
    assert len(seen) == len(set(seen)) == choice.tried == 12
    assert (dict(choice.setting), choice.errors, choice.errors_before) == ({"a": 3.0, "b": 20.0}, 1, 5)


def test_of_equally_good_settings_the_nearest_to_the_usual_one_is_taken() -> None:
    choice = search_all(AXES, lambda setting: 0 if setting["a"] >= 2 else 1)
    assert dict(choice.setting) == {"a": 2.0, "b": 10.0}
    assert dict(search_some(AXES, lambda setting: 7).setting) == {"a": 1.0, "b": 10.0}


def test_a_setting_that_needs_two_changes_at_once_is_found_from_a_random_start() -> None:
    def count(setting) -> int:
        return 0 if (setting["a"], setting["b"]) == (3.0, 30.0) else 9

    assert search_some(AXES, count, draws=0).errors == 9
    assert search_some(AXES, count, draws=40).errors == 0


@settings(max_examples=30, deadline=None)
@given(table=st.lists(st.integers(0, 50), min_size=12, max_size=12), seed=st.integers(0, 9))
def test_a_search_never_ends_above_where_it_began_and_counts_what_it_says(table, seed) -> None:
    errors = np.array(table).reshape(4, 3)

    def count(setting) -> int:
        return int(errors[AXES["a"].index(setting["a"]), AXES["b"].index(setting["b"])])

    choice = search_some(AXES, count, draws=3, seed=seed)
    assert count(choice.setting) == choice.errors <= choice.errors_before == errors[0, 0]
    assert choice.errors >= errors.min() == search_all(AXES, count).errors
    assert choice.tried <= 12


def test_errors_are_summed_over_both_tables_of_annotations_and_silence_is_no_error() -> None:
    """Two cells clicked, in one table each; a third, which nobody clicked, is linked wrongly.

    t0: 0 (clicked)   20 (clicked)   40
    """
    x = [0.0, 20.0, 40.0]
    linked = Tracks.from_ids([0, 0, 0, 1, 1], [[0, 0, v] for v in [*x, 0.0, 43.0]], [0, 1, 2, 3, 5], [-1, -1, -1, 0, 2])
    tables = [Tracks.from_ids([0, 1], [[0, 0, v]] * 2, [0, 1], [-1, 0]) for v in (0.0, 20.0)]
    params = EvaluateParams(max_distance_um=3.0)
    assert [count_errors(linked, [table], params) for table in tables] == [0, 1]
    assert count_errors(linked, tables, params) == 1
    assert count_errors(linked, [tables[1]] * 2, params) == 2


def test_a_search_wants_axes_with_values() -> None:
    with pytest.raises(IndexError, match="range"):
        search_all({"a": ()}, lambda setting: 0)
