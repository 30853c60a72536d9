"""Who is there: how many blocks the workers compute at once, and for how long there has been no worker at all."""

from __future__ import annotations

import time

from distributed import Client

from morula.engine.engine import BlockJob, Result
from morula.engine.gpus import count_cards
from morula.engine.losses import name_loss
from morula.errors import WorkerError

_COUNT_EVERY_S = 1.0


class Attendance:
    """Counts the workers of one job, about once a second; those without a graphics card only if none has one.

    Parameters
    ----------
    client
        The client.
    job
        The job.
    longest_wait_s
        How many seconds without a worker are too long.

    Raises
    ------
    WorkerError
        If the cluster is lost.
    """

    def __init__(self, client: Client, job: BlockJob[Result], longest_wait_s: float) -> None:
        self._client, self._stage, self._longest_wait_s = client, job.stage, longest_wait_s
        self._n, self._counted_s = 0, -float("inf")
        self._empty_since_s: float | None = None
        with name_loss(client, f"{job.stage} began"):
            self.on_cards = job.on_card and count_cards(client) > 0

    def count(self) -> int:
        """Return how many blocks the present workers compute at once.

        Raises
        ------
        WorkerError
            If the cluster is lost, or nobody has been there for too long.
        """
        now_s = time.perf_counter()
        if now_s - self._counted_s > _COUNT_EVERY_S:
            with name_loss(self._client, f"blocks of {self._stage} were computed"):
                self._n = count_cards(self._client) if self.on_cards else sum(self._client.nthreads().values())
            self._counted_s = now_s
            self._miss_nobody_for_long(now_s)
        return self._n

    def _miss_nobody_for_long(self, now_s: float) -> None:
        if self._n:
            self._empty_since_s = None
        elif self._empty_since_s is None:
            self._empty_since_s = now_s
        elif now_s - self._empty_since_s > self._longest_wait_s:
            workers = "worker with a graphics card" if self.on_cards else "worker"
            raise WorkerError(
                f"{self._stage}: no {workers} has been there for {self._longest_wait_s:g} s.",
                cause="all of them died, were ended or cannot be reached any more (too little memory, a time limit, "
                "machines that were switched off), and none came in their place",
                fix="start workers, if they do not start by themselves, and give the same command again: what is done "
                "is kept",
            )
