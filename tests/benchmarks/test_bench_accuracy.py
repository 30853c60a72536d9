"""The pass over cases and methods: what is there is kept, what is missing is run, what depends on a new run goes."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

import bench_accuracy
from accuracy_cases import Lengths
from accuracy_methods import Method
from accuracy_outcome import Outcome
from morula.core.tracks import Tracks

CASE = "crop-s3"


class Fake:
    """A method that knows the truth, or its first frames, and counts how often it is asked."""

    def __init__(self, frames: int = 99) -> None:
        self.frames, self.calls = frames, 0

    def __call__(self, case, run: Path) -> Outcome:
        self.calls += 1
        assert not run.exists(), "begins anew"
        (run / "model").mkdir(parents=True)
        truth: Tracks = case.truth
        return Outcome(tracks=truth.rows(truth.t < self.frames), seconds=2.0, settings={"a": 1.0})


@pytest.fixture
def out(tmp_path: Path, tiny_embryo: Path) -> Path:
    """A folder in which the case is already made."""
    folder = tmp_path / "cases" / CASE
    shutil.copytree(tiny_embryo / "embryo", folder)
    lengths = Lengths(blob_sigma_um=1.7, window_um=3.5, reach_um=6.0, match_um=4.0)
    (folder / "case.json").write_text(json.dumps(asdict(lengths)))
    return tmp_path


@pytest.fixture
def methods(monkeypatch: pytest.MonkeyPatch) -> dict[str, Fake]:
    fakes = {"blobs-greedy": Fake(frames=4), "morula": Fake(), "ours-motile": Fake()}
    table = {
        "blobs-greedy": Method(words="greedy", run=fakes["blobs-greedy"], classical=True),
        "ours-motile": Method(words="ours", run=fakes["ours-motile"], reads="morula"),
        "morula": Method(words="morula", run=fakes["morula"]),
        "elsewhere": Method(words="elsewhere", run=Fake(), only_in=("hard",)),
    }
    monkeypatch.setattr(bench_accuracy, "METHODS", table)
    return fakes


def call(monkeypatch: pytest.MonkeyPatch, out: Path, *options: str) -> None:
    monkeypatch.setattr(sys, "argv", ["bench_accuracy.py", "--out", str(out), "--only", f"{CASE}/*", *options])
    bench_accuracy.main()


def test_a_pass_leaves_a_cell_each_and_a_second_one_runs_nothing(out, methods, monkeypatch, capsys) -> None:
    call(monkeypatch, out)
    assert {name: fake.calls for name, fake in methods.items()} == {"blobs-greedy": 1, "morula": 1, "ours-motile": 1}
    first = capsys.readouterr().out
    call(monkeypatch, out)
    assert capsys.readouterr().out == first
    assert [fake.calls for fake in methods.values()] == [1, 1, 1]
    (out / "cells" / CASE / "blobs-greedy.json").unlink()
    call(monkeypatch, out)
    assert [fake.calls for fake in methods.values()] == [2, 1, 1]


def test_the_truth_makes_no_error_and_half_of_it_many(out, methods, monkeypatch, capsys) -> None:
    call(monkeypatch, out)
    cells = {cell["method"]: cell for cell in json.loads((out / "accuracy.json").read_text())["cells"]}
    assert cells["morula"]["errors_per_edge"] == 0
    assert cells["morula"]["node_recall"] == cells["morula"]["node_precision"] == 1
    assert cells["blobs-greedy"]["errors_per_edge"] > 0.2
    assert cells["blobs-greedy"]["settings"] == {"a": 1.0}
    truth, clicked = (
        len((out / "cases" / CASE / f"{name}.csv").read_text().splitlines()) - 1 for name in ("truth", "train")
    )
    assert 0 < cells["morula"]["counts"]["n_truth_points"] <= truth - clicked
    assert "| crop-s3 | greedy |" in capsys.readouterr().out


def test_a_new_run_of_morula_takes_along_what_reads_it(out, methods, monkeypatch) -> None:
    call(monkeypatch, out)
    call(monkeypatch, out, "--again", "--only", f"{CASE}/morula")
    assert not (out / "cells" / CASE / "ours-motile.json").exists()
    assert [fake.calls for fake in methods.values()] == [1, 2, 1]
    call(monkeypatch, out)
    assert [fake.calls for fake in methods.values()] == [1, 2, 2]


def test_what_is_missing_can_be_listed_without_running_it(out, methods, monkeypatch, capsys) -> None:
    call(monkeypatch, out, "--list")
    assert capsys.readouterr().out.splitlines() == [
        f"missing {CASE}/{name}" for name in ("blobs-greedy", "ours-motile", "morula")
    ]
    assert not any(fake.calls for fake in methods.values())


def test_without_a_folder_it_only_says_what_it_does(monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["bench_accuracy.py"])
    bench_accuracy.main()
    assert "one table over movies and methods" in capsys.readouterr().out


def test_a_name_that_no_cell_has_is_an_error_that_names_the_seeds(out, methods, monkeypatch) -> None:
    with pytest.raises(SystemExit, match=r"no cell is called crop-s4/\* \(seeds 3\)"):
        call(monkeypatch, out, "--only", "crop-s4/*")
    assert not any(fake.calls for fake in methods.values())
