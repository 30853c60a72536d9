from __future__ import annotations

from morula.core.blocks import Block
from morula.engine.engine import RunSummary, count_voxels


def test_only_the_write_region_counts_as_work(blocks: list[Block]) -> None:
    assert [count_voxels(block) for block in blocks] == [40.0, 40.0, 40.0, 40.0, 20.0]


def test_throughput_is_work_per_second() -> None:
    assert RunSummary(n_done=2, failures=(), seconds=4.0, weight=80.0).per_s == 20.0
    assert RunSummary(n_done=0, failures=(), seconds=0.0, weight=0.0).per_s == 0.0
