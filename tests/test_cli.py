"""The command contract, line by line: scripts and benchmarks rely on these options, keys and exit codes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import zarr

from morula.config import read_config
from morula.core.graph import CandidateGraph
from morula.io.movies.opening import open_movie
from morula.io.tracks.files import read_tracks
from morula.io.tracks.geff_store import GeffFolder
from morula.io.tracks.graphs import read_candidate_graph, write_candidate_graph
from morula.store.run_directory import view_run

Command = Callable[..., subprocess.CompletedProcess[str]]

MOVIE = "embryo/movie.ome.zarr"


@pytest.fixture(scope="session")
def graph(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The candidate graph of the tiny run as GEFF."""
    path = tmp_path_factory.mktemp("graph") / "candidates.geff"
    with view_run(tiny_run / "run") as run:
        write_candidate_graph(run.store.read_graph(), path)
    return path


def test_the_commands_are_listed_in_the_order_of_the_pipeline(morula: Command) -> None:
    listed = re.findall(r"^  ([a-z]+)  ", morula("--help").stdout.partition("Commands:")[2], re.MULTILINE)
    assert listed == [
        "init", "plan", "run", "train", "detect", "candidates", "tune", "solve", "evaluate", "export", "report",
        "status", "synthetic", "demo",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "command", ["init", "plan", "run", "train", "solve", "evaluate", "export", "status", "synthetic"]
)
def test_every_option_says_what_it_does(morula: Command, command: str) -> None:
    shown = morula(command, "--help")
    assert shown.returncode == 0
    options = re.findall(r"^  (--[a-z-]+).*?(?=^  --|\Z)", shown.stdout, re.MULTILINE | re.DOTALL)
    explained = re.findall(r"^  --[a-z-]+(?: [^a-z\n]*|, )?.*[a-z]{3}", shown.stdout, re.MULTILINE)
    assert "--help" in options
    assert len(explained) == len(options)


def test_the_version_is_printed(morula: Command) -> None:
    shown = morula("--version")
    assert (shown.returncode, shown.stdout) == (0, "0.1.0\n")


