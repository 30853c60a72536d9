from __future__ import annotations

import logging
import pickle
from collections.abc import Callable

import pytest

from morula.core.blocks import Block
from morula.engine.engine import BlockFailure
from morula.engine.failures import attempt_block, tell_failure
from morula.errors import ChunkError, DiskError, ModelError, StoreLockedError


def _fail_first(times: int, error: BaseException) -> Callable[[Block], str]:
    left = [times]

    def work(block: Block) -> str:
        left[0] -= 1
        if left[0] >= 0:
            raise error
        return f"result {block.index}"

    return work


@pytest.mark.parametrize("error", [ChunkError("chunk 0 is broken."), TimeoutError("slow"), ConnectionError("gone")])
def test_an_error_that_may_pass_is_survived_by_a_second_try(blocks: list[Block], error: Exception) -> None:
    assert attempt_block(_fail_first(1, error), blocks[3], retries=1) == "result 3"


def test_tries_are_bounded_and_counted(blocks: list[Block]) -> None:
    error = ChunkError("chunk 0 is broken.")
    assert attempt_block(_fail_first(3, error), blocks[0], retries=2) == BlockFailure(blocks[0], error, 3)
    assert attempt_block(_fail_first(1, error), blocks[0], retries=0) == BlockFailure(blocks[0], error, 1)


@pytest.mark.parametrize("error", [ModelError("other voxel size."), MemoryError(), FileNotFoundError("movie")])
def test_an_error_that_will_not_pass_is_not_tried_again(blocks: list[Block], error: Exception) -> None:
    assert attempt_block(_fail_first(1, error), blocks[0], retries=5) == BlockFailure(blocks[0], error, 1)


@pytest.mark.parametrize(
    "error",
    [TypeError("a fault"), KeyboardInterrupt("stop"), DiskError("disk full"), StoreLockedError("locked")],
)
def test_faults_interrupts_and_a_lost_store_end_everything(blocks: list[Block], error: BaseException) -> None:
    with pytest.raises(type(error), match=str(error)):
        attempt_block(_fail_first(1, error), blocks[0], retries=5)


def test_the_log_names_the_block_and_keeps_the_place_of_the_error(
    blocks: list[Block], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, logger="morula"):
        failure = attempt_block(_fail_first(2, ChunkError("chunk 0 is broken.")), blocks[0], retries=1)
        assert isinstance(failure, BlockFailure)
        tell_failure(failure)
    retried, failed, place = caplog.records
    assert retried.getMessage() == f"{blocks[0].name}: attempt 2 of 2 after: chunk 0 is broken."
    assert (failed.levelname, failed.getMessage()) == ("WARNING", f"{blocks[0].name} failed: chunk 0 is broken.")
    assert place.exc_info is not None


def test_a_failure_travels_between_processes(blocks: list[Block]) -> None:
    failure = BlockFailure(blocks[1], ChunkError("chunk 0 is broken.", fix="copy it"), 2)
    copy = pickle.loads(pickle.dumps(failure))
    assert (copy.block, str(copy.error), copy.attempts) == (blocks[1], str(failure.error), 2)
