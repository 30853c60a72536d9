"""How long blocks take that wait for one another, on many workers: the engine's own order, with made-up times."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence

from morula.core.blocks import Block
from morula.core.columns import FloatArray
from morula.engine.engine import BlockJob
from morula.engine.turns import Turns

HAND_S = 0.02
"""What the process that hands out blocks and stores results takes for each; an empty block takes 4 to 5 ms."""

_UNDER_WAY_PER_WORKER = 2


def simulate_schedule(
    blocks: Sequence[Block],
    waits_for: Mapping[int, Sequence[int]],
    durations_s: FloatArray,
    workers: int,
    hand_s: float = HAND_S,
) -> float:
    """Return the seconds until all blocks are done.

    Blocks handed out wait at a worker until it is free, as Dask's do; the handing process does one thing at a time and
    takes results before it hands out more.

    Parameters
    ----------
    blocks
        In their order; `Block.index` is the place in it.
    waits_for
        Numbers of the earlier blocks that have to be done before a block.
    durations_s
        Seconds of each block on one worker.
    workers
        Number of workers.
    hand_s
        Seconds of the handing process for a block.

    Notes
    -----
    About 2 s for 100 000 blocks.
    """
    turns = Turns(BlockJob("schedule", blocks, work=len, waits_for=waits_for))
    free_at = [0.0] * workers  # when each worker has nothing left to do
    finishing: list[tuple[float, int]] = []
    clock = 0.0
    while True:
        while len(finishing) < _UNDER_WAY_PER_WORKER * workers and (block := turns.take()) is not None:
            clock += hand_s
            done_at = max(clock, heapq.heappop(free_at)) + float(durations_s[block.index])
            heapq.heappush(free_at, done_at)
            heapq.heappush(finishing, (done_at, block.index))
        if not finishing:
            return clock
        done_at, number = heapq.heappop(finishing)
        clock = max(clock, done_at)
        turns.free(blocks[number])
