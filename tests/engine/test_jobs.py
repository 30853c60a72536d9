"""What dask-jobqueue would send to each queue, read from the script itself; nothing is sent."""

from __future__ import annotations

import shlex
import socket
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from morula.engine.jobs import format_walltime
from morula.engine.params import ClusterParams
from morula.engine.queues import make_cluster

pytest.importorskip("dask_jobqueue", reason="dask-jobqueue is not installed (the extra `cluster`)")
pytest.importorskip("cryptography", reason="cryptography is not installed (the extra `cluster`)")

FULL = {
    "memory_gb": 12.0,
    "gpu": True,
    "queue": "long",
    "account": "embryos",
    "walltime_h": 30.5,
    "prologue": ("module load cuda", "export LC_ALL=C"),
}
HEADS = {
    "slurm": [
        "#SBATCH -J morula",
        "#SBATCH -p long",
        "#SBATCH -A embryos",
        "#SBATCH --cpus-per-task=4",
        "#SBATCH --mem=12G",
        "#SBATCH -t 30:30:00",
        "#SBATCH --gres=gpu:1",
        "#SBATCH --one-more",
    ],
    "lsf": [
        "#BSUB -J morula",
        "#BSUB -q long",
        '#BSUB -P "embryos"',
        "#BSUB -n 4",
        '#BSUB -R "span[hosts=1]"',
        "#BSUB -M 12000000",
        "#BSUB -W 30:30",
        '#BSUB -gpu "num=1"',
        "#BSUB --one-more",
    ],
    "pbs": [
        "#PBS -N morula",
        "#PBS -q long",
        "#PBS -A embryos",
        "#PBS -l select=1:ncpus=4:mem=11445mb:ngpus=1",
        "#PBS -l walltime=30:30:00",
        "#PBS --one-more",
    ],
    "sge": [
        "#$ -N morula",
        "#$ -q long",
        "#$ -P embryos",
        "#$ -l h_rt=30:30:00",
        "#$ -l gpu=1",
        "#$ -pe smp 4",
        "#$ --one-more",
    ],
}


def write_script(folder: Path, **settings: object) -> list[str]:
    with make_cluster(ClusterParams(**settings, folder=str(folder))) as cluster:
        return cluster.job_script().splitlines()


@pytest.mark.parametrize("system", HEADS)
def test_every_queue_is_told_everything_in_its_own_words(system: str, tmp_path: Path) -> None:
    directives = ("-pe smp 4", "--one-more") if system == "sge" else ("--one-more",)
    script = write_script(tmp_path, system=system, threads=4, directives=directives, **FULL)
    assert [line for line in HEADS[system] if line not in script] == []
    prologue = script.index("module load cuda")
    assert script[prologue + 1] == "export LC_ALL=C"
    assert script[prologue + 2].startswith(sys.executable)


@pytest.mark.parametrize("system", HEADS)
def test_nothing_is_told_that_was_not_asked_for(system: str, tmp_path: Path) -> None:
    script = write_script(tmp_path, system=system)
    head = "\n".join(line for line in script if line.startswith("#"))
    for word in ("gpu", " -q ", " -p ", " -A ", " -P "):
        assert word not in head
    assert "--resources" not in shlex.split(script[-1])


def test_a_worker_computes_one_block_and_says_what_it_has(tmp_path: Path) -> None:
    script = write_script(tmp_path, system="slurm", threads=4, **FULL)
    command = shlex.split(script[-1])
    options = dict(pairwise(command))
    assert command[:3] == [sys.executable, "-m", "distributed.cli.dask_worker"]
    assert options["--nthreads"] == "1"
    assert options["--memory-limit"] == "11.18GiB"
    assert options["--resources"] == "GPU=1"


def test_keys_are_named_in_the_script_and_readable_by_their_owner_only(tmp_path: Path) -> None:
    with make_cluster(ClusterParams(system="slurm", folder=str(tmp_path))) as cluster:
        command = shlex.split(cluster.job_script().splitlines()[-1])
        options = dict(pairwise(command))
        keys = [Path(options[f"--tls-{name}"]) for name in ("key", "cert", "ca-file")]
        assert cluster.scheduler_address.startswith("tls://")
        assert {key.parent.parent for key in keys} == {tmp_path}
        assert {key.parent.stat().st_mode & 0o77 for key in keys} == {0}
        assert "PRIVATE KEY" in keys[0].read_text()
    assert list(tmp_path.iterdir()) == []


def test_the_dashboard_is_reached_from_this_machine_only(tmp_path: Path) -> None:
    pytest.importorskip("bokeh", reason="bokeh is not installed (the extra `cluster`)")
    with make_cluster(ClusterParams(system="slurm", folder=str(tmp_path))) as cluster:
        port = cluster.scheduler_info["services"]["dashboard"]
        host, scheduler_port = cluster.scheduler_address.removeprefix("tls://").rsplit(":", 1)
        if host == "127.0.0.1":
            pytest.skip("this machine is in no network")
        for where in (("127.0.0.1", port), (host, int(scheduler_port))):
            socket.create_connection(where, timeout=5).close()
        with pytest.raises(ConnectionRefusedError, match="refused"):
            socket.create_connection((host, port), timeout=5)


@pytest.mark.parametrize(
    ("system", "hours", "written"),
    [("slurm", 0.5, "00:30:00"), ("pbs", 100.0, "100:00:00"), ("sge", 1.25, "01:15:00"), ("lsf", 36.0, "36:00")],
)
def test_time_limits_are_written_as_the_queue_reads_them(system: str, hours: float, written: str) -> None:
    assert format_walltime(ClusterParams(system=system, walltime_h=hours)) == written
