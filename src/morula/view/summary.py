"""The headline of the report: a sentence, a few figures, and the lines that say whether training went well."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from morula.core.history import TrainingHistory
from morula.view.report_data import LabelledEvaluation, ReportData
from morula.view.score_table import ScoreRow, describe_links, error_free_at, tabulate_scores
from morula.view.wording import say_count, say_duration, say_number, say_percent


@dataclass(frozen=True, slots=True)
class Card:
    """One figure of the headline.

    Parameters
    ----------
    figure, meaning
        The number and what it means.
    is_judgement
        Whether it says how good the result is, not what it is.
    """

    figure: str
    meaning: str
    is_judgement: bool = False


@dataclass(frozen=True, slots=True)
class Summary:
    """The headline.

    Parameters
    ----------
    movie_line, lead
        What the movie is, and what came out, each in a sentence.
    cards
        The figures.
    recall_line, movement_line
        What validation says about the network, empty where it says nothing.
    """

    movie_line: str
    lead: str
    cards: tuple[Card, ...]
    recall_line: str
    movement_line: str


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """The judged part of the page.

    Parameters
    ----------
    columns
        Everything judged, ours first, then the baseline.
    rows
        The table of errors.
    is_dense
        Whether the first judgement knew every cell.
    threshold_um
        Matching distance of the first judgement.
    links_line, curve_line
        Sentences about the first judgement.
    """

    columns: tuple[LabelledEvaluation, ...]
    rows: list[ScoreRow]
    is_dense: bool
    threshold_um: float
    links_line: str
    curve_line: str


def summarise_run(data: ReportData) -> Summary:
    """Put the outcome of a run into a sentence and a few figures."""
    n_divisions = int((data.lineages.tracks.n_children == 2).sum())
    n_lineages = len(np.unique(data.lineages.lineage_id))
    lead = (
        f"{say_count(data.lineages.nodes.n, 'nucleus', 'nuclei')} in {say_count(data.movie.n_frames, 'frame')} "
        f"were joined into {say_count(n_lineages, 'lineage')} with {say_count(n_divisions, 'division')}."
    )
    return Summary(
        movie_line=_describe_movie(data),
        lead=f"{lead} {describe_links(data.evaluations[0].evaluation)}" if data.evaluations else lead,
        cards=(*_count_cards(data, n_lineages, n_divisions), *_judge_cards(data)),
        recall_line=_describe_recall(data.history),
        movement_line=_describe_movement(data.history),
    )


def summarise_scores(data: ReportData) -> Scores | None:
    """Tabulate all judgements; None where nothing was judged."""
    columns = (*data.evaluations, *data.baseline)
    if not columns:
        return None
    first = columns[0].evaluation
    return Scores(
        columns=columns,
        rows=tabulate_scores(columns),
        is_dense=first.dense,
        threshold_um=first.threshold_um,
        links_line=describe_links(first),
        curve_line=_describe_curve(data),
    )


def _describe_movie(data: ReportData) -> str:
    frames, depth, height, width = data.movie.shape
    z, y, x = (f"{size:.3g}" for size in data.movie.voxel_size_um)
    voxels = f"{depth} × {height} × {width} voxels (z, y, x), voxel {z} × {y} × {x} µm"
    line = f"{data.movie.name}: {say_count(frames, 'frame')} of {voxels}"
    if data.movie.frame_interval_s != 1.0:  # 1.0 stands for unknown
        line += f", one frame every {say_duration(data.movie.frame_interval_s)}"
    return line


def _count_cards(data: ReportData, n_lineages: int, n_divisions: int) -> list[Card]:
    nodes = data.lineages.nodes
    first, last = nodes.frame(0), nodes.frame(data.movie.n_frames - 1)
    return [
        Card(f"{first.stop - first.start} → {last.stop - last.start}", "cells in the first and in the last frame"),
        Card(say_number(n_lineages), "lineages (trees)"),
        Card(say_number(n_divisions), "divisions"),
        Card(f"{say_number(nodes.n)}", f"nuclei in lineages, of {say_count(data.detections.n, 'detection')}"),
    ]


def _judge_cards(data: ReportData) -> list[Card]:
    if not data.evaluations:
        return []
    first = data.evaluations[0].evaluation
    cards = [Card(say_percent(first.errors_per_edge), "errors per true link, all kinds together", True)]
    window, share = error_free_at(first)
    if share is not None:
        meaning = f"of histories over {say_count(window, 'frame')} are free of errors"
        baseline = [error_free_at(one.evaluation, window) for one in data.baseline[:1]]
        if baseline and baseline[0][0] == window:
            meaning += f" (baseline {say_percent(baseline[0][1])})"
        cards.append(Card(say_percent(share), meaning, True))
    return cards


def _describe_curve(data: ReportData) -> str:
    if not data.evaluations:
        return ""
    window, share = error_free_at(data.evaluations[0].evaluation)
    if share is None:
        return ""
    line = f"Of all cell histories over {say_count(window, 'frame')}, {say_percent(share)} are free of errors"
    if data.baseline:
        other_window, other = error_free_at(data.baseline[0].evaluation)
        if other is not None and other_window == window:
            line += f"; with {data.baseline[0].label} it is {say_percent(other)}"
    return line + "."


def _describe_recall(history: TrainingHistory | None) -> str:
    if history is None or not len(history.val_recall):
        return ""
    return f"At the end it is {say_percent(float(history.val_recall[-1]))}."


def _describe_movement(history: TrainingHistory | None) -> str:
    if history is None or not len(history.val_movement_um):
        return ""
    learned, still = float(history.val_movement_um[-1]), float(history.val_no_motion_um[-1])
    verdict = "clearly better than" if learned < 0.7 * still else "better than" if learned < still else "no better than"
    return f"At the end {say_number(learned)} µm, {verdict} the {say_number(still)} µm without."
