"""Numbers that blocks come to, stored with their done marks."""

from __future__ import annotations

import pytest

from morula.core.blocks import Block
from morula.core.detections import Detections
from morula.errors import SolveError, StoreError
from morula.store.store import Store


def test_a_count_comes_with_its_done_mark_and_goes_with_a_failure(
    store: Store, blocks: list[Block], make_stage
) -> None:
    store.begin_stage(make_stage("tune"))
    for block in blocks[:3]:
        store.write_block_count("tune", block, 10 * block.index, 0.1)
    assert store.read_block_counts("tune") == {0: 0, 1: 10, 2: 20}
    assert store.read_done_blocks("tune") == {0, 1, 2}
    store.write_failed_block("tune", blocks[1], SolveError("late."), 1)
    assert store.read_block_counts("tune") == {0: 0, 2: 20}


def test_counts_go_when_the_stage_runs_anew(store: Store, blocks: list[Block], make_stage) -> None:
    store.begin_stage(make_stage("tune"))
    store.write_block_count("tune", blocks[0], 3, 0.1)
    known = store.find_stage("tune")
    assert known is not None
    store.begin_stage(make_stage("tune", fingerprint="f1"), cleared=[known])
    assert store.read_block_counts("tune") == {}


def test_a_stage_that_has_not_begun_takes_no_count(store: Store, blocks: list[Block]) -> None:
    assert store.read_block_counts("tune") == {}
    with pytest.raises(StoreError, match="tune has not begun"):
        store.write_block_count("tune", blocks[0], 3, 0.1)


def test_a_count_may_stand_beside_detections(store: Store, blocks: list[Block], make_stage) -> None:
    store.begin_stage(make_stage("detect"))
    store.write_block("detect", blocks[0], Detections.empty(), 0.1, count=7)
    store.write_block("detect", blocks[1], Detections.empty(), 0.1)
    assert store.read_block_counts("detect") == {0: 7}
    assert store.read_done_blocks("detect") == {0, 1}
