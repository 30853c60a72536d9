"""A run whose workers are jobs of a Grid Engine that is there: this test installs and starts none.

Skipped where `qsub` reaches no Grid Engine; `MORULA_TEST_QUEUE` names the queue, by default `embryos`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("dask_jobqueue", reason="dask-jobqueue is not installed (the extra `cluster`)")
pytest.importorskip("cryptography", reason="cryptography is not installed (the extra `cluster`)")

SETTINGS = [
    "detect.block_frames=1",
    "detect.block_megavoxels=0.2",
    "cluster.system=sge",
    "cluster.workers=2",
    f"cluster.queue={os.environ.get('MORULA_TEST_QUEUE', 'embryos')}",
    "cluster.memory_gb=2",
    "cluster.longest_wait_h=0.02",
]


def reaches_grid_engine() -> bool:
    if not ("SGE_ROOT" in os.environ and shutil.which("qconf")):
        return False
    return subprocess.run(["qconf", "-sql"], capture_output=True).returncode == 0


def wait_for_job(process: subprocess.Popen, jobs: Path) -> str:
    """Return the number of a job whose worker has reached the scheduler."""
    while process.poll() is None:
        for printed in jobs.glob("*"):
            if printed.is_file() and "Registered to" in printed.read_text():
                return printed.suffix.removeprefix(".o")
        time.sleep(0.1)
    pytest.fail("the run was over before a worker began")


@pytest.mark.long
@pytest.mark.skipif(not reaches_grid_engine(), reason="no Grid Engine answers here (SGE_ROOT, qconf)")
def test_a_run_on_grid_engine_goes_on_when_a_job_is_deleted_and_ends_with_the_same_files(
    tiny_embryo: Path, tiny_run: Path, tmp_path: Path
) -> None:
    here, jobs = tmp_path / "tiny", tmp_path / "jobs"
    shutil.copytree(tiny_embryo, here)
    options = [f"--set={setting}" for setting in [*SETTINGS, f"cluster.folder={jobs}"]]
    command = [sys.executable, "-m", "morula", "run", here / "run.toml", "--run-dir", here / "run", *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    with (tmp_path / "said").open("w") as said:
        process = subprocess.Popen([str(part) for part in command], stdout=said, stderr=said, env=environment)
    try:
        deleted = wait_for_job(process, jobs)
        subprocess.run(["qdel", deleted], check=True, capture_output=True)
        assert process.wait(200) == 0, (tmp_path / "said").read_text()
    finally:
        process.kill()
    assert "2 jobs of sge asked for" in (tmp_path / "said").read_text()
    left = subprocess.run(["qstat"], check=True, capture_output=True, text=True).stdout
    assert left == "", "jobs were left behind"
    for name in ("lineages.csv", "evaluation.json"):
        assert (here / "run" / "exports" / name).read_bytes() == (tiny_run / "run" / "exports" / name).read_bytes()
