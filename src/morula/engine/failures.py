"""Which errors of a block are survived, and which of them are worth another try.

Expected errors (ours, the operating system's, lack of memory) fail the block and let the others go on. Anything else is
a fault in the program and ends the job at once; so do errors of the place where results go.

"""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable

from morula.core.blocks import Block
from morula.engine.engine import BlockFailure, Result
from morula.errors import ChunkError, DiskError, MorulaError, StoreError, WorkerError

logger = logging.getLogger(__name__)

EXPECTED: tuple[type[Exception], ...] = (MorulaError, OSError, MemoryError)
"""Errors that fail their block only."""

MAY_PASS: tuple[type[Exception], ...] = (ChunkError, ConnectionError, TimeoutError)
"""Expected errors that another try may not meet: a read cut short, a network that stuttered."""

ENDS_ALL: tuple[type[Exception], ...] = (DiskError, StoreError)
"""Expected errors that every further block would meet too."""


def attempt_block(work: Callable[..., Result], block: Block, *handed: object, retries: int) -> Result | BlockFailure:
    """Compute one block, trying again after errors that may pass.

    Parameters
    ----------
    work, block, handed
        As in `BlockJob`.
    retries
        How often it is tried again.

    Raises
    ------
    DiskError, StoreError
        As raised by `work`: no other block would fare better.
    Exception
        Whatever is not expected: a fault in the program.
    """
    attempt = 1
    while True:
        try:
            return work(block, *handed)
        except ENDS_ALL:
            raise
        except EXPECTED as error:
            if attempt > retries or not isinstance(error, MAY_PASS):
                return BlockFailure(block, error, attempt)
            attempt += 1
            after = _describe_error(error, block).splitlines()[0]
            logger.info("%s: attempt %d of %d after: %s", block.name, attempt, retries + 1, after)


def make_portable(failure: BlockFailure) -> BlockFailure:
    """Return a failure that reaches another process: an error of a library that would not is told in its own words."""
    try:
        pickle.loads(pickle.dumps(failure.error))
    except Exception:  # noqa: BLE001 - whatever a foreign class does when it is packed
        told = WorkerError(f"{type(failure.error).__name__}: {failure.error}")
        return BlockFailure(failure.block, told, failure.attempts)
    return failure


def tell_failure(failure: BlockFailure) -> None:
    """Log a block that failed, and at a lower level where."""
    logger.warning("%s failed: %s", failure.block.name, _describe_error(failure.error, failure.block))
    logger.debug("%s: where it failed", failure.block.name, exc_info=failure.error)


def _describe_error(error: Exception, block: Block) -> str:
    """Return the error's text, without the block's name that some begin with."""
    return (str(error) or type(error).__name__).removeprefix(f"{block.name}: ")
