from __future__ import annotations

import pytest

from morula.core.blocks import Block
from morula.engine.engine import BlockJob
from morula.engine.serial import SerialEngine
from morula.errors import ConfigError


def test_ctrl_c_keeps_what_was_handed_over(blocks: list[Block]) -> None:
    done: dict[int, int] = {}

    def stop_at_three(block: Block) -> int:
        if block.index == 3:
            raise KeyboardInterrupt
        return block.index

    with pytest.raises(KeyboardInterrupt):
        SerialEngine().run_blocks(
            BlockJob("d", blocks, stop_at_three),
            on_done=lambda block, result, seconds: done.update({block.index: result}),
            on_failed=lambda block, error, attempts: pytest.fail(str(error)),
        )
    assert done == {0: 0, 1: 1, 2: 2}


def test_a_negative_number_of_retries_is_refused() -> None:
    with pytest.raises(ConfigError, match="retries must not be negative, not -1"):
        SerialEngine(retries=-1)
