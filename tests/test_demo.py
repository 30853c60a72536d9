"""The promise of the README: the demo embryo is tracked well, and it is not trivial."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import morula.demo
from morula.config import read_config


@pytest.mark.long
def test_the_demo_keeps_its_bounds_on_cells_nobody_annotated(tmp_path):
    command = [sys.executable, "-m", "morula", "demo", "--out", str(tmp_path), "--seed", "0", "--json"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment).stdout
    result = json.loads(printed)
    ours, baseline = (next(iter(result[who].values())) for who in ("morula", "baseline"))
    assert ours["node_recall"] >= 0.95
    assert ours["node_precision"] >= 0.95
    assert ours["fn_edges_per_edge"] <= 0.05
    assert ours["error_free_fraction"][9] >= 0.85
    assert baseline["error_free_fraction"][9] <= 0.90
    assert baseline["division_tp"] == 0
    assert (tmp_path / "run" / "report.html").stat().st_size > 1_000_000


def test_what_a_killed_demo_left_is_made_anew_and_its_configuration_runs_from_anywhere(
    tmp_path, tiny_embryo, monkeypatch
):
    runs = []

    def copy_embryo(request, out, *, overwrite, progress):
        assert overwrite
        shutil.copytree(tiny_embryo / "embryo", out, dirs_exist_ok=True)

    monkeypatch.setattr(morula.demo, "write_synthetic", copy_embryo)
    monkeypatch.setattr(morula.demo, "run_pipeline", lambda config, run_dir, **_: runs.append((config, run_dir)))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out" / "embryo-3" / "movie.ome.zarr").mkdir(parents=True)  # killed while it rendered
    morula.demo.run_demo(Path("out"), seed=3)
    ((config, run_dir),) = runs
    assert run_dir == Path("out/run")
    monkeypatch.chdir("/")
    assert read_config(tmp_path / "out" / "run.toml") == config
    assert config.annotations.truth == str(tmp_path / "out" / "embryo-3" / "truth.csv")
    assert "# Measured: " in (tmp_path / "out" / "run.toml").read_text()
