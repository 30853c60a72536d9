"""Commands of morula and parts of Dask, each in a process of its own, that can be waited for, killed and read.

The processes are forked from one that has imported torch and Dask, which saves seconds each; otherwise they are what a
shell would start. Whatever is waited for is waited for with a limit: a hang is a failure, not a test that never ends.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

import pytest

PATIENCE_S = 120.0
KILLS = int(os.environ.get("MORULA_KILLS", "10"))
"""How many runs are killed."""
THOROUGH = KILLS >= 50
"""Whether everything is tried, also what is nearly the same as something else."""
BLOCKS = [
    "--set=detect.block_frames=1",
    "--set=detect.block_megavoxels=0.2",
    "--set=solve.block_frames=2",
    "--set=solve.context_frames=2",
]
"""Settings with which detection and solver have several blocks."""
_PRELOADED = [
    "processes",
    "distributed.cli.dask_scheduler",
    "distributed.cli.dask_worker",
    "morula.cli.app",
    "morula.engine.dask_engine",
    "morula.io.movies.ome_zarr_read",
    "morula.io.tracks.files",
    "morula.pipeline",
    "morula.store.postgres",
]


def make_context() -> ForkServerContext:
    """Return what starts the processes."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    return context


def _wait_until(condition: Callable[[], bool], what: str, *, patience_s: float = PATIENCE_S) -> None:
    """Wait for a condition; it has to hold within `patience_s`."""
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {patience_s:g} s"
        time.sleep(0.004)


class Running:
    """A process whose words (stdout and stderr, also those of libraries) go to a file."""

    def __init__(self, process: ForkServerProcess, file: Path) -> None:
        self._process, self._file = process, file
        process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def said(self) -> str:
        """Everything it has said so far."""
        return self._file.read_text(errors="replace") if self._file.exists() else ""

    @property
    def alive(self) -> bool:
        return self._process.is_alive()

    def wait_for(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until it has done something; it may not end before."""

        def holds() -> bool:
            ended = not self.alive
            return condition() or (ended and pytest.fail(f"it ended before it could {what}:\n{self.said}"))

        _wait_until(holds, f"{self._file.name} to {what}")

    def wait_for_words(self, words: str) -> None:
        """Wait until it has said something."""
        self.wait_for(lambda: words in self.said, f"say {words!r}")

    def wait_for_end(self) -> int:
        """Wait for its end and return its exit code."""
        self._process.join(PATIENCE_S)
        assert not self.alive, f"{self._file.name} still runs after {PATIENCE_S:g} s:\n{self.said}"
        assert self._process.exitcode is not None
        return self._process.exitcode

    def kill(self) -> bool:
        """End it without warning; true if it was still at work."""
        with suppress(ProcessLookupError):  # it has just ended by itself
            if self.alive:
                os.kill(self.pid, signal.SIGKILL)
        return self.wait_for_end() == -signal.SIGKILL


def run_morula(arguments: list[str], said: str, environment: Mapping[str, str]) -> None:
    """Be the command `morula`: what a process started by `Running` does."""
    _speak_into(said)
    os.environ.update(environment)
    from morula.cli.app import main

    main(arguments)


def run_dask(part: str, arguments: list[str], said: str) -> None:
    """Be the command `dask scheduler` or `dask worker`."""
    _speak_into(said)
    if part == "scheduler":
        from distributed.cli.dask_scheduler import main
    else:
        from distributed.cli.dask_worker import main
    main(arguments)


def _speak_into(said: str) -> None:
    descriptor = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (sys.stdout.fileno(), sys.stderr.fileno()):
        os.dup2(descriptor, stream)
    os.close(descriptor)


class DaskCluster:
    """A scheduler and two workers; those that were killed, or went with the scheduler, are started anew."""

    def __init__(self, context: ForkServerContext, folder: Path) -> None:
        self._context, self._folder, self._started = context, folder, 0
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = str(probe.getsockname()[1])
        self.scheduler: Running | None = None
        self.workers: list[Running] = []

    @property
    def address(self) -> str:
        return f"tcp://127.0.0.1:{self._port}"

    @property
    def said(self) -> str:
        """What all its processes have said, the dead ones too."""
        return "".join(path.read_text(errors="replace") for path in self._folder.glob("*.log"))

    def restore(self) -> None:
        """Start what does not run."""
        if self.scheduler is None or not self.scheduler.alive:
            for worker in self.workers:  # they would end by themselves, some time
                worker.kill()
            self.scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", self._port)
            self.scheduler.wait_for_words("Scheduler at:")
        self.workers = [worker for worker in self.workers if worker.alive]
        while len(self.workers) < 2:
            folder = str(self._folder / "scratch")
            self.workers.append(
                self._start("worker", self.address, "--nthreads", "1", "--no-nanny", "--local-directory", folder)
            )
        for worker in self.workers:
            worker.wait_for_words("Registered to:")

    def close(self) -> None:
        for process in (*self.workers, self.scheduler):
            if process is not None:
                process.kill()

    def _start(self, part: str, *arguments: str) -> Running:
        self._started += 1
        file = self._folder / f"{part}-{self._started}.log"
        process = self._context.Process(target=run_dask, args=(part, [*arguments, "--no-dashboard"], str(file)))
        return Running(process, file)
