"""Runs whose blocks are computed by worker processes: the same results, byte for byte, however many there are."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import psutil
import pytest

SETTINGS = [
    "tune.method='grid'",
    "tune.break_even_scores=[0.05, 0.1]",
    "tune.start_costs=[6.0, 12.0]",
    "solve.block_frames=2",
    "solve.context_frames=2",
    "detect.threshold=0.09",  # other blocks alone detect nothing anew
    "detect.block_frames=1",
    "detect.block_megavoxels=0.2",
]
OPTIONS = [f"--set={setting}" for setting in SETTINGS]


def read_exports(run: Path) -> dict[str, bytes]:
    exports = run / "exports"
    return {str(path.relative_to(exports)): path.read_bytes() for path in sorted(exports.rglob("*")) if path.is_file()}


def count_blocks(run: Path, morula) -> dict[str, int]:
    stages = json.loads(morula("status", run, "--json").stdout)["stages"]
    return {stage["name"]: stage["blocks_total"] for stage in stages if stage["blocks_total"]}


def test_two_workers_leave_the_same_files_as_none(tiny: Path, tmp_path: Path, morula) -> None:
    other = tmp_path / "other"
    shutil.copytree(tiny, other)
    alone = morula("run", tiny / "run.toml", "--run-dir", tiny / "run", *OPTIONS)
    assert alone.returncode == 0, alone.stderr
    together = morula("run", other / "run.toml", "--run-dir", other / "run", "--workers", 2, *OPTIONS)
    assert together.returncode == 0, together.stderr
    assert "2 workers on this machine" in together.stderr
    blocks = count_blocks(other / "run", morula)
    assert min(blocks["detect"], blocks["tune"]) >= 6
    assert blocks["solve"] == 3
    assert read_exports(tiny / "run") == read_exports(other / "run")


def test_a_run_whose_workers_and_self_are_killed_ends_the_same(tiny: Path, tmp_path: Path, morula) -> None:
    """A worker is killed first, then the run itself, with which its workers go; then it is run again."""
    other = tmp_path / "other"
    shutil.copytree(tiny, other)
    whole = morula("run", tiny / "run.toml", "--run-dir", tiny / "run", *OPTIONS)
    assert whole.returncode == 0, whole.stderr
    command = [sys.executable, "-m", "morula", "run", other / "run.toml", "--run-dir", other / "run", "--workers", 2]
    with subprocess.Popen(
        [str(part) for part in [*command, *OPTIONS]],
        stderr=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        text=True,
    ) as process:
        for line in process.stderr:
            if "workers on this machine" in line:
                break
        else:
            pytest.fail("the run ended without workers")
        workers = [child for child in psutil.Process(process.pid).children(recursive=True) if is_worker(child)]
        assert len(workers) == 2
        workers[0].send_signal(signal.SIGKILL)
        time.sleep(0.3)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL, "the run was over before it was killed"
    again = morula("run", other / "run.toml", "--run-dir", other / "run", *OPTIONS)
    assert again.returncode == 0, again.stderr
    assert read_exports(tiny / "run") == read_exports(other / "run")
    assert wait_until_gone(workers)


def test_failed_blocks_are_listed_and_the_next_run_computes_only_those(tiny: Path, morula) -> None:
    until_detect = ["detect", tiny / "run.toml", "--run-dir", tiny / "other", "--workers", 2]
    options = [*OPTIONS, "--set=train.second_iterations=0"]
    trained = morula("train", tiny / "run.toml", "--run-dir", tiny / "other", *options)
    assert trained.returncode == 0, trained.stderr
    (broken,) = (path for path in (tiny / "embryo").rglob("c/5/**/*") if path.is_file())
    kept = broken.read_bytes()
    broken.write_bytes(kept[:40])
    failed = morula(*until_detect, *options)
    assert failed.returncode == 3, failed.stderr
    counted = count_failures(tiny / "other")
    total = count_blocks(tiny / "other", morula)["detect"]
    assert f"BlocksFailedError: detect: {len(counted)} of {total} blocks failed, 0 were not run" in failed.stderr
    assert 0 < len(counted) < total
    assert all(name in failed.stderr for name, _ in counted)
    assert {attempts for _, attempts in counted} == {2}
    broken.write_bytes(kept)
    again = morula(*until_detect, *options)
    assert again.returncode == 0, again.stderr
    assert f"detect goes on where it stopped: {total - len(counted)} of {total} blocks are done" in again.stderr
    assert count_failures(tiny / "other") == []


def count_failures(run: Path) -> list[tuple[str, int]]:
    with closing(sqlite3.connect(run / "store.sqlite")) as store:
        return store.execute("SELECT name, attempts FROM blocks WHERE state = 'failed'").fetchall()


def is_worker(process: psutil.Process) -> bool:
    try:
        return "spawn_main" in " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return False


def wait_until_gone(workers: list[psutil.Process]) -> bool:
    _, alive = psutil.wait_procs(workers, timeout=60)
    return not [process for process in alive if is_at_work(process)]


def is_at_work(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:  # it has ended since
        return False


def test_a_scheduler_that_does_not_answer_is_refused_before_anything_is_changed(tiny: Path, morula) -> None:
    before = read_exports(tiny / "run")
    done = morula("run", tiny / "run.toml", "--run-dir", tiny / "run", "--scheduler", "tcp://127.0.0.1:1", *OPTIONS)
    assert done.returncode == 1
    assert "no Dask scheduler answers at tcp://127.0.0.1:1" in done.stderr
    assert read_exports(tiny / "run") == before
