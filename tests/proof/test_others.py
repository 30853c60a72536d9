"""Others who work on the same run at the same time: a second morula, and a program that locks the store."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from processes import Running
from traces import read_results, read_tables

pytestmark = pytest.mark.long

StartRun = Callable[..., Running]


def test_of_four_runs_started_at_once_one_works_and_the_others_name_it(
    fresh: Path, undisturbed: Path, start_run: StartRun
) -> None:
    runs = [start_run(fresh) for _ in range(4)]
    codes = [run.wait_for_end() for run in runs]
    assert sorted(codes) == [0, 1, 1, 1], "\n".join(run.said for run in runs)
    winner = runs[codes.index(0)]
    for run in runs:
        if run is not winner:
            assert "StoreLockedError: " in run.said
            assert "another morula is working in this run directory" in run.said
            assert f"process {winner.pid} on " in run.said
            assert "Traceback" not in run.said
    assert read_results(fresh / "run") == read_results(undisturbed / "run")
    assert read_tables(fresh / "run") == read_tables(undisturbed / "run")


def test_a_store_locked_in_the_middle_of_a_run_is_named_and_the_run_goes_on_later(
    fresh: Path, undisturbed: Path, start_run: StartRun
) -> None:
    run = start_run(fresh)
    run.wait_for_words("detect begins")
    other = sqlite3.connect(fresh / "run" / "store.sqlite", isolation_level=None, timeout=60)
    other.execute("BEGIN EXCLUSIVE")
    began = time.monotonic()
    assert run.wait_for_end() == 1, run.said
    assert time.monotonic() - began < 100
    other.close()
    assert "StoreLockedError: " in run.said
    assert f"{fresh}/run/store.sqlite: another program keeps the store locked" in run.said
    assert "close the other program and run again" in run.said
    assert "Traceback" not in run.said
    again = start_run(fresh)
    assert again.wait_for_end() == 0, again.said
    assert read_results(fresh / "run") == read_results(undisturbed / "run")


def test_a_store_locked_for_a_few_seconds_is_waited_for(fresh: Path, undisturbed: Path, start_run: StartRun) -> None:
    run = start_run(fresh)
    model = fresh / "run" / "model"
    run.wait_for((model / "train-1-checkpoint.safetensors").exists, "be in the middle of training")
    other = sqlite3.connect(fresh / "run" / "store.sqlite", isolation_level=None, timeout=60)
    other.execute("BEGIN EXCLUSIVE")
    run.wait_for((model / "train-1-history.json").exists, "end its training")  # now it wants to write that it is done
    time.sleep(3.0)
    assert run.alive, run.said
    other.close()
    assert run.wait_for_end() == 0, run.said
    assert read_results(fresh / "run") == read_results(undisturbed / "run")
