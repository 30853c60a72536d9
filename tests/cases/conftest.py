r"""Reading drawn lineages: a picture in a docstring (or on a page of the docs) is the case itself.

    truth           0   1   2   3
             5 µm         --o---o
                         /
             0 µm   o---o
                         \
            -5 µm         --x---x
    reconstruction  0   1   2   3
             1 µm   o---o---o---o
    with            window_frames 2
    expect          fn_edges 2, matched_edges 1, error_free 1/3 0/2

The columns are frames, a row is a position y in µm; o is a cell, x a true cell that is not scored, strokes are links.
`dense truth` if the picture names every cell. `with` changes `SETTINGS`, `expect` names figures of
`Evaluation.to_dict()`; error_free is sound/all for each w. An error count that is not mentioned is expected to be 0.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import pytest

from morula.core.evaluation import Evaluation
from morula.core.tracks import Tracks
from morula.evaluate.evaluate import evaluate_tracks
from morula.evaluate.params import EvaluateParams

SETTINGS: dict[str, float] = {"max_distance_um": 3, "window_frames": 3, "jaccard_distance_um": 3}
COUNTED = (
    "fn_edges",
    "identity_switches",
    "fp_divisions",
    "one_unconnected_child",
    "no_connection",
    "unconnected_parents",
)
HEADER = re.compile(r"^\s*(dense truth|truth|reconstruction)(?=\s|$)")
LABEL = re.compile(r"^\s*(-?[\d.]+) µm")


@dataclass
class Case:
    """One drawn case: what was drawn and what is expected of it."""

    truth: Tracks
    scored: np.ndarray
    reconstruction: Tracks
    settings: dict[str, float]
    expected: dict[str, str]

    def evaluate(self) -> Evaluation:
        return evaluate_tracks(self.reconstruction, self.truth, EvaluateParams(**self.settings), scored=self.scored)

    def check(self) -> None:
        assert self.expected, "the case expects nothing"
        evaluation = self.evaluate()
        figures = evaluation.to_dict()
        expected = dict.fromkeys(COUNTED, "0") | self.expected
        if "error_free" in expected:
            curve, shares = evaluation.error_free, expected.pop("error_free").split()
            found = [
                f"{round(0 if n == 0 else share * n)}/{n}"
                for share, n in zip(curve.fraction.tolist(), curve.n_segments.tolist(), strict=True)
            ]
            assert found == shares, "error_free"
        for name, value in expected.items():
            want = None if value == "none" else pytest.approx(float(Fraction(value)), abs=1e-9)
            assert figures[name] == want, name
        _check_places(evaluation)


def _check_places(evaluation: Evaluation) -> None:
    """The table of places holds exactly what was counted."""
    counts = evaluation.edge_errors
    assert evaluation.errors.count("fn_edge") == counts.fn_edges
    assert evaluation.errors.count("identity_switch") == counts.identity_switches
    assert evaluation.errors.count("fp_division") == counts.fp_divisions
    beside = evaluation.errors.count("unconnected_parent") + evaluation.errors.count("fp_edge")
    assert evaluation.errors.n - beside == counts.sum_of_errors


@dataclass
class Drawing:
    """One picture while it is read: the columns of the frames and the lines below them."""

    frames: dict[int, int]
    lines: list[str] = field(default_factory=list)
    labels: dict[int, float] = field(default_factory=dict)

    def add(self, line: str) -> None:
        if label := LABEL.match(line):
            self.labels[len(self.lines)] = float(label[1])
            line = " " * label.end() + line[label.end() :]
        self.lines.append(line)

    def at(self, row: int, column: int) -> str:
        inside = 0 <= row < len(self.lines) and 0 <= column < len(self.lines[row])
        return self.lines[row][column] if inside else " "

    def read(self) -> tuple[Tracks, np.ndarray]:
        """Return the tracks and which points are scored; every stroke must belong to a link."""
        cells = [(r, c) for r, line in enumerate(self.lines) for c, char in enumerate(line) if char in "ox"]
        number = {cell: i for i, cell in enumerate(cells)}
        parent, used = [-1] * len(cells), set()
        for cell in cells:
            for step, stroke in ((0, "-"), (-1, "/"), (1, "\\")):
                if self.at(cell[0] + step, cell[1] + 1) == stroke:
                    parent[number[self._walk((cell[0] + step, cell[1] + 1), used)]] = number[cell]
        strokes = {(r, c) for r, line in enumerate(self.lines) for c, char in enumerate(line) if char in "-/\\X"}
        assert strokes == used, f"strokes that join nothing: {strokes - used}"
        tracks = Tracks(
            t=np.array([self.frames[c] for _, c in cells], np.int32),
            zyx_um=np.array([[0.0, self.labels[r], 0.0] for r, _ in cells]).reshape(-1, 3),
            id=np.arange(len(cells)) + 100,
            parent_row=np.array(parent, np.int64),
        )
        return tracks, np.array([self.at(*cell) == "o" for cell in cells], np.bool_)

    def _walk(self, place: tuple[int, int], used: set[tuple[int, int]]) -> tuple[int, int]:
        """Follow a line to the right until it meets a cell."""
        step = 0
        while self.at(*place) not in "ox":
            char = self.at(*place)
            assert char in "-/\\X", f"a line ends in nothing at {place}"
            used.add(place)
            step = {"-": 0, "/": -1, "\\": 1}.get(char, step)
            row, column = place[0] + step, place[1] + 1
            if char == "-" and self.at(row, column) == " ":
                row += -1 if self.at(row - 1, column) == "/" else 1
            place = row, column
        return place


def read_case(text: str) -> Case:
    """Read one case from its text."""
    drawings: dict[str, Drawing] = {}
    current: Drawing | None = None
    settings, expected = dict(SETTINGS), {}
    for line in text.splitlines():
        words = line.split()
        if header := HEADER.match(line):
            frames = {m.start(): int(m[0]) for m in re.finditer(r"\d+", line)}
            current = drawings[header[1].split()[-1]] = Drawing(frames)
            settings |= {"dense": True} if header[1] == "dense truth" else {}
        elif words[:1] == ["with"]:
            settings |= {name: float(value) for name, value in _entries(line)}
        elif words[:1] == ["expect"]:
            expected |= dict(_entries(line))
            current = None
        elif current and words:
            current.add(line)
    truth, scored = drawings["truth"].read()
    return Case(truth, scored, drawings["reconstruction"].read()[0], settings, expected)


def _entries(line: str) -> list[tuple[str, str]]:
    return [tuple(entry.split(maxsplit=1)) for entry in line.split(maxsplit=1)[1].split(",")]


@pytest.fixture
def drawn(request: pytest.FixtureRequest) -> Case:
    """The case drawn in the docstring of the test."""
    return read_case(request.function.__doc__)


@pytest.fixture
def read() -> Callable[[str], Case]:
    """The reader itself, for cases drawn elsewhere."""
    return read_case
