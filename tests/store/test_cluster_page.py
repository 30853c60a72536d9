"""The page "On a cluster", followed to the letter: server, scheduler and worker, each in a process of its own."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from postgres_server import find_programs

Command = Callable[..., subprocess.CompletedProcess[str]]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "cluster.md"
AS_POSTGRES = ("initdb", "pg_ctl")


def _free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


class Reader:
    """Somebody who types what the page says, in a folder of their own; programs of the server not as root."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {"5433": _free_port(), "8786": _free_port()}
        programs, bin_folder = find_programs(), folder / "bin"
        bin_folder.mkdir()
        for name in (*AS_POSTGRES, "createdb"):
            other = "runuser -u postgres -- " if os.getuid() == 0 and name in AS_POSTGRES else ""
            (bin_folder / name).write_text(f'#!/bin/sh\nexec {other}{programs}/{name} "$@"\n')
            (bin_folder / name).chmod(0o755)
        path = os.pathsep.join([str(bin_folder), str(Path(sys.executable).parent), os.environ["PATH"]])
        self.environment = {**os.environ, "HOME": str(folder), "PATH": path, "OMP_NUM_THREADS": "1"}
        self.terminals: list[subprocess.Popen[bytes]] = []

    def type(self, block: str) -> None:
        for line in block.strip().splitlines():
            for written, free in self.ports.items():
                line = line.replace(written, free)
            if line.startswith("dask "):  # in a terminal of its own
                with (self.folder / "dask.log").open("ab") as log:
                    started = subprocess.Popen(
                        ["bash", "-c", f"exec {line}"], cwd=self.folder, env=self.environment, stdout=log, stderr=log
                    )
                self.terminals.append(started)
                time.sleep(1.0)
                continue
            done = subprocess.run(
                ["bash", "-c", line], cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"


@pytest.fixture
def reader() -> Iterator[Reader]:
    pytest.importorskip("psycopg", reason="psycopg is not installed (the extra `cluster`)")
    if find_programs() is None:
        pytest.skip("PostgreSQL is not installed (the Debian package `postgresql`)")
    folder = Path("/tmp") / f"morula-cluster-{os.getpid()}"
    folder.mkdir()
    folder.chmod(0o777)
    reading = Reader(folder)
    yield reading
    for terminal in reading.terminals:
        terminal.send_signal(signal.SIGTERM)
        terminal.wait(60)
    if (folder / "pgdata" / "postmaster.pid").exists():
        reading.type("pg_ctl --pgdata pgdata stop --mode fast")
    shutil.rmtree(folder)


@pytest.mark.long
def test_the_page_on_a_cluster_can_be_followed_to_the_letter(reader: Reader, tiny_embryo: Path, tiny_run: Path) -> None:
    shutil.copytree(tiny_embryo / "embryo", reader.folder / "embryo")
    shutil.copy(tiny_embryo / "run.toml", reader.folder)
    page = PAGE.read_text(encoding="utf-8").split("## The database")[1]  # what is before and after has tests of its own
    page = page.split("## Workers from a queue")[0]
    shown = re.findall(r"^```console\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert len(shown) == 6
    for block in shown:
        reader.type(block)
    run = reader.folder / "runs" / "first"
    assert not (run / "store.sqlite").exists()
    for name in ("lineages.csv", "evaluation.json"):
        assert (run / "exports" / name).read_bytes() == (tiny_run / "run" / "exports" / name).read_bytes()
    assert (reader.folder / "lineages.csv").read_bytes() == (run / "exports" / "lineages.csv").read_bytes()
    assert (reader.folder / ".pgpass").read_text().count(":morula:") == 1
