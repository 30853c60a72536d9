"""A PostgreSQL server of our own for tests and benchmarks: made, started, killed and started again."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

import psutil

PASSWORD = "cave canem/7"
"""Of the superuser ``postgres`` over the network; none is asked for on the socket."""


def find_programs() -> Path | None:
    """Return the folder of the server's programs, where Debian puts it or on the path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).resolve().parent if on_path else None


class PostgresServer:
    """A server with its data in a new folder under /tmp, on a free port of 127.0.0.1 and a socket in that folder.

    It refuses to run as root, so there it runs as the user ``postgres``, which the Debian package makes.
    """

    def __init__(self, *settings: str) -> None:
        programs = find_programs()
        assert programs is not None, "PostgreSQL is not installed"
        self._programs, self._settings = programs, settings
        self._who = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}
        self.folder = Path(tempfile.mkdtemp(prefix="morula-pg-", dir="/tmp"))
        if self._who:
            shutil.chown(self.folder, "postgres", "postgres")
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        (self.folder / "password").write_text(PASSWORD)
        made = ["initdb", "-D", "data", "-U", "postgres", "--encoding=UTF8", "--locale=C", "--no-sync"]
        self._call(*made, "--auth-local=trust", "--auth-host=scram-sha-256", "--pwfile=password")

    @property
    def url(self) -> str:
        """Address by way of the socket, without a password."""
        return f"postgresql://postgres@/postgres?host={self.folder}&port={self.port}"

    def network_url(self, password: str = PASSWORD) -> str:
        """Address by way of the network, with a password."""
        quoted = password.replace("/", "%2F").replace(" ", "%20").replace("@", "%40")
        return f"postgresql://postgres:{quoted}@127.0.0.1:{self.port}/postgres"

    def start(self) -> Self:
        """Start the server and wait until it answers."""
        command = [str(self._programs / "postgres"), "-D", "data", "-k", str(self.folder), "-p", str(self.port)]
        command += ["-c", "listen_addresses=127.0.0.1", *(part for text in self._settings for part in ("-c", text))]
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:  # what was killed may still hold its memory
                with (self.folder / "log").open("ab") as log:
                    self._process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log, **self._who)
            if self._call("pg_isready", "-h", str(self.folder), "-p", str(self.port), "-q", check=False) == 0:
                return self
            time.sleep(0.1)
        raise TimeoutError((self.folder / "log").read_text())

    def count_cpu_s(self) -> float:
        """Return the CPU seconds of all the server's processes so far, those that ended included."""
        assert self._process is not None
        master = psutil.Process(self._process.pid)
        times = [process.cpu_times() for process in master.children(recursive=True)]
        own = master.cpu_times()
        return sum(one.user + one.system for one in (own, *times)) + own.children_user + own.children_system

    def kill(self) -> None:
        """End the server and all its processes as a power cut would."""
        assert self._process is not None
        master = psutil.Process(self._process.pid)
        for process in (master, *master.children(recursive=True)):
            process.send_signal(signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        """End the server and remove its data."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)  # "fast": connections are ended
            self._process.wait(60)
        shutil.rmtree(self.folder)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _call(self, program: str, *arguments: str, check: bool = True) -> int:
        command = [str(self._programs / program), *arguments]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, **self._who, check=False)
        assert not check or done.returncode == 0, done.stderr
        return done.returncode
