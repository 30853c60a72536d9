"""The arithmetic of the accuracy table: cells from evaluations, rows of Markdown, and what is asked held against them.

Runs nothing and reads no movie.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from accuracy_cases import Aims
from morula.core.evaluation import Evaluation, JsonValue

COLUMNS = ("errors per link", "recall", "precision", "error-free over 10", "division F1", "CPU s")
WINDOW = 10


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What one method reached on one case; None where a measure is undefined."""

    case: str
    method: str
    errors_per_edge: float | None
    node_recall: float | None
    node_precision: float | None
    error_free: float | None
    division_f1: float | None
    seconds: float
    proven: bool
    settings: Mapping[str, object]
    counts: Mapping[str, object]

    @classmethod
    def of(
        cls,
        case: str,
        method: str,
        evaluation: Evaluation,
        *,
        seconds: float,
        proven: bool,
        settings: Mapping[str, object],
    ) -> Cell:
        """Take the measures of the table out of an evaluation on the cells that nobody annotated."""
        figures = evaluation.to_dict()
        curve = figures["error_free_fraction"]
        return cls(
            case=case,
            method=method,
            error_free=curve[WINDOW - 1] if isinstance(curve, list) and len(curve) >= WINDOW else None,
            counts=figures,
            errors_per_edge=_find_number(figures, "errors_per_edge"),
            node_recall=_find_number(figures, "node_recall"),
            node_precision=_find_number(figures, "node_precision"),
            division_f1=_find_number(figures, "division_f1"),
            seconds=seconds,
            proven=proven,
            settings=settings,
        )

    def write(self, path: Path) -> None:
        """Write the cell, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        begun = path.with_suffix(".part")
        begun.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")
        begun.replace(path)

    @classmethod
    def read(cls, path: Path) -> Cell:
        """Read what `write` wrote."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))


def format_table(cells: Iterable[Cell], words: Mapping[str, str]) -> Iterator[str]:
    """Yield the lines of the table in Markdown, a row per cell; methods are called as `words` says.

    A method whose own solver was stopped by its time limit carries an asterisk; the row is the optimum all the same.
    """
    yield "| case | method | " + " | ".join(COLUMNS) + " |"
    yield "|---|---|" + "---|" * len(COLUMNS)
    last = ""
    for cell in cells:
        figures = (cell.errors_per_edge, cell.node_recall, cell.node_precision, cell.error_free, cell.division_f1)
        shown = [f"{'-' if value is None else f'{value:.3f}'}" for value in figures]
        name = words[cell.method] + ("" if cell.proven else " *")
        row = [cell.case if cell.case != last else "", name, *shown, f"{cell.seconds:.0f}"]
        last = cell.case
        yield "| " + " | ".join(row) + " |"


def _find_number(figures: Mapping[str, JsonValue], name: str) -> float | None:
    """Return a figure that is one number, None where it is undefined."""
    value = figures[name]
    return None if value is None or isinstance(value, list) else float(value)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One thing asked of morula on one case: `reached` may be at most (or at least) `asked`."""

    case: str
    what: str
    reached: float
    asked: float
    at_most: bool

    @property
    def holds(self) -> bool:
        """Whether it is reached."""
        return self.reached <= self.asked if self.at_most else self.reached >= self.asked

    def __str__(self) -> str:
        bound = "at most" if self.at_most else "at least"
        start = f"{self.case}: {self.what} {self.reached:.3f}, {bound} {self.asked:.3f} asked: "
        if self.holds:
            return start + "reached"
        if self.at_most:
            times = f", {self.reached / self.asked:.1f} times as many" if self.asked else ""
            return f"{start}missed by {self.reached - self.asked:.3f}{times}"
        return f"{start}missed by {self.asked - self.reached:.3f}"


def judge_case(cells: Mapping[str, Cell], aims: Aims, classical: Iterable[str]) -> Iterator[Verdict]:
    """Hold morula's cell of a case against what is asked; nothing is said about what was not measured.

    Parameters
    ----------
    cells
        The cells of one case by method.
    aims
        What is asked of this case.
    classical
        The methods of which the best is the measure.
    """
    ours = cells.get("morula")
    if ours is None:
        return
    errors = {name: cells[name].errors_per_edge for name in classical if name in cells}
    known = {name: value for name, value in errors.items() if value is not None}
    if aims.share_of_peer is not None and known and ours.errors_per_edge is not None:
        best = min(known, key=lambda name: known[name])
        what = f"errors per link (1/{round(1 / aims.share_of_peer)} of {best}'s {known[best]:.3f})"
        asked = aims.share_of_peer * known[best]
        yield Verdict(case=ours.case, what=what, reached=ours.errors_per_edge, asked=asked, at_most=True)
    for what, reached, least in (
        ("error-free over 10", ours.error_free, aims.error_free),
        ("division F1", ours.division_f1, aims.division_f1),
    ):
        if least is not None:
            yield Verdict(case=ours.case, what=what, reached=reached or 0.0, asked=least, at_most=False)
    oracle = cells.get("oracle")
    if oracle is not None and oracle.errors_per_edge is not None and ours.errors_per_edge is not None:
        what = "errors per link (high aim: distance on true positions)"
        yield Verdict(
            case=ours.case, what=what, reached=ours.errors_per_edge, asked=oracle.errors_per_edge, at_most=True
        )