@pytest.mark.parametrize(
    "arguments", [["run"], ["solve", "--graph", "x"], ["nonsense"], ["status"], ["run", "a.toml", "--run-dri", "b"]]
)
def test_wrong_usage_ends_with_two_and_a_word_on_stderr(morula: Command, arguments: list[str]) -> None:
    ended = morula(*arguments)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert "Error: " in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_error_of_ours_ends_with_one_and_four_lines_on_stderr(morula: Command, tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text('[movie]\npath = "m"\n[annotations]\ntrain = "t"\n[detect]\nthreshold = 7\n')
    ended = morula("run", tmp_path / "run.toml", "--run-dir", tmp_path / "run")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert [line.split(":")[0].strip() for line in ended.stderr.splitlines()] == ["ConfigError", "measured", "fix"]
    assert not (tmp_path / "run").exists()


# --- init ------------------------------------------------------------------------------------------------------------


def test_init_writes_a_configuration_that_runs(tiny: Path, morula: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tiny)
    zarr.save_array("mask.zarr", np.ones(open_movie(MOVIE).shape, np.uint8), zarr_format=2)
    inputs = ["--movie", MOVIE, "--mask", "mask.zarr", "--train", "embryo/train.csv", "--val", "embryo/val.csv"]
    looks = ["--axes", "TZYX", "--channel", 0, "--level", 0, "--voxel-size-um", 2, 0.8, 0.8, "--frame-interval-s", 60]
    made = morula("init", *inputs, *looks, "--out", "configs/run.toml")
    assert made.returncode == 0, made.stderr
    assert "configs/run.toml: about " in made.stdout
    assert "next: morula run configs/run.toml --run-dir" in made.stdout
    text = Path("configs/run.toml").read_text()
    assert text.count("# Measured: ") >= 5
    config = read_config(Path("configs/run.toml"))
    assert Path(config.movie.path) == tiny / MOVIE
    assert config.movie.axes == "TZYX"
    assert config.movie.voxel_size_um == (2.0, 0.8, 0.8)
    assert config.movie.frame_interval_s == 60
    assert config.movie.mask == str(tiny / "mask.zarr")
    assert config.annotations.val == str(tiny / "embryo" / "val.csv")
    assert 0.5 < config.train.mask_radius_um < 6
    quick = ["train.iterations=2", "train.second_iterations=0", "train.crop_outputs=[4, 8, 8]", "train.threads=1"]
    ran = morula("detect", "configs/run.toml", "--run-dir", "new", *(f"--set={setting}" for setting in quick))
    assert ran.returncode == 0, ran.stderr


def test_init_takes_tracks_in_other_units(tiny: Path, morula: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tiny)
    header, *rows = Path("embryo/train.csv").read_text().splitlines()
    points = [row.split(",") for row in rows]
    in_nm = [",".join([p[0], *(f"{1000 * float(value):.3f}" for value in p[1:4]), *p[4:]]) for p in points]
    Path("nm.csv").write_text("\n".join([header, *in_nm]) + "\n")
    init = ("init", "--movie", MOVIE, "--train")
    assert morula(*init, "nm.csv", "--out", "wrong.toml").returncode == 1
    made = morula(*init, "nm.csv", "--unit-um", 0.001, "--out", "nm.toml")
    assert made.returncode == 0, made.stderr
    assert read_config(Path("nm.toml")).annotations.unit_um == 0.001


def test_init_refuses_to_replace_a_configuration_unless_told(
    tiny: Path, morula: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny)
    before = Path("run.toml").read_text()
    init = ("init", "--movie", MOVIE, "--train", "embryo/train.csv")
    assert morula(*init).returncode == 1
    assert Path("run.toml").read_text() == before
    assert morula(*init, "--force").returncode == 0
    assert Path("run.toml").read_text() != before


# --- run, status, export ---------------------------------------------------------------------------------------------


def test_run_prints_its_figures_as_one_json_object(tiny: Path, morula: Command) -> None:
    ended = morula("run", tiny / "run.toml", "--run-dir", tiny / "run", "--workers", 1, "--json")
    assert ended.returncode == 0
    assert ended.stdout.count("\n") == 1
    figures = json.loads(ended.stdout)
    assert figures.keys() >= {"morula", "baseline", "solve", "seconds", "lineages", "report"}
    assert Path(figures["report"]).exists()
    assert Path(figures["lineages"]).read_text().startswith("t,z,y,x,id,parent_id,")
    assert figures["morula"].keys() == figures["baseline"].keys()
    assert figures == {**figures, **json.loads((tiny / "run" / "exports" / "evaluation.json").read_text())}


def test_run_prints_a_table_for_people(tiny: Path, morula: Command) -> None:
    shown = morula("run", tiny / "run.toml", "--run-dir", tiny / "run").stdout
    assert "morula  baseline" in shown
    assert re.search(r"nodes found \(recall\) +[01]\.\d{3} +[01]\.\d{3}", shown)
    assert str(tiny / "run" / "report.html") in shown


def test_status_tells_every_stage(tiny_run: Path, morula: Command) -> None:
    state = json.loads(morula("status", tiny_run / "run", "--json").stdout)
    assert state["running"] is False
    stages = {stage["name"]: stage for stage in state["stages"]}
    last = ["candidates", "tune", "solve", "confidence", "blobs", "baseline", "evaluate", "export", "report"]
    assert list(stages)[-9:] == last
    assert {stage["state"] for stage in stages.values()} == {"done"}
    assert (stages["detect"]["blocks_done"], stages["detect"]["blocks_total"]) == (3, 3)
    shown = morula("status", tiny_run / "run").stdout
    assert re.search(r"detect +done, [\d.]+ s, blocks 3 of 3, 0 failed", shown)


def test_the_exported_table_has_the_columns_of_the_contract(tiny_run: Path, tmp_path: Path, morula: Command) -> None:
    out = tmp_path / "lineages.csv"
    said = morula("export", tiny_run / "run", "--format", "csv", "--out", out).stdout
    header, *lines = out.read_text().splitlines()
    assert header.split(",")[:6] == ["t", "z", "y", "x", "id", "parent_id"]
    rows = [line.split(",") for line in lines]
    keys = [(int(row[0]), int(row[4])) for row in rows]
    assert keys == sorted(keys)
    assert {row[5] for row in rows} > {"-1"}
    extent = open_movie(tiny_run / MOVIE).extent_um
    assert (np.array([row[1:4] for row in rows], float) <= extent + 1e-6).all()
    assert f"{len(rows)} points in " in said
    named = dict(zip(header.split(","), zip(*rows, strict=True), strict=True))
    right = np.array(named["confidence"], float)
    assert ((right > 0) & (right <= 1)).all()
    assert (np.array(named["t"]) == "0").tolist() == (right == 1).tolist()
    assert (np.array(named["margin"], float) >= 0).all()


# --- evaluate --------------------------------------------------------------------------------------------------------


def test_evaluate_judges_any_two_track_files(tiny_run: Path, morula: Command) -> None:
    truth = tiny_run / "embryo" / "truth.csv"
    perfect = json.loads(morula("evaluate", truth, truth, "--threshold-um", 2, "--dense", "--json").stdout)
    assert (perfect["node_recall"], perfect["node_precision"], perfect["sum_of_errors"]) == (1.0, 1.0, 0)
    assert perfect["dense"] is True
    assert perfect["threshold_um"] == 2.0
    exported = tiny_run / "run" / "exports" / "lineages.geff"
    sparse = morula("evaluate", exported, tiny_run / "embryo" / "val.csv", "--threshold-um", 4.5, "--json")
    figures = json.loads(sparse.stdout)
    assert figures["dense"] is False
    assert figures["node_precision"] is None
    assert figures["n_truth_points"] == read_tracks(tiny_run / "embryo" / "val.csv").n


def test_evaluate_can_leave_out_what_was_learned_from(tiny_run: Path, morula: Command) -> None:
    known = [tiny_run / "embryo" / f"{name}.csv" for name in ("truth", "train", "val")]
    judge = ("evaluate", known[0], known[0], "--threshold-um", 3, "--dense", "--json")
    whole, held_out = (
        json.loads(morula(*judge, *more).stdout) for more in ([], ["--exclude", known[1], "--exclude", known[2]])
    )
    annotated = sum(read_tracks(path).n for path in known[1:])
    assert whole["n_truth_points"] - held_out["n_truth_points"] == annotated


def test_evaluate_prints_figures_for_people_and_takes_settings(tiny_run: Path, morula: Command) -> None:
    truth = tiny_run / "embryo" / "truth.csv"
    shown = morula("evaluate", truth, truth, "--threshold-um", 2, "--set", "evaluate.window_frames=3").stdout
    assert re.search(r"^node recall +1$", shown, re.MULTILINE)
    figures = json.loads(
        morula("evaluate", truth, truth, "--threshold-um", 2, "--set", "evaluate.window_frames=3", "--json").stdout
    )
    assert len(figures["error_free_fraction"]) == 3


@pytest.mark.parametrize("threshold", ["0", "-1", "nan", "inf"])
def test_evaluate_refuses_a_threshold_that_is_no_distance(tiny_run: Path, morula: Command, threshold: str) -> None:
    truth = tiny_run / "embryo" / "truth.csv"
    ended = morula("evaluate", truth, truth, "--threshold-um", threshold)
    assert ended.returncode == 1
    assert "evaluate.max_distance_um has a value that is not possible" in ended.stderr


# --- solve -----------------------------------------------------------------------------------------------------------

WEIGHTS = {"node_constant": 2.5, "node_score_weight": -50.0, "edge_distance_weight": 0.8, "start_cost": 4.0}
DIVISIONS = {"division_cost": 1.5, "division_score_weight": 0.0}
SET = [f"--set=solve.{name}={value}" for name, value in {**WEIGHTS, **DIVISIONS}.items()]


def plain_sum(graph: CandidateGraph, lineages: Path) -> float:
    """The cost of lineages as the contract defines it, from the files alone (node ids are the rows of the graph)."""
    chosen = read_tracks(lineages)
    distance = {(int(p), int(c)): d for (p, c), d in zip(graph.edges, graph.distance_um, strict=True)}
    links = [distance[int(chosen.id[parent]), int(chosen.id[child])] for parent, child in chosen.edges]
    starts = (chosen.parent_row < 0) & (chosen.t > graph.nodes.t.min())
    node_cost = WEIGHTS["node_constant"] + WEIGHTS["node_score_weight"] * graph.nodes.score[chosen.id]
    return float(
        node_cost.sum()
        + WEIGHTS["edge_distance_weight"] * sum(links)
        + WEIGHTS["start_cost"] * starts.sum()
        + 1.5 * (chosen.n_children == 2).sum()
    )


def test_solve_prints_the_plain_sum_of_what_it_wrote(graph: Path, tmp_path: Path, morula: Command) -> None:
    out = tmp_path / "lineages.geff"
    ended = morula("solve", "--graph", graph, "--out", out, *SET, "--json")
    assert ended.returncode == 0, ended.stderr
    figures = json.loads(ended.stdout)
    keys = {
        "status",
        "objective",
        "lower_bound",
        "gap",
        "seconds",
        "nodes",
        "edges",
        "selected_nodes",
        "selected_edges",
    }
    assert figures.keys() >= keys
    read = read_candidate_graph(graph)
    assert (figures["nodes"], figures["edges"]) == (read.nodes.n, read.n_edges)
    chosen = read_tracks(out)
    assert (figures["selected_nodes"], figures["selected_edges"]) == (chosen.n, len(chosen.edges))
    assert chosen.n > 0
    assert figures["objective"] == pytest.approx(plain_sum(read, out), abs=1e-6)
    assert (figures["status"], figures["gap"]) == ("optimal", 0.0)
    assert figures["lower_bound"] == figures["objective"]
    margin = GeffFolder(out).read_node_prop("margin")
    assert (margin >= 0).all()
    assert margin.max() > 0


def test_solve_leaves_margins_out_where_told(graph: Path, tmp_path: Path, morula: Command) -> None:
    out = tmp_path / "lineages.geff"
    assert morula("solve", "--graph", graph, "--out", out, "--no-margins").returncode == 0
    assert not GeffFolder(out).has_node_prop("margin")


def test_solve_prints_figures_for_people_too_and_replaces_a_result_only_when_told(
    graph: Path, tmp_path: Path, morula: Command
) -> None:
    solve = ("solve", "--graph", graph, "--out", tmp_path / "x.geff")
    assert re.search(r"^status +optimal$", morula(*solve).stdout, re.MULTILINE)
    assert morula(*solve).returncode == 1
    assert morula(*solve, "--overwrite").returncode == 0


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("solve.gap=-1", r"--set: solve\.gap has a value"),
        ("solve.start=1", r"unknown setting solve\.start"),
        ("train.seed=1", r"only takes settings of \[solve\]"),
    ],
)
def test_solve_refuses_settings_that_are_not_its_own(
    graph: Path, tmp_path: Path, morula: Command, setting: str, words: str
) -> None:
    ended = morula("solve", "--graph", graph, "--out", tmp_path / "x.geff", "--set", setting)
    assert ended.returncode == 1
    assert re.search(words, ended.stderr)
    assert not (tmp_path / "x.geff").exists()


