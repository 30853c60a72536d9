"""A run whose workers are jobs of a Grid Engine that is there: this test installs and starts none.

Skipped where `qconf` reaches no Grid Engine; `MORULA_TEST_QUEUE` names the queue, by default `embryos`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from queued_run import run_on_queue

pytest.importorskip("dask_jobqueue", reason="dask-jobqueue is not installed (the extra `cluster`)")
pytest.importorskip("cryptography", reason="cryptography is not installed (the extra `cluster`)")


def reaches_grid_engine() -> bool:
    if not ("SGE_ROOT" in os.environ and shutil.which("qconf")):
        return False
    return subprocess.run(["qconf", "-sql"], capture_output=True).returncode == 0


@pytest.mark.long
@pytest.mark.skipif(not reaches_grid_engine(), reason="no Grid Engine answers here (SGE_ROOT, qconf)")
def test_a_run_on_grid_engine_goes_on_when_a_job_is_deleted_and_ends_with_the_same_files(
    tiny_embryo: Path, tiny_run: Path, tmp_path: Path
) -> None:
    with run_on_queue("sge", os.environ.get("MORULA_TEST_QUEUE", "embryos"), tiny_embryo, tmp_path) as run:
        subprocess.run(["qdel", run.wait_for_worker()], check=True, capture_output=True)
        said = run.finish()
    assert "2 jobs of sge asked for" in said
    left = subprocess.run(["qstat"], check=True, capture_output=True, text=True).stdout
    assert left == "", "jobs were left behind"
    run.assert_same_files(tiny_run)
