"""Whole runs: done once, gone on with after a kill, repeated only where a setting asks for it, read while they go on.

Every run here is of the tiny embryo of `conftest`, a second of work; what it finds is poor, but the same every time.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

import pytest
from geff.validate.structure import validate_structure

from morula.cli.app import execute_command
from morula.config import read_config
from morula.core.progress import Progress
from morula.errors import ConfigError
from morula.io.tracks.files import read_tracks
from morula.pipeline import STAGES, run_pipeline

Command = Callable[..., subprocess.CompletedProcess[str]]
Start = Callable[..., ForkServerProcess]

CHANGING = {"morula.log", "run.lock", "store.sqlite-wal", "store.sqlite-shm"}
PATIENCE_S = 240.0


def read_files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def note_files(run: Path) -> dict[str, tuple[int, bytes]]:
    """Time of the last change and bytes of every file of a run that a second run has no business with."""
    return {
        name: ((run / name).stat().st_mtime_ns, content)
        for name, content in read_files(run).items()
        if name not in CHANGING
    }


def begun(said: str) -> set[str]:
    """Stages of which a run says that they began, ran again or went on."""
    words = (" begins", " runs again", " goes on where it stopped")
    return {line.split(" ")[0] for line in said.splitlines() if any(word in line for word in words)}


def arguments(folder: Path, *more: str) -> list[str]:
    return ["run", str(folder / "run.toml"), "--run-dir", str(folder / "run"), *more]


@pytest.fixture(scope="session")
def processes() -> ForkServerContext:
    """Processes of their own that need not import torch each time: forked from one that did."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["morula.cli.app", "morula.pipeline", "morula.io.movies.ome_zarr_read", "morula.io.tracks.files"]
    )
    return context


@pytest.fixture
def start(processes: ForkServerContext) -> Iterator[Start]:
    """Start a command line in a process of its own; whatever still runs at the end of the test is killed."""
    started: list[ForkServerProcess] = []

    def run(*texts: str) -> ForkServerProcess:
        process = processes.Process(target=execute_command, args=(list(texts),))
        process.start()
        started.append(process)
        return process

    yield run
    for process in started:
        if process.is_alive():
            process.kill()
        process.join(PATIENCE_S)


@pytest.fixture
def fresh(tmp_path: Path, tiny_embryo: Path) -> Path:
    """The tiny embryo, not run yet."""
    return Path(shutil.copytree(tiny_embryo, tmp_path / "fresh"))


def wait_for(condition: Callable[[], bool], process: ForkServerProcess) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert process.is_alive(), "the run ended too early"
        assert time.monotonic() < deadline, "the run took too long"
        time.sleep(0.002)


def kill(process: ForkServerProcess) -> bool:
    """Kill a process without warning; true if it was still at work."""
    with suppress(ProcessLookupError):  # it has ended, and the server that started it has already taken it away
        if process.is_alive():
            os.kill(process.pid or 0, signal.SIGKILL)
    process.join(PATIENCE_S)
    return process.exitcode == -signal.SIGKILL


# --- twice, and with other settings ----------------------------------------------------------------------------------


def test_a_second_run_does_nothing(tiny: Path, morula: Command) -> None:
    assert morula(*arguments(tiny)).returncode == 0  # the report, which names the folder
    before = note_files(tiny / "run")
    again = morula(*arguments(tiny))
    assert again.returncode == 0
    assert begun(again.stderr) == set()
    assert all(f"{stage} is done, nothing has changed" in again.stderr for stage in STAGES)
    assert note_files(tiny / "run") == before


def test_a_changed_solver_setting_runs_the_solver_and_what_stands_on_it(tiny: Path, morula: Command) -> None:
    models = note_files(tiny / "run" / "model")
    baseline = (tiny / "run" / "exports" / "baseline.csv").stat().st_mtime_ns
    again = morula(*arguments(tiny, "--set", "solve.start_cost=3.5"))
    assert again.returncode == 0
    assert begun(again.stderr) == {"tune", "solve", "confidence", "evaluate", "export", "report"}
    assert re.search(r"tune runs again: solve\.start_cost .+ → 3\.5 \(and what stands on it: solve, ", again.stderr)
    assert note_files(tiny / "run" / "model") == models
    assert (tiny / "run" / "exports" / "baseline.csv").stat().st_mtime_ns == baseline


