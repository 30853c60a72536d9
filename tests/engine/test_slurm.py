"""A run whose workers are jobs of a real Slurm, on this machine alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from slurm_server import ask, running_slurm, why_not

pytest.importorskip("dask_jobqueue", reason="dask-jobqueue is not installed (the extra `cluster`)")
pytest.importorskip("cryptography", reason="cryptography is not installed (the extra `cluster`)")

SETTINGS = [
    "detect.block_frames=1",
    "detect.block_megavoxels=0.2",
    "cluster.system=slurm",
    "cluster.workers=2",
    "cluster.queue=embryos",
    "cluster.memory_gb=2",
    "cluster.longest_wait_h=0.02",
]


@pytest.fixture
def slurm(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    missing = why_not()
    if missing:
        pytest.skip(missing)
    with running_slurm() as config:
        monkeypatch.setenv("SLURM_CONF", str(config))
        yield config


def wait_for_worker(jobs: Path, process: subprocess.Popen) -> str:
    """Return the number of a job whose worker has reached the scheduler."""
    while process.poll() is None:
        for printed in jobs.glob("morula-*.err"):
            if "Registered to" in printed.read_text():
                return printed.stem.removeprefix("morula-")
        time.sleep(0.1)
    pytest.fail("the run was over before a worker began")


@pytest.mark.long
def test_a_run_on_slurm_goes_on_when_a_job_is_cancelled_and_ends_with_the_same_files(
    slurm: Path, tiny_embryo: Path, tiny_run: Path, tmp_path: Path
) -> None:
    here = tmp_path / "tiny"
    shutil.copytree(tiny_embryo, here)
    options = [f"--set={setting}" for setting in [*SETTINGS, f"cluster.folder={tmp_path / 'jobs'}"]]
    command = [sys.executable, "-m", "morula", "run", here / "run.toml", "--run-dir", here / "run", *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    with (tmp_path / "said").open("w") as said:
        process = subprocess.Popen([str(part) for part in command], stdout=said, stderr=said, env=environment)
    cancelled = wait_for_worker(tmp_path / "jobs", process)
    ask(slurm, "scancel", cancelled)
    assert process.wait(200) == 0, (tmp_path / "said").read_text()
    said = (tmp_path / "said").read_text()
    assert "2 jobs of slurm asked for" in said
    assert ask(slurm, "squeue", "--noheader", "--states=R,PD") == "", "jobs were left behind"
    assert "CANCELLED" in (tmp_path / "jobs" / f"morula-{cancelled}.err").read_text()
    for name in ("lineages.csv", "evaluation.json"):
        assert (here / "run" / "exports" / name).read_bytes() == (tiny_run / "run" / "exports" / name).read_bytes()
