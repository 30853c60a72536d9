"""Parts of Dask in processes of their own, as somebody starts them who follows the docs."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(*arguments: str) -> Iterator[subprocess.Popen]:
    """Run a part of Dask in a process of its own, as the docs say; it must end when asked."""
    with subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_" + arguments[0], *arguments[1:]],
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_until_it_listens(address: str) -> None:
    host, port = address.split("://")[1].split(":")
    for _ in range(300):
        with suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
            return
        time.sleep(0.1)
    pytest.fail(f"no scheduler listens at {address}")


@contextmanager
def scheduler_at(address: str, *options: str) -> Iterator[subprocess.Popen]:
    protocol, _, port = address.split(":")
    where = ["--host", "127.0.0.1", "--port", port, "--protocol", protocol]
    with running("scheduler", *where, "--no-dashboard", *options) as process:
        wait_until_it_listens(address)
        yield process


@contextmanager
def worker_of(address: str, folder: Path, *options: str) -> Iterator[subprocess.Popen]:
    usual = ["--nthreads", "1", "--no-dashboard", "--no-nanny", "--local-directory", str(folder)]
    with running("worker", address, *usual, *options) as process:
        yield process
