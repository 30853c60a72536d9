"""The table of errors says what was counted, and nothing about what nobody knows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from morula.core.evaluation import ErrorFreeCurve, Evaluation
from morula.view.report_data import LabelledEvaluation, ReportData
from morula.view.score_table import describe_links, error_free_at, tabulate_scores


@pytest.fixture
def judged(full_data: ReportData) -> Evaluation:
    return full_data.evaluations[0].evaluation


def counted(judged: Evaluation, n_links: int, missed: int) -> Evaluation:
    errors = replace(judged.edge_errors, fn_edges=missed, matched_edges=n_links - missed)
    return replace(judged, n_truth_edges=n_links, edge_errors=errors)


@pytest.mark.parametrize(
    ("n_links", "missed", "sentence"),
    [
        (100, 2, "Of 100 true links, 2 were missed."),
        (100, 1, "Of 100 true links, 1 was missed."),
        (100, 0, "Of 100 true links, none was missed."),
        (1, 1, "Of 1 true link, 1 was missed."),
        (0, 0, "There is no true link to judge by."),
    ],
)
def test_missed_links_are_said_in_a_sentence(judged: Evaluation, n_links: int, missed: int, sentence: str) -> None:
    assert describe_links(counted(judged, n_links, missed)) == sentence


def test_the_curve_is_quoted_at_ten_frames_or_the_longest_there_is(judged: Evaluation) -> None:
    short = ErrorFreeCurve(
        np.arange(1, 13), np.r_[np.linspace(1, 0.9, 4), np.full(8, np.nan)], np.r_[9, 7, 5, 2, [0] * 8]
    )
    never = ErrorFreeCurve(np.arange(1, 3), np.full(2, np.nan), np.zeros(2, np.int64))

    assert error_free_at(judged) == (10, pytest.approx(float(judged.error_free.fraction[9])))
    assert error_free_at(replace(judged, error_free=short)) == (4, pytest.approx(0.9))
    assert error_free_at(replace(judged, error_free=never)) == (0, None)


def test_the_table_has_a_value_for_everyone_judged(judged: Evaluation) -> None:
    ours = LabelledEvaluation("ours", counted(judged, 200, 3))
    rows = tabulate_scores([ours, LabelledEvaluation("theirs", counted(judged, 200, 30))])

    assert all(len(row.values) == 2 for row in rows)
    missing = next(row for row in rows if row.name == "Missing links")
    assert [value.replace("\N{NO-BREAK SPACE}", " ") for value in missing.values] == ["3 (1.5 %)", "30 (15.0 %)"]


def test_measures_that_sparse_truth_cannot_know_are_left_out(judged: Evaluation) -> None:
    sparse = replace(
        judged,
        dense=False,
        nodes=replace(judged.nodes, node_precision=None),
        edge_errors=replace(judged.edge_errors, fp_edges=None),
    )
    alone = {row.name for row in tabulate_scores([LabelledEvaluation("a", sparse)])}
    beside = {
        row.name: row.values
        for row in tabulate_scores([LabelledEvaluation(x, e) for x, e in zip("ab", (sparse, judged), strict=True)])
    }

    assert not {"Detections that are nuclei", "Links that do not exist"} & alone
    assert beside["Links that do not exist"] == ("–", "17")
