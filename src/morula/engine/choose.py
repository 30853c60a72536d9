"""Which engine an invocation asks for. Imports Dask only where it is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from morula.engine.engine import Engine
from morula.engine.params import ClusterParams
from morula.engine.serial import SerialEngine
from morula.errors import ConfigError

if TYPE_CHECKING:
    from morula.engine.dask_engine import DaskEngine


@contextmanager
def open_engine(
    *,
    workers: int = 1,
    scheduler: str | None = None,
    queue: ClusterParams | None = None,
    list_cards: Callable[[], Sequence[str]] = tuple,
) -> Iterator[Engine]:
    """Open the engine asked for, and close it in the end.

    Parameters
    ----------
    workers
        Processes of this machine that compute blocks; with 1 they are computed in this process.
    scheduler
        Address of a Dask cluster to use instead.
    queue
        Queue whose jobs compute blocks if neither is given.
    list_cards
        Names the graphics cards of this machine; asked if there are several workers, which share them.

    Raises
    ------
    ConfigError
        If both workers and a scheduler are asked for.
    WorkerError
        If the cluster cannot be used, or the queue not asked.
    """
    if workers > 1 and scheduler is not None:
        raise ConfigError(
            "--workers starts processes on this machine, --scheduler uses those of a cluster: give one of them.",
            fix="start more workers at the cluster instead",
        )
    queue = None if queue is None or queue.system == "none" else queue
    if workers == 1 and scheduler is None and queue is None:
        yield SerialEngine()
        return
    from morula.engine.clusters import connect_to_scheduler, start_local_workers
    from morula.engine.dask_engine import DaskEngine

    if workers > 1:
        with DaskEngine(partial(start_local_workers, workers, list_cards())) as engine:
            yield engine
    elif scheduler is not None:
        with DaskEngine(partial(connect_to_scheduler, scheduler)) as engine:
            engine.connect()  # now, so that a wrong address changes nothing
            yield engine
    elif queue is not None:
        with _open_queue(queue) as engine:
            yield engine


def _open_queue(params: ClusterParams) -> DaskEngine:
    from morula.engine.dask_engine import DaskEngine
    from morula.engine.queues import S_PER_H, check_queue, start_queued_workers

    check_queue(params)  # now; the jobs themselves are asked for when there is a block to compute
    return DaskEngine(partial(start_queued_workers, params), longest_wait_s=params.longest_wait_h * S_PER_H)