def test_a_changed_detection_setting_keeps_the_training(tiny: Path, morula: Command) -> None:
    weights = (tiny / "run" / "model" / "train.safetensors").stat().st_mtime_ns
    again = morula(*arguments(tiny, "--set", "detect.threshold=0.2"))
    linked = {"candidates", "tune", "solve", "confidence"}
    assert begun(again.stderr) == {"detect", *linked, "evaluate", "export", "report"}
    assert "detect runs again: detect.threshold 0.1 → 0.2" in again.stderr
    assert (tiny / "run" / "model" / "train.safetensors").stat().st_mtime_ns == weights


def test_a_changed_link_setting_reaches_the_baseline_too(tiny: Path, morula: Command) -> None:
    again = morula(*arguments(tiny, "--set", "candidates.max_parents=1"))
    assert begun(again.stderr) == set(STAGES) - {"drift", "train", "detect", "blobs"}


def test_a_changed_training_setting_runs_all_again(tiny: Path, morula: Command) -> None:
    again = morula(*arguments(tiny, "--set", "train.seed=1", "--set", "train.iterations=5"))
    assert again.returncode == 0
    assert "train-1 runs again: train.iterations 40 → 5, train.seed 0 → 1" in again.stderr
    assert begun(again.stderr) == {"train-1", "detect-1", *STAGES} - {"drift", "blobs", "baseline"}


def test_changed_annotations_run_all_that_learned_from_them(tiny: Path, morula: Command) -> None:
    table = tiny / "embryo" / "train.csv"
    lines = table.read_text().splitlines()
    table.write_text("\n".join(lines[:-1]) + "\n")  # a point of the last frame: nobody's parent
    again = morula(*arguments(tiny, "--until", "train", "--set", "train.iterations=5"))
    assert "train-1 runs again: inputs.train " in again.stderr
    assert begun(again.stderr) == {"train-1", "detect-1", "train"}


def test_a_result_that_was_deleted_is_made_again(tiny: Path, morula: Command) -> None:
    exported = tiny / "run" / "exports" / "lineages.csv"
    content = exported.read_bytes()
    exported.unlink()
    again = morula(*arguments(tiny))
    assert "export runs again: exports/lineages.csv is missing" in again.stderr
    assert begun(again.stderr) == {"export", "report"}
    assert exported.read_bytes() == content


def test_an_error_in_one_stage_keeps_the_others_and_going_back_mends_it(tiny: Path, morula: Command) -> None:
    exported = read_files(tiny / "run" / "exports")
    narrow = ["--set", "candidates.max_distance_um=0.001", "--set", "candidates.correct_drift=false"]
    failed = morula(*arguments(tiny, *narrow))
    assert failed.returncode == 1
    assert "UnlinkableFrameError: frame 1: none of " in failed.stderr
    stages = {stage["name"]: stage for stage in json.loads(morula("status", tiny / "run", "--json").stdout)["stages"]}
    assert stages["detect"]["state"] == "done"
    assert stages["candidates"]["state"] == "failed"
    assert stages["candidates"]["error"].startswith("frame 1: none of ")
    assert morula(*arguments(tiny)).returncode == 0
    assert read_files(tiny / "run" / "exports") == exported


def test_a_copied_movie_is_the_same_movie(tiny: Path, morula: Command) -> None:
    shutil.move(tiny / "embryo" / "movie.ome.zarr", tiny / "moved.ome.zarr")
    config = (tiny / "run.toml").read_text().replace("embryo/movie.ome.zarr", "moved.ome.zarr")
    (tiny / "run.toml").write_text(config)
    assert begun(morula(*arguments(tiny)).stderr) == {"report"}


