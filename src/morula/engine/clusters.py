"""Where the workers are: processes of this machine, or a Dask cluster that somebody has started.

Owns how clients are opened and closed, and the check that workers run the same morula. Computes nothing.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from importlib.util import find_spec

import dask
from distributed import Client

from morula import __version__
from morula.errors import ConfigError, WorkerError

_LOG = logging.getLogger(__name__)
_CONNECT_S, _WAIT_S = 10.0, 60.0
_QUIET = {"distributed.admin.large-graph-warning-threshold": "1 GiB"}  # the work of a job travels once, as one task
_TRACEBACKS = "distributed.client"  # so a lost scheduler is logged; whether it is missed, the engine says


def start_local_workers(n: int) -> Client:
    """Start worker processes on this machine, one thread each, reachable from this machine only.

    Each gets an equal part of the memory; one that outgrows it is ended and its blocks are tried again.

    Raises
    ------
    ConfigError
        If `n` is not positive.
    WorkerError
        If they do not start within a minute.
    """
    if n < 1:
        raise ConfigError(f"at least one worker is needed, not {n}.")
    _quieten_dask()
    has_dashboard = find_spec("bokeh") is not None
    try:
        client = Client(
            n_workers=n,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0" if has_dashboard else None,
        )
        client.wait_for_workers(n, timeout=_WAIT_S)
    except (OSError, TimeoutError, RuntimeError) as error:
        raise WorkerError(
            f"{n} worker processes could not be started: {error}.",
            cause="too little memory, or a machine that forbids local connections",
            fix="try fewer --workers, or leave the option out",
        ) from error
    _LOG.info("%d workers on this machine%s", n, f", dashboard {client.dashboard_link}" if has_dashboard else "")
    return client


def connect_to_scheduler(address: str) -> Client:
    """Connect to the scheduler of a Dask cluster that is running.

    Parameters
    ----------
    address
        Such as ``tcp://node17:8786``; TLS as set in Dask's own configuration.

    Raises
    ------
    WorkerError
        If nobody answers, no worker joins within a minute, or workers run another version of morula.
    """
    _quieten_dask()
    try:
        client = Client(address, timeout=_CONNECT_S)
    except (OSError, TimeoutError, ValueError) as error:
        raise WorkerError(
            f"no Dask scheduler answers at {address}.",
            measured=str(error),
            cause="a scheduler that is not running, another address or port, or a firewall between",
            fix="start one with `dask scheduler` and give the address it prints",
        ) from None
    try:
        client.wait_for_workers(1, timeout=_WAIT_S)
        _check_versions(client)
    except TimeoutError:
        _let_go(client)
        raise WorkerError(
            f"no worker joined the scheduler at {address} within {_WAIT_S:g} s.",
            fix=f"start some with `dask worker {address} --nthreads 1`",
        ) from None
    except WorkerError:
        _let_go(client)
        raise
    _LOG.info("%d workers at %s, dashboard %s", len(client.nthreads()), address, client.dashboard_link)
    return client


def _quieten_dask() -> None:
    dask.config.set(_QUIET)
    logging.getLogger(_TRACEBACKS).setLevel(logging.CRITICAL)


def _check_versions(client: Client) -> None:
    found = client.run(_say_version, on_error="return")
    answered = {
        worker: version for worker, version in found.items() if not isinstance(version, OSError)
    }  # or just died
    wrong = {worker: version for worker, version in answered.items() if version != __version__}
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


def _let_go(client: Client) -> None:
    with suppress(OSError, TimeoutError):
        client.close()
