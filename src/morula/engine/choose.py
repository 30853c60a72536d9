"""Which engine an invocation asks for. Imports Dask only where it is needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from morula.engine.engine import Engine
from morula.engine.serial import SerialEngine
from morula.errors import ConfigError


@contextmanager
def open_engine(*, workers: int = 1, scheduler: str | None = None) -> Iterator[Engine]:
    """Open the engine asked for, and close it in the end.

    Parameters
    ----------
    workers
        Processes of this machine that compute blocks; with 1 they are computed in this process.
    scheduler
        Address of a Dask cluster to use instead.

    Raises
    ------
    ConfigError
        If both are asked for.
    WorkerError
        If the cluster cannot be used.
    """
    if workers > 1 and scheduler is not None:
        raise ConfigError(
            "--workers starts processes on this machine, --scheduler uses those of a cluster: give one of them.",
            fix="start more workers at the cluster instead",
        )
    if workers == 1 and scheduler is None:
        yield SerialEngine()
        return
    from morula.engine.clusters import connect_to_scheduler, start_local_workers
    from morula.engine.dask_engine import DaskEngine

    if scheduler is None:
        with DaskEngine(partial(start_local_workers, workers)) as engine:
            yield engine
        return
    with DaskEngine(partial(connect_to_scheduler, scheduler)) as engine:
        engine.connect()  # now, so that a wrong address changes nothing
        yield engine