def test_trained_weights_take_the_place_of_training(tiny: Path, fresh: Path, morula: Command) -> None:
    config = (fresh / "run.toml").read_text().replace('train = "embryo/train.csv"', "")
    (fresh / "run.toml").write_text(f'[model]\nweights = "{tiny}/run/model/train.safetensors"\n{config}')
    done = morula(*arguments(fresh))
    assert done.returncode == 0, done.stderr
    assert begun(done.stderr) == set(STAGES)
    exports = [read_files(folder / "run" / "exports") for folder in (tiny, fresh)]
    assert exports[0]["lineages.csv"] == exports[1]["lineages.csv"]


def test_stages_run_up_to_the_one_asked_for(fresh: Path, morula: Command) -> None:
    until = morula("detect", fresh / "run.toml", "--run-dir", fresh / "run", "--set", "train.second_iterations=0")
    assert until.returncode == 0
    assert begun(until.stderr) == {"drift", "train", "detect"}
    assert until.stdout == ""
    assert not (fresh / "run" / "exports").exists()
    refused = morula("export", fresh / "run", "--out", fresh / "x.csv")
    assert refused.returncode == 1
    assert "candidates is not done" in refused.stderr


def test_a_program_can_run_the_pipeline_and_hear_how_far_it_is(tiny: Path) -> None:
    config = read_config(tiny / "run.toml", {"detect.threshold": "0.15", "tune.enabled": "false"})
    heard: list[Progress] = []
    run_pipeline(config, tiny / "run", until="solve", progress=heard.append)
    by_stage = {event.stage: event for event in heard}
    assert {"detect", "candidates"} <= by_stage.keys()
    assert all(event.done == event.total for event in by_stage.values())
    with pytest.raises(ConfigError, match="there is no stage 'end'"):
        run_pipeline(config, tiny / "run", until="end")


# --- exports ---------------------------------------------------------------------------------------------------------


def test_the_exports_agree_and_geff_accepts_them(tiny_run: Path) -> None:
    exported = tiny_run / "run" / "exports"
    validate_structure(exported / "lineages.geff")
    table, graph = read_tracks(exported / "lineages.csv"), read_tracks(exported / "lineages.geff")
    assert table.n > 0
    assert len(table.edges) > 0
    assert (table.id == graph.id).all()
    assert (table.parent_id == graph.parent_id).all()
    assert abs(table.zyx_um - graph.zyx_um).max() < 1e-5


@pytest.mark.parametrize("kind", ["csv", "geff", "napari"])
def test_an_export_on_request_is_the_one_of_the_run(tiny_run: Path, tmp_path: Path, morula: Command, kind: str) -> None:
    out = tmp_path / f"lineages.{kind}"
    assert morula("export", tiny_run / "run", "--format", kind, "--out", out).returncode == 0
    exported = tiny_run / "run" / "exports" / f"lineages.{kind}"
    both = [{"": path.read_bytes()} if path.is_file() else read_files(path) for path in (out, exported)]
    assert both[0] == both[1]
    refused = morula("export", tiny_run / "run", "--format", kind, "--out", out)
    assert refused.returncode == 1
    assert "exists already" in refused.stderr
    assert morula("export", tiny_run / "run", "--format", kind, "--out", out, "--overwrite").returncode == 0


# --- killed, and two at once -----------------------------------------------------------------------------------------


