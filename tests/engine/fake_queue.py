"""A stand-in for Slurm where there is none: its two commands, which start a job's script at once as a process of this
machine, or end it. It has no limits, no accounts and no other machines; `test_slurm` runs with the real one.
"""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

SBATCH = """#!/bin/sh
cp "$1" {folder}/job-$$.sh
setsid bash {folder}/job-$$.sh > {folder}/job-$$.txt 2>&1 &
echo $! >> {folder}/jobs
echo "Submitted batch job $!"
"""
SCANCEL = """#!/bin/sh
echo "$1" >> {folder}/cancelled
kill -TERM -- "-$1"
"""


class FakeQueue:
    """The commands in a folder of their own, at the front of PATH, and what was asked of them."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.answer_with("sbatch", SBATCH.format(folder=folder))
        self.answer_with("scancel", SCANCEL.format(folder=folder))
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def answer_with(self, command: str, script: str) -> None:
        (self.folder / command).write_text(script)
        (self.folder / command).chmod(0o755)

    def read_jobs(self, file: str = "jobs") -> list[int]:
        path = self.folder / file
        return [int(line) for line in path.read_text().split()] if path.exists() else []

    def find_running(self) -> list[psutil.Process]:
        """Return the processes of all jobs that have not ended."""
        running = []
        for number in self.read_jobs():
            if psutil.pid_exists(number):
                leader = psutil.Process(number)
                running += [leader, *leader.children(recursive=True)]
        return [process for process in running if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
