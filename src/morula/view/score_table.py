"""The table of errors: one row per measure, explained in the reader's words, one column per reconstruction judged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from morula.core.evaluation import Evaluation
from morula.core.movement_errors import MovementErrors
from morula.view.report_data import LabelledEvaluation
from morula.view.wording import say_count, say_number, say_percent

CURVE_WINDOW = 10
"""Length in frames at which the share of error-free lineages is quoted, where the truth is long enough."""


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """One measure.

    Parameters
    ----------
    name, meaning
        The measure and what it means.
    values
        One text per column.
    """

    name: str
    meaning: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Measure:
    name: str
    meaning: str
    say: Callable[[Evaluation], str]


def error_free_at(evaluation: Evaluation, window_frames: int = CURVE_WINDOW) -> tuple[int, float | None]:
    """Return the longest window not above `window_frames` that has segments, and the share of them without an error."""
    curve = evaluation.error_free
    usable = (curve.n_segments > 0) & (curve.window_frames <= window_frames)
    if not usable.any():
        return 0, None
    last = int(usable.nonzero()[0][-1])
    return int(curve.window_frames[last]), float(curve.fraction[last])


def describe_links(evaluation: Evaluation) -> str:
    """Return the sentence on missed links, as ``Of 100 true links, 2 were missed.``"""
    missed = evaluation.edge_errors.fn_edges
    links = say_count(evaluation.n_truth_edges, "true link")
    if not evaluation.n_truth_edges:
        return "There is no true link to judge by."
    return f"Of {links}, {say_number(missed) if missed else 'none'} {'was' if missed < 2 else 'were'} missed."


def _of_links(count: int, evaluation: Evaluation) -> str:
    share = count / evaluation.n_truth_edges if evaluation.n_truth_edges else None
    return f"{say_number(count)} ({say_percent(share)})"


def _say_error_free(evaluation: Evaluation) -> str:
    window, share = error_free_at(evaluation)
    return f"{say_percent(share)} over {say_count(window, 'frame')}" if window else "–"


def _say_divisions(evaluation: Evaluation) -> str:
    score = evaluation.divisions
    return f"{score.tp} found, {score.fp} false, {score.fn} missed"


def _say_movement(errors: MovementErrors | None, which: str = "") -> str:
    if errors is None:
        return "–"
    median, p95 = (getattr(errors, f"{which}{name}_um") for name in ("median", "p95"))
    return f"{say_number(median)} / {say_number(p95)} µm"


_MEASURES: tuple[_Measure, ...] = (
    _Measure(
        "Lineages without an error", "share of cell histories of this length in which nothing is wrong", _say_error_free
    ),
    _Measure(
        "Sum of errors",
        "the five kinds of error below together, and per true link",
        lambda e: _of_links(e.sum_of_errors, e),
    ),
    _Measure(
        "Missing links",
        "a cell is not followed from one frame to the next",
        lambda e: _of_links(e.edge_errors.fn_edges, e),
    ),
    _Measure(
        "Jumps to another cell",
        "the track of a cell goes on in a neighbour",
        lambda e: say_number(e.edge_errors.identity_switches),
    ),
    _Measure(
        "False divisions", "a division is drawn where no cell divides", lambda e: say_number(e.edge_errors.fp_divisions)
    ),
    _Measure(
        "Missed divisions",
        "one daughter is not joined to the mother",
        lambda e: say_number(e.edge_errors.one_unconnected_child),
    ),
    _Measure(
        "Missed divisions",
        "neither daughter is joined to the mother",
        lambda e: say_number(e.edge_errors.no_connection),
    ),
    _Measure(
        "Divisions without a past",
        "found, but the mother's own track is not joined; not in the sum",
        lambda e: say_number(e.edge_errors.unconnected_parents),
    ),
    _Measure("Divisions", "found within a frame of the true time", _say_divisions),
    _Measure(
        "Nuclei found",
        "share of the true nuclei that have a detection (recall)",
        lambda e: say_percent(e.nodes.node_recall),
    ),
    _Measure(
        "Detections that are nuclei",
        "share of the tracked points that lie at a true nucleus (precision)",
        lambda e: say_percent(e.nodes.node_precision),
    ),
    _Measure(
        "Position error",
        "median distance from the true centre, and the distance that 95 of 100 stay below",
        lambda e: f"{say_number(e.nodes.localisation_median_um)} / {say_number(e.nodes.localisation_p95_um)} µm",
    ),
    _Measure(
        "Movement error",
        "median distance from the true mother to where the vector points, and the distance that 95 of 100 stay below",
        lambda e: _say_movement(e.movement),
    ),
    _Measure(
        "Movement error of daughters",
        "the same for cells just born",
        lambda e: _say_movement(e.daughter_movement),
    ),
    _Measure(
        "Movement error without vectors",
        "the same as if no cell had moved",
        lambda e: _say_movement(e.movement, "still_"),
    ),
    _Measure(
        "Movement error of neighbours",
        "the same with the mean vector of the eight nearest other cells",
        lambda e: _say_movement(e.movement, "flow_"),
    ),
    _Measure(
        "Links that do not exist",
        "known only where every cell is annotated",
        lambda e: say_number(e.edge_errors.fp_edges),
    ),
    _Measure(
        "Adjusted edge Jaccard",
        "the measure of the 2026 Biohub zebrafish benchmark, 1 is perfect",
        lambda e: say_number(e.edge_jaccard.adjusted),
    ),
)


def tabulate_scores(judged: Sequence[LabelledEvaluation]) -> list[ScoreRow]:
    """Return the rows of the table; a measure that no column knows is left out."""
    rows = [ScoreRow(m.name, m.meaning, tuple(m.say(one.evaluation) for one in judged)) for m in _MEASURES]
    return [row for row in rows if any(value.strip("–/ µm") for value in row.values)]
