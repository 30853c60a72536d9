"""A run of a tiny embryo whose workers are two jobs of a queue."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

SETTINGS = [
    "detect.block_frames=1",
    "detect.block_megavoxels=0.2",
    "cluster.workers=2",
    "cluster.memory_gb=2",
    "cluster.longest_wait_h=0.02",
]


@dataclass(frozen=True)
class QueuedRun:
    """A run that was started; `jobs` is the folder for what its jobs print."""

    process: subprocess.Popen
    folder: Path
    jobs: Path

    def wait_for_worker(self) -> str:
        """Return the number of a job whose worker has reached the scheduler."""
        while self.process.poll() is None:
            for printed in self.jobs.glob("morula*"):
                if "Registered to" in printed.read_text():
                    return re.search(r"\d+", printed.name)[0]
            time.sleep(0.1)
        pytest.fail("the run was over before a worker began")

    def finish(self) -> str:
        """Wait until the run has ended well; return what it said."""
        code, said = self.process.wait(200), (self.folder / "said").read_text()
        assert code == 0, said
        return said

    def assert_same_files(self, other: Path) -> None:
        """Hold the exports against those of another run, byte for byte."""
        for name in ("lineages.csv", "evaluation.json"):
            ours, theirs = (place / "run" / "exports" / name for place in (self.folder, other))
            assert ours.read_bytes() == theirs.read_bytes(), name


@contextmanager
def run_on_queue(system: str, queue: str, embryo: Path, place: Path) -> Iterator[QueuedRun]:
    """Start a run on a copy of an embryo; it is killed at the end if it still runs."""
    folder, jobs = place / "tiny", place / "jobs"
    shutil.copytree(embryo, folder)
    settings = [*SETTINGS, f"cluster.system={system}", f"cluster.queue={queue}", f"cluster.folder={jobs}"]
    options = [f"--set={setting}" for setting in settings]
    command = [sys.executable, "-m", "morula", "run", folder / "run.toml", "--run-dir", folder / "run", *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    with (folder / "said").open("w") as said:
        process = subprocess.Popen([str(part) for part in command], stdout=said, stderr=said, env=environment)
    try:
        yield QueuedRun(process, folder, jobs)
    finally:
        process.kill()
        process.wait()