def test_a_run_is_seen_from_outside_guarded_and_resumed_in_the_middle_of_training(
    fresh: Path, start: Start, morula: Command, tiny_run: Path
) -> None:
    process = start(*arguments(fresh))
    checkpoint = fresh / "run" / "model" / "train-1-checkpoint.safetensors"
    wait_for(checkpoint.exists, process)
    os.kill(process.pid or 0, signal.SIGSTOP)  # so that it stays in the middle of training
    state = json.loads(morula("status", fresh / "run", "--json").stdout)
    assert state["running"] is True
    assert [(stage["name"], stage["state"]) for stage in state["stages"]] == [("drift", "done"), ("train-1", "running")]
    second = morula(*arguments(fresh))
    assert second.returncode == 1
    assert "StoreLockedError" in second.stderr
    assert f"process {process.pid} on " in second.stderr
    assert kill(process)
    state = json.loads(morula("status", fresh / "run", "--json").stdout)
    assert state["running"] is False
    assert state["stages"][1]["state"] == "interrupted"
    resumed = morula(*arguments(fresh))
    assert resumed.returncode == 0
    (goes_on,) = [line for line in resumed.stderr.splitlines() if line.startswith("training goes on at iteration")]
    assert 3 <= int(goes_on.split()[5]) < 40
    assert read_files(fresh / "run" / "exports") == read_files(tiny_run / "run" / "exports")


def kill_often(folder: Path, times: int, seed: int, start: Start, seconds: float) -> None:
    """Start the run of a folder over and over, killing it at random moments, until it was killed so many times."""
    rng = random.Random(seed)
    killed = 0
    while killed < times:
        process = start(*arguments(folder))
        process.join(timeout=rng.uniform(0.0, seconds))
        if kill(process):
            killed += 1
        else:
            assert process.exitcode == 0
            shutil.rmtree(folder / "run")  # it came to its end: from the beginning, until it was killed often enough


def time_run(folder: Path, start: Start) -> float:
    """Seconds that a run takes in a process of its own, here and now."""
    start("--version").join(PATIENCE_S)  # the first process waits for the imports
    began = time.monotonic()
    process = start(*arguments(folder))
    process.join(PATIENCE_S)
    assert process.exitcode == 0
    shutil.rmtree(folder / "run")
    return time.monotonic() - began


@pytest.mark.parametrize("times", [5, pytest.param(20, marks=pytest.mark.long)])
def test_a_run_killed_at_random_moments_ends_with_the_same_exports(
    fresh: Path, start: Start, morula: Command, tiny_run: Path, times: int
) -> None:
    kill_often(fresh, times, times, start, time_run(fresh, start))
    assert morula(*arguments(fresh)).returncode == 0
    exported = read_files(fresh / "run" / "exports")
    assert exported == read_files(tiny_run / "run" / "exports")
    assert {"lineages.csv", "evaluation.json"} <= exported.keys()
    assert morula("status", fresh / "run").stdout.count(" done, ") == len({"train-1", "detect-1", *STAGES})


def test_a_run_killed_after_its_training_ends_with_the_same_exports(
    tiny: Path, start: Start, morula: Command, tiny_run: Path
) -> None:
    detected = ["--set", "detect.threshold=0.2"]  # makes all but the training run again, then back to what it was
    rng = random.Random(7)
    for turn in range(3):
        process = start(*arguments(tiny, *(detected if turn % 2 == 0 else [])))
        process.join(timeout=rng.uniform(0.02, 0.6))
        kill(process)
    assert morula(*arguments(tiny)).returncode == 0
    assert read_files(tiny / "run" / "exports") == read_files(tiny_run / "run" / "exports")


def test_ctrl_c_ends_with_a_word_and_the_code_of_interrupted_programs(
    fresh: Path, processes: ForkServerContext
) -> None:
    out, err = fresh / "out.txt", fresh / "err.txt"
    endless = [*arguments(fresh), "--set", "train.iterations=100000"]
    process = processes.Process(target=_run_and_exit, args=(endless, str(out), str(err)))
    process.start()
    wait_for((fresh / "run" / "model" / "train-1-checkpoint.safetensors").exists, process)
    os.kill(process.pid or 0, signal.SIGINT)
    process.join(PATIENCE_S)
    assert process.exitcode == 130
    assert "the same command goes on from there" in err.read_text()
    assert "Traceback" not in err.read_text()
    assert out.read_text() == ""


def _run_and_exit(texts: list[str], out: str, err: str) -> None:
    import sys

    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore Ctrl-C
    with open(out, "w") as sys.stdout, open(err, "w") as sys.stderr:  # noqa: PTH123
        code = execute_command(texts)
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
    sys.exit(code)
