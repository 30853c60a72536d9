"""How the job of one worker is written down for each queue. Asks nobody for anything."""

from __future__ import annotations

from typing import Any

from morula.engine.gpus import RESOURCE
from morula.engine.params import ClusterParams, QueueSystem

_CARD = {"slurm": "--gres=gpu:1", "lsf": '-gpu "num=1"', "sge": "-l gpu=1"}  # PBS has it among the resources
_BYTES_PER_GB = 1e9


def find_class(system: QueueSystem) -> Any:
    """Return the class of dask-jobqueue for a queue."""
    import dask_jobqueue  # an extra; writes its configuration file when imported

    return getattr(dask_jobqueue, f"{system.upper()}Cluster")


def describe_job(params: ClusterParams) -> dict[str, Any]:
    """Return the arguments of dask-jobqueue for jobs of one worker with one block at a time."""
    n_bytes = round(params.memory_gb * _BYTES_PER_GB)
    card = [_CARD[params.system]] if params.gpu and params.system in _CARD else []
    offers = ["--resources", f"{RESOURCE}=1"] if params.gpu else []
    return {
        "cores": 1,  # threads of the worker, each of which would compute a block
        "processes": 1,
        "memory": f"{n_bytes}B",
        "queue": params.queue,
        "walltime": format_walltime(params),
        "job_name": "morula",
        "job_extra_directives": [*card, *params.directives],
        "job_script_prologue": list(params.prologue),
        "worker_extra_args": ["--no-dashboard", *offers],
        ("project" if params.system in ("lsf", "sge") else "account"): params.account,
        **_count_cores(params, n_bytes),
    }


def format_walltime(params: ClusterParams) -> str:
    """Return the time limit as the queue writes it: hours:minutes for LSF, with seconds for the others."""
    minutes = max(round(60 * params.walltime_h), 1)
    text = f"{minutes // 60:02d}:{minutes % 60:02d}"
    return text if params.system == "lsf" else f"{text}:00"


def _count_cores(params: ClusterParams, n_bytes: int) -> dict[str, Any]:
    if params.system == "slurm":
        return {"job_cpu": params.threads}
    if params.system == "lsf":
        return {"ncpus": params.threads}
    if params.system == "pbs":
        card = ":ngpus=1" if params.gpu else ""
        return {"resource_spec": f"select=1:ncpus={params.threads}:mem={-(-n_bytes // 2**20)}mb{card}"}
    return {}  # what SGE calls cores and memory differs from place to place: directives say it
