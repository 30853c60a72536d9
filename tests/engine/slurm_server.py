"""A real Slurm of one machine: its own key, controller and node, in a folder of its own, while a test runs."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from dask_processes import free_port

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scancel", "squeue", "sinfo")

CONFIG = """
ClusterName=morula
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmctldPort={controller}
SlurmdPort={node}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
ReturnToService=2
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=8000 State=UNKNOWN
PartitionName=embryos Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def why_not() -> str | None:
    """Say what is missing for a Slurm of our own; None if nothing is."""
    missing = [name for name in PROGRAMS if _find(name) is None]
    if missing:
        return f"{missing[0]} is not installed (the Debian packages slurmctld, slurmd, slurm-client and munge)"
    return None if os.getuid() == 0 else "Slurm's node runs jobs as root only"


@contextmanager
def running_slurm() -> Iterator[Path]:
    """Start it and give its configuration, which `SLURM_CONF` has to name; ends it and what its jobs left."""
    with TemporaryDirectory(prefix="morula-slurm-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # munged refuses others, and pytest's own
        with _running_in(folder) as config:
            yield config


@contextmanager
def _running_in(folder: Path) -> Iterator[Path]:
    config, key = folder / "slurm.conf", folder / "munge.key"
    host = socket.gethostname().split(".")[0]
    config.write_text(CONFIG.format(host=host, controller=free_port(), node=free_port(), folder=folder))
    key.write_bytes(secrets.token_bytes(1024))
    key.chmod(0o400)
    (folder / "state").mkdir()
    (folder / "spool").mkdir()
    files = {"key-file": key, "socket": "munge.socket", "pid-file": "munge.pid", "seed-file": "munge.seed"}
    munge = ["--foreground", *(f"--{name}={folder / str(file)}" for name, file in files.items())]
    with ExitStack() as running:
        running.enter_context(_process(config, "munged", *munge))
        _wait_for(lambda: (folder / "munge.socket").exists())
        running.enter_context(_process(config, "slurmctld", "-D", "-c"))
        running.enter_context(_process(config, "slurmd", "-D"))
        _wait_for(lambda: "idle" in ask(config, "sinfo", "--noheader", "--format=%t"))
        yield config
        ask(config, "scancel", "--partition=embryos")
        _wait_for(lambda: not ask(config, "squeue", "--noheader"))


def ask(config: Path, *command: str) -> str:
    """Return what a command of Slurm prints."""
    environment = {**os.environ, "SLURM_CONF": str(config)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stdout


@contextmanager
def _process(config: Path, program: str, *options: str) -> Iterator[None]:
    environment = {**os.environ, "SLURM_CONF": str(config)}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([str(_find(program)), *options], env=environment, **quiet) as process:
        try:
            yield
        finally:
            process.terminate()


def _find(program: str) -> str | None:
    return shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin")


def _wait_for(condition: object, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("Slurm did not get as far in time")
        time.sleep(0.2)
