"""The headline says what came out and how good it is, and stays silent about what is unknown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from morula.core.history import TrainingHistory
from morula.view.report_data import ReportData
from morula.view.summary import summarise_run, summarise_scores


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


def test_the_lead_counts_nuclei_lineages_and_divisions(full_data: ReportData) -> None:
    lineages = full_data.lineages
    n_divisions = int((lineages.tracks.n_children == 2).sum())

    lead = plain(summarise_run(full_data).lead)

    assert lead.startswith(f"{lineages.nodes.n // 1000} {lineages.nodes.n % 1000:03d} nuclei in 20 frames were joined")
    assert f"into {int(lineages.lineage_id.max()) + 1} lineages with {n_divisions} divisions." in lead
    assert "true links" in lead


def test_cards_of_a_judged_run_name_the_baseline(full_data: ReportData) -> None:
    figures = {plain(card.meaning): plain(card.figure) for card in summarise_run(full_data).cards}
    share, other = (group[0].evaluation.error_free.fraction[9] for group in (full_data.evaluations, full_data.baseline))

    assert (
        figures[f"of histories over 10 frames are free of errors (baseline {100 * other:.1f} %)"]
        == f"{100 * share:.1f} %"
    )


def test_an_unjudged_run_claims_nothing(bare_data: ReportData) -> None:
    summary = summarise_run(bare_data)

    assert not any(card.is_judgement for card in summary.cards)
    assert "true links" not in summary.lead
    assert (summary.recall_line, summary.movement_line) == ("", "")
    assert summarise_scores(bare_data) is None


def test_movement_is_called_no_better_where_it_is_not(full_data: ReportData, change: Callable[..., ReportData]) -> None:
    history = full_data.history
    assert isinstance(history, TrainingHistory)
    still = replace(history, val_movement_um=np.full(len(history.val_iteration), 1.95))

    assert "clearly better than the 1.92" in plain(summarise_run(full_data).movement_line)
    assert "no better than the 1.92" in plain(summarise_run(change(history=still)).movement_line)


def test_an_unknown_frame_interval_is_not_printed(full_data: ReportData, change: Callable[..., ReportData]) -> None:
    movie = full_data.movie
    unknown = change(movie=replace(movie, frame_interval_s=1.0))

    assert plain(summarise_run(full_data).movie_line).endswith("one frame every 1 min 30 s")
    assert "one frame every" not in summarise_run(unknown).movie_line
    assert "20 frames of 20 × 128 × 144 voxels (z, y, x), voxel 2 × 0.8 × 0.8 µm" in summarise_run(unknown).movie_line
