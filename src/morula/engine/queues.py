"""Workers that the queue of a cluster starts as its jobs: Slurm, LSF, SGE and PBS, through dask-jobqueue.

The scheduler runs in this process. Everything between it and the workers is encrypted and signed (TLS), with the user's
own certificates where Dask's configuration names some, or with keys made for this run: whoever reaches a scheduler
without can run programs in the user's name, and the machines of a cluster are open to many.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from distributed import Client, Status
from distributed.security import Security
from tornado.ioloop import PeriodicCallback

from morula.engine.clusters import HERE, check_versions, choose_dashboard, describe_dashboard, letting_go, quieten_dask
from morula.engine.jobs import describe_job, find_class
from morula.engine.params import ClusterParams
from morula.errors import DiskError, WorkerError

_LOG = logging.getLogger(__name__)
S_PER_H, _LOOK_EVERY_S = 3600.0, 30.0


def check_queue(params: ClusterParams) -> None:
    """Refuse a queue that cannot be asked from here.

    Raises
    ------
    WorkerError
        If dask-jobqueue is not installed, or the queue's own commands are not on this machine.
    """
    if find_spec("dask_jobqueue") is None or find_spec("cryptography") is None:
        raise WorkerError(
            f"cluster.system = '{params.system}' needs the packages dask-jobqueue and cryptography.",
            fix="pip install 'morula[cluster]'",
        )
    command = find_class(params.system).job_cls.submit_command
    if shutil.which(command) is None:
        raise WorkerError(
            f"cluster.system = '{params.system}', but there is no command {command} on this machine.",
            cause="another queue, or a machine from which no jobs can be sent",
            fix="run morula where you would type the command, or choose another cluster.system",
        )


@contextmanager
def start_queued_workers(params: ClusterParams) -> Iterator[Client]:
    """Ask a queue for workers, wait for the first, and give all of them back in the end.

    Raises
    ------
    WorkerError
        If the queue refuses the jobs, none has started in time, or workers run another version of morula.
    DiskError
        If the folder for logs and keys cannot be made.
    """
    quieten_dask()
    with make_cluster(params) as cluster, letting_go(Client(cluster)) as client:
        try:
            cluster.sync(_ask_for_jobs, cluster, params.workers)
        except RuntimeError as error:
            raise _refused(params, error) from None
        dashboard = describe_dashboard(client, HERE)
        _LOG.info("%d jobs of %s asked for; waiting for the first%s", params.workers, params.system, dashboard)
        try:
            client.wait_for_workers(1, timeout=params.longest_wait_h * S_PER_H)
        except TimeoutError:
            raise _none_came(params) from None
        check_versions(client)
        upkeep = PeriodicCallback(partial(_keep_jobs, cluster, params.workers), 1e3 * _LOOK_EVERY_S)
        cluster.loop.add_callback(upkeep.start)
        try:
            yield client
        finally:
            cluster.loop.add_callback(upkeep.stop)


@contextmanager
def make_cluster(params: ClusterParams) -> Iterator[Any]:
    """Start a scheduler in this process that can ask the queue for jobs, and has not yet.

    Raises
    ------
    DiskError
        If the folder for logs and keys cannot be made.
    """
    folder = Path(params.folder).expanduser()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        what = f"{folder}: this folder cannot be made: {error.strerror}."
        raise DiskError(what, fix="change cluster.folder") from None
    with (
        TemporaryDirectory(prefix="keys-", dir=folder) as keys,  # which nobody else can read
        find_class(params.system)(
            **describe_job(params),
            log_directory=str(folder),
            security=choose_security(Path(keys)),
            protocol="tls://",
            interface=params.interface,
            scheduler_options=choose_dashboard(),
            silence_logs=logging.WARNING,
        ) as cluster,
    ):
        yield cluster


def choose_security(folder: Path) -> Security:
    """Return the user's certificates if Dask's configuration names some, or make some, in a folder that jobs see."""
    own = Security(require_encryption=True)
    if own.tls_ca_file:
        return own
    made = Security.temporary()
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    key.write_text(made.tls_worker_key, encoding="ascii")
    certificate.write_text(made.tls_worker_cert, encoding="ascii")
    of_roles = {
        f"tls_{role}_{name}": str(path)
        for role in ("client", "scheduler", "worker")
        for name, path in (("key", key), ("cert", certificate))
    }
    return Security(require_encryption=True, tls_ca_file=str(certificate), **of_roles)


async def _ask_for_jobs(cluster: Any, n: int) -> None:
    """Bring the jobs to a number; raises what the queue says if it refuses, and forgets the jobs it refused."""
    while len(cluster.worker_spec) < n:
        cluster.worker_spec.update(cluster.new_worker_spec())
    try:
        await cluster
    except RuntimeError:
        for name in [name for name, job in cluster.workers.items() if job.job_id is None]:
            cluster.workers.pop(name).status = Status.failed
        raise


async def _keep_jobs(cluster: Any, n: int) -> None:
    """Ask again for jobs that ended, as all do at their time limit; what is refused is asked for again next time."""
    try:
        await _ask_for_jobs(cluster, n)
    except RuntimeError as error:
        _LOG.warning("the queue refused a job: %s", _last_words(error))


def _last_words(error: Exception) -> str:
    """Return the last line of what a command of the queue printed."""
    lines = str(error).strip().splitlines()
    return lines[-1] if lines else type(error).__name__


def _refused(params: ClusterParams, error: Exception) -> WorkerError:
    return WorkerError(
        f"the queue ({params.system}) refused the jobs of the workers.",
        measured=_last_words(error),
        cause="a queue, an account or a limit that does not exist there, or more memory than a machine has",
        fix="change [cluster]",
    )


def _none_came(params: ClusterParams) -> WorkerError:
    return WorkerError(
        f"none of {params.workers} jobs of {params.system} reached this machine within {params.longest_wait_h:g} h.",
        cause="a full queue, jobs that end at once (a prologue that fails, no environment), or a network that keeps "
        "machines apart",
        fix=f"read what the jobs printed, in {params.folder}; set cluster.interface, or raise cluster.longest_wait_h",
    )