def test_nothing_but_the_object_reaches_stdout_of_a_process(graph: Path, tmp_path: Path, tiny_run: Path) -> None:
    """In a process of its own, where a library written in C would be heard, too."""
    solve = ["solve", "--graph", str(graph), "--out", str(tmp_path / "x.geff"), "--json"]
    for arguments in (solve, ["status", str(tiny_run / "run"), "--json"]):
        done = subprocess.run([sys.executable, "-m", "morula", *arguments], capture_output=True, text=True, check=True)
        assert done.stdout.count("\n") == 1
        assert isinstance(json.loads(done.stdout), dict)


# --- synthetic -------------------------------------------------------------------------------------------------------


def test_synthetic_writes_movie_truth_and_sparse_annotations(tiny_embryo: Path) -> None:
    embryo = tiny_embryo / "embryo"
    assert {path.name for path in embryo.iterdir()} == {"movie.ome.zarr", "truth.csv", "train.csv", "val.csv"}
    movie, truth = open_movie(embryo / "movie.ome.zarr"), read_tracks(embryo / "truth.csv")
    assert movie.n_frames == 6
    assert int((truth.t == 0).sum()) == 12
    train, val = (read_tracks(embryo / f"{name}.csv") for name in ("train", "val"))
    assert 0.4 < (train.n + val.n) / truth.n <= 0.7
    assert not set(train.id) & set(val.id)


