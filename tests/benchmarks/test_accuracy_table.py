"""The arithmetic of the accuracy table, on cells written by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from accuracy_cases import Aims
from accuracy_table import Cell, format_table, judge_case

CLASSICAL = ("greedy", "laptrack")


def cell(method: str, errors: float | None, **changes: object) -> Cell:
    values: dict[str, object] = {
        "case": "medium-s3", "method": method, "errors_per_edge": errors, "node_recall": 0.99, "node_precision": 0.9876,
        "error_free": 0.9, "division_f1": 0.8, "seconds": 61.6, "proven": True, "settings": {}, "counts": {},
    }  # fmt: skip
    return Cell(**{**values, **changes})  # type: ignore[arg-type]


def judge(*cells: Cell, **aims: float) -> dict[str, object]:
    return {v.what: v for v in judge_case({c.method: c for c in cells}, Aims(**aims), CLASSICAL)}


def test_the_measure_is_the_best_classical_peer() -> None:
    cells = cell("morula", 0.02), cell("greedy", 0.12), cell("laptrack", 0.06), cell("oracle", 0.001)
    verdict = judge(*cells, share_of_peer=1 / 4)["errors per link (1/4 of laptrack's 0.060)"]
    assert verdict.asked == pytest.approx(0.015)
    assert not verdict.holds
    assert str(verdict).endswith("0.020, at most 0.015 asked: missed by 0.005, 1.3 times as many")
    better = judge(cell("morula", 0.015), *cells[1:], share_of_peer=1 / 4)
    assert better["errors per link (1/4 of laptrack's 0.060)"].holds


def test_shares_of_what_is_right_are_lower_bounds() -> None:
    verdicts = judge(cell("morula", 0.02, error_free=0.951, division_f1=0.7), error_free=0.95, division_f1=0.85)
    assert verdicts["error-free over 10"].holds
    assert str(verdicts["division F1"]) == "medium-s3: division F1 0.700, at least 0.850 asked: missed by 0.150"


def test_an_undefined_share_of_what_is_right_is_none_at_all() -> None:
    verdicts = judge(cell("morula", 0.02, division_f1=None), division_f1=0.85)
    assert verdicts["division F1"].reached == 0
    assert not verdicts["division F1"].holds


def test_the_oracle_is_asked_wherever_it_was_run() -> None:
    what = "errors per link (high aim: distance on true positions)"
    assert judge(cell("morula", 0.02), cell("oracle", 0.03))[what].holds
    assert not judge(cell("morula", 0.04), cell("oracle", 0.03))[what].holds
    assert what not in judge(cell("morula", 0.04))


def test_nothing_is_said_about_what_was_not_measured() -> None:
    assert not judge(cell("greedy", 0.1), share_of_peer=1 / 4, error_free=0.9)
    assert not judge(cell("morula", 0.1), share_of_peer=1 / 4)
    assert not judge(cell("morula", 0.1), cell("greedy", None), share_of_peer=1 / 4)


def test_a_peer_without_errors_asks_for_none() -> None:
    verdict = judge(cell("morula", 0.1), cell("greedy", 0.0), share_of_peer=1 / 4)
    assert [str(v) for v in verdict.values()] == [
        "medium-s3: errors per link (1/4 of greedy's 0.000) 0.100, at most 0.000 asked: missed by 0.100"
    ]


def test_the_table_names_a_case_once_and_marks_what_was_not_proven() -> None:
    cells = [cell("greedy", 0.1234), cell("laptrack", None, proven=False), cell("greedy", 0.2, case="hard-s3")]
    lines = list(format_table(cells, {"greedy": "blobs + greedy", "laptrack": "LapTrack"}))
    assert lines[2:] == [
        "| medium-s3 | blobs + greedy | 0.123 | 0.990 | 0.988 | 0.900 | 0.800 | 62 |",
        "|  | LapTrack * | - | 0.990 | 0.988 | 0.900 | 0.800 | 62 |",
        "| hard-s3 | blobs + greedy | 0.200 | 0.990 | 0.988 | 0.900 | 0.800 | 62 |",
    ]
    assert lines[0].count("|") == lines[1].count("|") == lines[2].count("|")


def test_a_cell_comes_back_from_its_file(tmp_path: Path) -> None:
    written = cell("greedy", None, settings={"threshold": 0.7, "tuned": "3 errors"})
    written.write(tmp_path / "medium-s3" / "greedy.json")
    assert Cell.read(tmp_path / "medium-s3" / "greedy.json") == written
    assert [path.name for path in (tmp_path / "medium-s3").iterdir()] == ["greedy.json"]
