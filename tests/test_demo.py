"""The promise of the README: the demo embryo is tracked well, and it is not trivial."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest


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
