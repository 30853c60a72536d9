"""Who computes what where some workers offer a graphics card. No card is needed: offering one is a word to Dask."""

from __future__ import annotations

from pathlib import Path

import pytest
from block_work import name_card, name_process
from dask_processes import scheduler_at, worker_of

from morula.core.blocks import Block
from morula.engine.choose import open_engine
from morula.engine.engine import BlockJob, Engine
from morula.engine.gpus import assign_cards


def compute(engine: Engine, job: BlockJob) -> set[object]:
    """Return what the blocks of a job came to; none may fail."""
    came_to: dict[int, object] = {}
    engine.run_blocks(
        job,
        on_done=lambda block, result, seconds: came_to.update({block.index: result}),
        on_failed=lambda block, error, attempts: pytest.fail(str(error)),
    )
    assert len(came_to) == len(job.blocks)
    return set(came_to.values())


@pytest.mark.parametrize(
    ("n_workers", "cards", "assigned"),
    [
        (2, ["0", "1", "2"], ["0", "1"]),
        (5, ["4", "7"], ["4", "7", "4", "7", "4"]),
        (1, ["GPU-3fa1"], ["GPU-3fa1"]),
        (3, [], [None, None, None]),
    ],
)
def test_workers_get_the_cards_in_turn(n_workers: int, cards: list[str], assigned: list[str | None]) -> None:
    assert assign_cards(n_workers, cards) == assigned


def test_work_with_a_network_is_done_by_workers_with_a_card_only(
    blocks: list[Block], address: str, tmp_path: Path
) -> None:
    with (
        scheduler_at(address),
        worker_of(address, tmp_path, "--resources", "GPU=1") as with_card,
        worker_of(address, tmp_path) as without,
        open_engine(scheduler=address) as engine,
    ):
        engine.connect().wait_for_workers(2, timeout=60)
        both = {with_card.pid, without.pid}
        assert compute(engine, BlockJob("detect", blocks, name_process, on_card=True)) == {with_card.pid}
        assert compute(engine, BlockJob("solve", blocks, name_process)) == both


def test_where_nobody_has_a_card_everybody_works(blocks: list[Block]) -> None:
    with open_engine(workers=2) as engine:
        assert len(compute(engine, BlockJob("detect", blocks, name_process, on_card=True))) == 2


def test_every_worker_of_this_machine_sees_a_card_of_its_own(blocks: list[Block]) -> None:
    with open_engine(workers=2, list_cards=lambda: ["3", "5"]) as engine:
        assert compute(engine, BlockJob("detect", blocks, name_card, on_card=True)) == {"3", "5"}


def test_more_workers_than_cards_share_them(blocks: list[Block]) -> None:
    with open_engine(workers=2, list_cards=lambda: ["GPU-3fa1"]) as engine:
        assert compute(engine, BlockJob("detect", blocks, name_card, on_card=True)) == {"GPU-3fa1"}
        assert len(compute(engine, BlockJob("detect", blocks, name_process, on_card=True))) == 2
