"""What is said when parts of a cluster are lost: the scheduler, or the workers of a block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from distributed import CancelledError, Client, KilledWorker

from morula.core.blocks import Block
from morula.engine.engine import BlockFailure
from morula.errors import MorulaError, WorkerError


def is_lost(client: Client) -> bool:
    """Say whether a client that was connected has lost its scheduler."""
    return bool(client.status != "running")


@contextmanager
def name_loss(client: Client, meanwhile: str) -> Iterator[None]:
    """Turn whatever a client says that has lost its scheduler into our error: Dask has many for that.

    Parameters
    ----------
    client
        The client.
    meanwhile
        What is done here, in the past tense.

    Raises
    ------
    WorkerError
        If the scheduler is lost.
    """
    try:
        yield
    except (MorulaError, KilledWorker):
        raise
    except Exception as error:
        if isinstance(error, OSError | CancelledError) or is_lost(client):
            raise WorkerError(
                f"the Dask scheduler was lost while {meanwhile}.",
                cause="the scheduler's process ended, or the network between it and this machine failed",
                fix="start it again and run again: blocks that are done are kept",
            ) from error
        raise


def blame_workers(block: Block, error: KilledWorker) -> BlockFailure:
    """Return the failure of a block whose workers died, again when it was tried alone."""
    attempts = 2 * (error.allowed_failures + 1)
    lost = WorkerError(
        f"{block.name}: the processes computing it died.",
        measured=f"{attempts} attempts, the last on {error.last_worker.address}",
        cause="too little memory for a block on a worker, or machines that are switched off",
        fix="give the workers more memory, or make the blocks smaller (detect.memory_gib), and run again",
    )
    return BlockFailure(block, lost, attempts)
