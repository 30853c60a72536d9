"""The settings of a cluster's queue."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from morula.errors import ConfigError

QueueSystem = Literal["none", "slurm", "lsf", "sge", "pbs"]


@dataclass(
    frozen=True,
    kw_only=True,
    config=ConfigDict(extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False),
)
class ClusterParams:
    """Workers as jobs of a queue; results do not depend on it. The options --workers and --scheduler win over it."""

    system: QueueSystem = "none"
    """Queue that starts the workers: ``slurm``, ``lsf``, ``sge`` or ``pbs``; ``none`` for no queue."""
    workers: int = Field(default=4, ge=1)
    """Jobs to ask for; each is one worker and computes one block at a time. The run begins with the first that starts,
    and a job that ends at its time limit is asked for again."""
    threads: int = Field(default=1, ge=1)
    """CPU cores of a job; as many as ``detect.threads``. For ``sge`` name its parallel environment in `directives`:
    ``["-pe smp 4"]``."""
    memory_gb: float = Field(default=8.0, gt=0)
    """Memory of a job in GB (1e9 bytes); a worker that outgrows it is started again. Not told to ``sge``, which names
    it differently from place to place: add ``-l mem_free=8G``, or what is right with you, to `directives`."""
    gpu: bool = False
    """Whether every job gets a graphics card: ``--gres=gpu:1`` (slurm), ``-gpu num=1`` (lsf), ``-l gpu=1`` (sge) or
    ``ngpus=1`` (pbs)."""
    queue: str | None = None
    """Queue (in Slurm's words: partition) of the jobs; the default one if not set."""
    account: str | None = None
    """Account (lsf, sge: project) the jobs are charged to."""
    walltime_h: float = Field(default=24.0, ge=0.1)
    """Time limit of a job in hours."""
    directives: tuple[str, ...] = ()
    """More options of the queue, each a line in the head of the job: ``["--constraint=a100", "--exclude=node7"]``."""
    prologue: tuple[str, ...] = ()
    """Commands of the shell before the worker starts: ``["module load cuda"]``."""
    interface: str | None = None
    """Network interface over which machines of the cluster reach each other, such as ``ib0``; Dask's choice if not
    set."""
    folder: str = "~/.morula-jobs"
    """Folder on a disk that all machines see, for what the jobs print and, while a run goes on, the keys with which its
    processes know each other."""
    longest_wait_h: float = Field(default=24.0, gt=0)
    """Longest time in hours until the first job has to have started, and without any job later on."""

    def __post_init__(self) -> None:
        """Refuse cores that the queue would never hear of."""
        if self.system == "sge" and self.threads > 1 and not any(line.startswith("-pe") for line in self.directives):
            raise ConfigError(
                f"cluster.threads = {self.threads} needs a parallel environment of the queue.",
                fix=f'name one in cluster.directives: ["-pe smp {self.threads}"]; `qconf -spl` lists them',
            )
