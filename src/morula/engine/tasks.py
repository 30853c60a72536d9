"""The tasks of one job on the workers of a Dask cluster: handed out, waited for, taken, cancelled.

Holds nothing of what comes out of them, and knows nothing of the order of blocks.
"""

from __future__ import annotations

import asyncio
import pickle
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import wait
from contextlib import suppress
from functools import cached_property
from typing import Any, Self
from uuid import uuid4

from distributed import Client, Future, KilledWorker, WorkerPlugin, as_completed, get_worker

from morula.core.blocks import Block
from morula.engine.attendance import Attendance
from morula.engine.engine import BlockFailure, BlockJob, Result
from morula.engine.failures import attempt_block, make_portable
from morula.engine.gpus import RESOURCE
from morula.engine.losses import blame_workers, is_lost, name_loss
from morula.engine.turns import Turns
from morula.errors import WorkerError

_UNDER_WAY_PER_THREAD = 2
_LEAST_MORE = 2
_LOOK_EVERY_S = 0.1
_HANDED_OUT_TRIES, _HANDED_OUT_EVERY_S = 10, 0.5


class Work(WorkerPlugin):  # type: ignore[misc]  # Dask has no types
    """A job's work on every worker, also on those that join later; unpacked by the first block."""

    def __init__(self, name: str, work: Callable[..., object]) -> None:
        self.name = name
        self._packed = pickle.dumps(work)

    @cached_property
    def unpacked(self) -> Callable[..., object]:
        """What computes a block."""
        work: Callable[..., object] = pickle.loads(self._packed)
        return work


class Tasks:
    """The tasks of one job that are under way; those left when it ends are cancelled.

    When a worker dies Dask blames all tasks it had. So a block whose worker died too often is put aside, and tried
    again when no other is under way: only if that kills workers too has it failed.

    Work that wants a graphics card is given to workers with one only, if there is one when the job begins: the others
    would come to slightly different numbers.
    """

    def __init__(self, client: Client, job: BlockJob[Result], retries: int, longest_wait_s: float) -> None:
        self._client, self._job, self._retries = client, job, retries
        self._name = f"{job.stage}-{uuid4().hex}"
        self._finished = as_completed(loop=client.loop)
        self._under_way: dict[Future, Block] = {}
        self._suspects: deque[Block] = deque()
        self._tried_alone: set[int] = set()
        self._attendance = Attendance(client, job, longest_wait_s)

    def submit_ready(self, turns: Turns) -> bool:
        """Submit blocks whose turn has come, until enough are under way; false if there is nothing to wait for.

        Raises
        ------
        WorkerError
            If the cluster is lost, or no worker has been there for too long.
        """
        alone = any(block.index in self._tried_alone for block in self._under_way.values())
        while not alone and len(self._under_way) < self._count_most() and (block := turns.take()) is not None:
            self._submit(block)
        if not self._under_way and self._suspects:
            suspect = self._suspects.popleft()
            self._tried_alone.add(suspect.index)
            self._submit(suspect)
        return bool(self._under_way)

    def next_finished(self) -> tuple[Block, Any, float] | None:
        """Wait for the next block; returns its result or failure, and its seconds, or None if it was put aside.

        Raises
        ------
        WorkerError
            If the cluster is lost, or no worker has been there for too long.
        Exception
            What a block raised that ends the whole job.
        """
        while not self._finished.has_ready():  # which `next` would wait for without end
            with self._finished.thread_condition:
                self._finished.thread_condition.wait(_LOOK_EVERY_S)
            self._attendance.count()
        future = next(self._finished)
        block = self._under_way.pop(future)
        try:
            with name_loss(self._client, f"{block.name} was computed"):
                outcome, seconds = self._fetch(future)
        except KilledWorker as error:
            if block.index not in self._tried_alone:
                self._suspects.append(block)
                return None
            return block, blame_workers(block, error), 0.0
        return block, outcome, seconds

    def _fetch(self, future: Future) -> tuple[Any, float]:
        """Return what a worker came to. It is computed again if that worker has died: somebody has to be there."""
        gathering = self._client.gather(future, asynchronous=True)
        fetched = asyncio.run_coroutine_threadsafe(gathering, self._client.loop.asyncio_loop)
        try:
            while not wait([fetched], _LOOK_EVERY_S).done:
                self._attendance.count()
            result: tuple[Any, float] = fetched.result()
            return result
        finally:
            fetched.cancel()

    def _submit(self, block: Block) -> None:
        handed = self._job.handed(block)
        with name_loss(self._client, f"{block.name} was handed out"):
            future = self._client.submit(
                run_task,
                self._name,
                block,
                handed,
                self._retries,
                key=f"{self._name}-{uuid4().hex}",
                pure=False,
                resources={RESOURCE: 1} if self._attendance.on_cards else None,
            )
        self._under_way[future] = block
        self._finished.add(future)

    def _count_most(self) -> int:
        """Return how many tasks keep the present workers busy."""
        return _UNDER_WAY_PER_THREAD * self._attendance.count() + _LEAST_MORE

    def __enter__(self) -> Self:
        work = Work(self._name, self._job.work)
        for left in reversed(range(_HANDED_OUT_TRIES)):
            try:
                with name_loss(self._client, f"{self._job.stage} began"):
                    self._client.register_plugin(work)
                break
            except WorkerError:  # or a worker died, and the scheduler has not noticed yet: it refuses then
                if not left or is_lost(self._client):
                    raise
                time.sleep(_HANDED_OUT_EVERY_S)
        return self

    def __exit__(self, *_: object) -> None:
        if self._under_way:
            self._client.cancel(list(self._under_way), force=True)
        with suppress(OSError, TimeoutError, ValueError):  # a lost cluster has been told already
            self._client.unregister_worker_plugin(self._name)


def run_task(name: str, block: Block, handed: tuple[object, ...], retries: int) -> tuple[object | BlockFailure, float]:
    """Compute one block on a worker; returns result or failure, and its seconds."""
    begun_s = time.perf_counter()
    work = get_worker().plugins[name].unpacked
    outcome = attempt_block(work, block, *handed, retries=retries)
    if isinstance(outcome, BlockFailure):
        outcome = make_portable(outcome)
    return outcome, time.perf_counter() - begun_s
