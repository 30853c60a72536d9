"""Where the workers are: processes of this machine, or a Dask cluster that somebody has started.

Owns how clients are opened and closed, and the check that workers run the same morula. Computes nothing. Workers that a
queue starts are in `queues`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec

import dask
from distributed import Client, Nanny, Scheduler, SpecCluster
from distributed.utils import format_dashboard_link

from morula import __version__
from morula.engine.gpus import assign_cards, describe_worker
from morula.errors import ConfigError, WorkerError

_LOG = logging.getLogger(__name__)
_CONNECT_S, _WAIT_S = 10.0, 60.0
HERE = "127.0.0.1"
"""Address that no other machine can reach."""
_QUIET = {"distributed.admin.large-graph-warning-threshold": "1 GiB"}  # the work of a job travels once, as one task
_TRACEBACKS = ("distributed.client", "distributed.batched")  # of a lost scheduler, which the engine names if need be


@contextmanager
def start_local_workers(n: int, cards: Sequence[str] = ()) -> Iterator[Client]:
    """Start worker processes on this machine, one thread each, reachable from this machine only.

    Each gets an equal part of the memory; one that outgrows it is ended and its blocks are tried again.

    Parameters
    ----------
    n
        How many.
    cards
        Names of the graphics cards, of which each worker sees one.

    Raises
    ------
    ConfigError
        If `n` is not positive.
    WorkerError
        If they do not start within a minute.
    """
    if n < 1:
        raise ConfigError(f"at least one worker is needed, not {n}.")
    quieten_dask()
    worker = {"host": HERE, "nthreads": 1, "memory_limit": 1 / n, "dashboard": False, "silence_logs": logging.WARNING}
    workers = [{"cls": Nanny, "options": worker | describe_worker(card)} for card in assign_cards(n, cards)]
    scheduler = {"cls": Scheduler, "options": {"host": HERE, "port": 0, **choose_dashboard()}}
    try:
        cluster = SpecCluster(dict(enumerate(workers)), scheduler, silence_logs=logging.WARNING)
    except (OSError, TimeoutError, RuntimeError) as error:
        raise _no_local_workers(n, error) from error
    with cluster, letting_go(Client(cluster)) as client:
        try:
            client.wait_for_workers(n, timeout=_WAIT_S)
        except TimeoutError as error:
            raise _no_local_workers(n, error) from error
        shared = f", {min(n, len(cards))} graphics cards" if cards else ""
        _LOG.info("%d workers on this machine%s%s", n, shared, describe_dashboard(client))
        yield client


@contextmanager
def connect_to_scheduler(address: str) -> Iterator[Client]:
    """Connect to the scheduler of a Dask cluster that is running.

    Parameters
    ----------
    address
        Such as ``tcp://node17:8786``, or ``tls://`` with the certificates of Dask's own configuration.

    Raises
    ------
    WorkerError
        If nobody answers, no worker joins within a minute, or workers run another version of morula.
    """
    quieten_dask()
    try:
        client = Client(address, timeout=_CONNECT_S)
    except (OSError, TimeoutError, ValueError, TypeError, RuntimeError) as error:
        raise _no_scheduler(address, error) from None
    with letting_go(client):
        try:
            client.wait_for_workers(1, timeout=_WAIT_S)
            check_versions(client)
            _LOG.info("%d workers at %s%s", len(client.nthreads()), address, describe_dashboard(client))
        except TimeoutError:
            raise WorkerError(
                f"no worker joined the scheduler at {address} within {_WAIT_S:g} s.",
                fix=f"start some with `dask worker {address} --nthreads 1`",
            ) from None
        except OSError as error:  # it has just been lost
            raise _no_scheduler(address, error) from None
        yield client


def quieten_dask() -> None:
    """Let Dask say nothing of what the engine itself says, or of what is meant."""
    dask.config.set(_QUIET)
    for name in _TRACEBACKS:
        logging.getLogger(name).setLevel(logging.CRITICAL)


@contextmanager
def letting_go(client: Client) -> Iterator[Client]:
    """Close a client in the end; of a cluster that was lost there is nothing to close."""
    try:
        yield client
    finally:
        with suppress(OSError, TimeoutError):
            client.close()


def choose_dashboard() -> dict[str, object]:
    """Return settings of a scheduler: its dashboard, where it can have one, reachable from this machine only.

    The address has to be told without one, too: else Dask asks for port 8787, which two runs cannot both have.
    """
    return {"dashboard": find_spec("bokeh") is not None, "dashboard_address": f"{HERE}:0"}


def describe_dashboard(client: Client, host: str | None = None) -> str:
    """Return words that name the address of the dashboard, if there is one; on the scheduler's machine by default."""
    port = client.scheduler_info(n_workers=0)["services"].get("dashboard")
    if port is None:
        return ""
    host = host or client.scheduler.address.split("://")[1].rsplit(":", 1)[0]
    return f", dashboard {format_dashboard_link(host, port)}"


def check_versions(client: Client) -> None:
    """Refuse workers that run another version of morula; those that died meanwhile do not count.

    Raises
    ------
    WorkerError
        Names the first of them.
    """
    found = client.run(_say_version, on_error="return")
    answers = {worker: answer for worker, answer in found.items() if not isinstance(answer, OSError)}  # left by now
    wrong = {worker: version for worker, version in answers.items() if version != __version__}
    if wrong:
        worker, version = next(iter(wrong.items()))
        raise WorkerError(
            f"{len(wrong)} of {len(found)} workers do not run morula {__version__}.",
            measured=f"{worker}: {version}",
            cause="another environment on the machines of the cluster",
            fix="start the workers from the environment in which `morula` is run",
        )


def _say_version() -> str:
    return __version__


def _no_local_workers(n: int, error: Exception) -> WorkerError:
    return WorkerError(
        f"{n} worker processes could not be started: {error}.",
        cause="too little memory, or a machine that forbids local connections",
        fix="try fewer --workers, or leave the option out",
    )


def _no_scheduler(address: str, error: Exception) -> WorkerError:
    return WorkerError(
        f"no Dask scheduler answers at {address}.",
        measured=str(error),
        cause="a scheduler that is not running, another address or port, a firewall between, or tcp:// for tls://",
        fix="start one with `dask scheduler` and give the address it prints",
    )
