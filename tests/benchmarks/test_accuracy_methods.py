"""The methods of the accuracy table from one end to the other, on an embryo of twelve cells."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import accuracy_methods
from accuracy_cases import Case, Lengths
from accuracy_methods import METHODS, link_blobs_greedily, link_ours_with_motile, link_truth_with_motile
from accuracy_morula import PAPER_MASK, run_morula
from accuracy_peers import MotileTracks
from accuracy_tuning import count_errors
from morula.evaluate.params import EvaluateParams
from morula.inputs import Inputs
from morula.io.movies.opening import open_movie
from morula.io.tracks.files import read_tracks

SMALL = {"iterations": 40, "batch_size": 1, "crop_outputs": (4, 8, 8), "validations": 1, "average_decay": 0.8}


@pytest.fixture
def case(tiny_embryo: Path) -> Case:
    folder = tiny_embryo / "embryo"
    train, val, truth = (read_tracks(folder / f"{name}.csv") for name in ("train", "val", "truth"))
    inputs = Inputs(open_movie(str(folder / "movie.ome.zarr")), train, val, truth)
    lengths = Lengths(blob_sigma_um=1.7, window_um=3.5, reach_um=6.0, match_um=4.0)
    return Case("tiny", folder, inputs, lengths, EvaluateParams(max_distance_um=4.0))


def test_morula_is_run_as_it_is_shipped_but_for_what_is_named(case: Case, tmp_path: Path) -> None:
    outcome = run_morula(case, tmp_path / "run", train={**SMALL, **PAPER_MASK})
    written = (tmp_path / "run" / "config.toml").read_text(encoding="utf-8")
    assert 'background = "paper"' in written
    assert "second_iterations = 0" in written
    assert "truth.csv" not in written, "the run must not know the truth"
    assert outcome.seconds > 0
    assert outcome.proven
    assert outcome.settings["second_iterations"] == 0
    assert {"train", "detect", "solve"} <= set(outcome.settings["wall_s"])


def test_our_detections_are_linked_by_distance_with_costs_chosen_on_the_annotations(
    case: Case, tiny_run: Path, tmp_path: Path
) -> None:
    pytest.importorskip("motile", reason="motile is not installed: pip install -c constraints.txt -e '.[peers]'")
    shutil.copytree(tiny_run / "run", tmp_path / "morula", ignore=shutil.ignore_patterns("*checkpoint*"))
    outcome = link_ours_with_motile(case, tmp_path / "ours-motile")
    errors = count_errors(outcome.tracks, case.annotations, case.evaluate)
    assert str(outcome.settings["tuned"]).startswith(f"{errors} errors on the annotations"), "motile chose otherwise"
    assert outcome.proven


def test_the_oracle_takes_every_true_position(case: Case, tmp_path: Path) -> None:
    pytest.importorskip("motile", reason="motile is not installed: pip install -c constraints.txt -e '.[peers]'")
    tracks = link_truth_with_motile(case, tmp_path).tracks
    key = [np.lexsort((*one.zyx_um.T, one.t)) for one in (tracks, case.truth)]
    np.testing.assert_array_equal(tracks.zyx_um[key[0]], case.truth.zyx_um[key[1]])
    assert len(tracks.edges) > 0.8 * len(case.truth.edges)


def test_a_tuned_peer_makes_no_more_errors_on_the_annotations_than_a_usual_one(case: Case, tmp_path: Path) -> None:
    outcome = link_blobs_greedily(case, tmp_path)
    words = str(outcome.settings["tuned"]).split()
    assert int(words[0]) == count_errors(outcome.tracks, case.annotations, case.evaluate)
    assert int(words[0]) <= int(words[5])


def test_a_method_that_reads_another_comes_after_it() -> None:
    names = list(METHODS)
    for name, method in METHODS.items():
        assert method.reads is None or names.index(method.reads) < names.index(name)
    assert "paper-network" in METHODS or not accuracy_methods.has_paper_network()


def test_a_search_that_scip_did_not_end_is_ended_by_our_solver_and_marked(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = case.truth.rows(np.zeros(case.truth.n, bool))
    stopped = MotileTracks(nothing, proven=False, seconds=1.0)
    monkeypatch.setattr(accuracy_methods, "link_with_motile", lambda *_, **__: stopped)
    outcome = link_truth_with_motile(case, tmp_path)
    assert not outcome.proven
    assert outcome.tracks.n == case.truth.n
