"""Charts carry the numbers they were given, and no library of their own."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from morula.core.evaluation import ErrorFreeCurve
from morula.core.history import TrainingHistory
from morula.view import charts
from morula.view.report_data import LabelledEvaluation, ReportData


def traces(html: str) -> dict[str, dict[str, Any]]:
    """The traces plotly is asked to draw, by name."""
    data = re.search(r'Plotly\.newPlot\(\s*"[\w-]+",\s*(\[.*?\]),\s*\{"template"', html, re.DOTALL)
    assert data is not None
    return {trace["name"]: trace for trace in json.loads(data[1])}


@pytest.fixture
def history(full_data: ReportData) -> TrainingHistory:
    assert full_data.history is not None
    return full_data.history


def test_the_curve_of_the_baseline_stands_beside_ours(full_data: ReportData) -> None:
    drawn = traces(charts.draw_error_free(full_data.evaluations, full_data.baseline))

    assert list(drawn) == ["morula (against the whole truth)", "blobs + greedy linking (against the whole truth)"]
    for one, trace in zip((*full_data.evaluations, *full_data.baseline), drawn.values(), strict=True):
        assert trace["x"] == one.evaluation.error_free.window_frames.tolist()
        assert trace["y"] == pytest.approx((100 * one.evaluation.error_free.fraction).tolist())
        assert trace["customdata"] == one.evaluation.error_free.n_segments.tolist()


def test_windows_without_segments_are_gaps_in_the_curve(full_data: ReportData) -> None:
    curve = ErrorFreeCurve(np.arange(1, 4), np.array([1.0, 0.5, np.nan]), np.array([4, 2, 0]))
    one = LabelledEvaluation("ours", replace(full_data.evaluations[0].evaluation, error_free=curve))

    (trace,) = traces(charts.draw_error_free([one], [])).values()

    assert trace["y"] == [100, 50, None]


def test_cells_and_divisions_are_counted_per_frame(full_data: ReportData) -> None:
    lineages = full_data.lineages
    drawn = traces(charts.draw_cell_counts(lineages, [], 20))

    assert sum(drawn["tracked cells"]["y"]) == lineages.nodes.n
    assert sum(drawn["divisions"]["y"]) == int((lineages.tracks.n_children == 2).sum())
    assert drawn["tracked cells"]["x"] == list(range(20))
    assert "annotated" not in drawn


def test_annotations_are_counted_together(full_data: ReportData) -> None:
    assert full_data.train is not None
    assert full_data.val is not None
    drawn = traces(charts.draw_cell_counts(full_data.lineages, [full_data.train, full_data.val], 20))

    assert sum(drawn["annotated"]["y"]) == full_data.train.n + full_data.val.n


def test_losses_that_are_zero_leave_a_gap_on_the_logarithmic_axis(history: TrainingHistory) -> None:
    history = replace(history, movement_loss=np.zeros(len(history.iteration)))
    drawn = traces(charts.draw_losses(history))

    assert drawn["cell indicator"]["y"] == pytest.approx(history.indicator_loss.tolist())
    assert set(drawn["movement"]["y"]) == {None}


def test_validation_is_drawn_beside_predicting_no_motion(history: TrainingHistory) -> None:
    drawn = traces(charts.draw_movement(history))

    assert drawn["movement vectors"]["y"] == pytest.approx(history.val_movement_um.tolist())
    assert drawn["predicting no motion"]["y"] == pytest.approx(history.val_no_motion_um.tolist())
    assert traces(charts.draw_recall(history))["recall"]["y"] == pytest.approx((100 * history.val_recall).tolist())


def test_a_chart_brings_no_library_and_the_library_closes_no_script(history: TrainingHistory) -> None:
    assert len(charts.draw_losses(history)) < 20_000
    assert "</script" not in charts.load_plotly_script()


def test_the_doubts_of_every_frame_are_a_bar() -> None:
    drawn = traces(charts.draw_doubts(np.array([0.0, 1.5, 0.25])))["pasts probably wrong"]
    assert (drawn["x"], drawn["y"]) == ([0, 1, 2], [0.0, 1.5, 0.25])