def test_synthetic_is_the_same_for_the_same_seed_and_another_for_another(tmp_path: Path, morula: Command) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        size = ["--cells", 8, "--frames", 3, "--set", "annotate.share=0.9"]
        assert morula("synthetic", "--out", tmp_path / name, "--seed", seed, *size).returncode == 0
    truths = [(tmp_path / name / "truth.csv").read_text() for name in "abc"]
    assert truths[0] == truths[1] != truths[2]
    frames = [open_movie(tmp_path / name / "movie.ome.zarr").frame(1) for name in "ab"]
    assert (frames[0] == frames[1]).all()


def test_synthetic_renders_given_lineages_in_given_units(tiny_embryo: Path, tmp_path: Path, morula: Command) -> None:
    table = tiny_embryo / "embryo" / "truth.csv"
    render = ("synthetic", "--tracks", table, "--min-cells", 2, "--set", "annotate.share=0.9")
    assert morula(*render, "--out", tmp_path / "twice", "--um-per-unit", 2.0).returncode == 0
    given, rendered = read_tracks(table), read_tracks(tmp_path / "twice" / "truth.csv")
    spans = [np.ptp(tracks.zyx_um, axis=0) for tracks in (given, rendered)]
    assert np.allclose(2.0 * spans[0], spans[1], atol=1e-4)
    refused = morula(*render, "--out", tmp_path / "none", "--um-per-unit", -1)
    assert refused.returncode == 1
    assert "must be a positive length" in refused.stderr


def test_synthetic_replaces_an_embryo_only_when_told(tmp_path: Path, morula: Command) -> None:
    make = ("synthetic", "--out", tmp_path / "e", "--cells", 8, "--frames", 2, "--set", "annotate.share=0.9")
    assert morula(*make).returncode == 0
    refused = morula(*make)
    assert refused.returncode == 1
    assert "movie.ome.zarr, truth.csv, train.csv, val.csv exists already" in refused.stderr
    assert morula(*make, "--overwrite").returncode == 0


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("render.photon=3", r"render\.photon: "),
        ("render.photons=-3", r"render\.photons: .*greater than 0"),
        ("rendering.photons=3", r"rendering"),
    ],
)
def test_synthetic_refuses_settings_it_does_not_know(tmp_path: Path, morula: Command, setting: str, words: str) -> None:
    ended = morula("synthetic", "--out", tmp_path / "e", "--set", setting)
    assert ended.returncode == 1
    assert re.search(words, ended.stderr)
    assert not (tmp_path / "e").exists()
