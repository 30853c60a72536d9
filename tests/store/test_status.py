from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from morula.core.blocks import Block
from morula.core.detections import Detections
from morula.errors import StoreError
from morula.store.lock import RunLock
from morula.store.run_directory import RunDirectory
from morula.store.status import read_status


def test_a_run_in_progress_tells_blocks_rate_and_time_left(
    run: RunDirectory, blocks: list[Block], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("morula.store.blocks.time.time", lambda: now)
    with run.stage("train", {}):
        pass
    stage = run.stage("detect", {}, after=["train"], n_blocks=len(blocks))
    for block in blocks[:2]:
        now += 4.0
        stage.write_block(block, Detections.empty(), 4.0)
    now += 1.0
    stage.write_failed_block(blocks[2], MemoryError(), 1)
    now += 1.0
    status = read_status(run.paths.path)
    train, detect = status.stages
    assert status.running
    assert (train.name, train.state, train.blocks_total, train.left_s) == ("train", "done", 0, None)
    assert (detect.state, detect.blocks_total, detect.blocks_done, detect.blocks_failed) == ("running", 6, 2, 1)
    assert (detect.blocks_left, detect.blocks_per_s, detect.left_s, detect.seconds) == (3, 0.25, 12.0, 10.0)


def test_a_stage_whose_process_is_gone_is_interrupted(run: RunDirectory, blocks: list[Block]) -> None:
    run.stage("detect", {}, n_blocks=len(blocks)).write_block(blocks[0], Detections.empty(), 0.1)
    run.close()
    status = read_status(run.paths.path)
    assert not status.running
    assert (status.stages[0].state, status.stages[0].blocks_done, status.stages[0].left_s) == ("interrupted", 1, None)


def test_a_failed_stage_tells_its_error(run: RunDirectory) -> None:
    with pytest.raises(ValueError, match="broken"), run.stage("detect", {}):
        raise ValueError("broken")
    assert (read_status(run.paths.path).stages[0].state, read_status(run.paths.path).stages[0].error) == (
        "failed",
        "broken",
    )


def test_the_status_is_plain_json(run: RunDirectory) -> None:
    with run.stage("tune", {}) as stage:
        stage.finish({"start_cost": 6.0})
    status = json.loads(json.dumps(asdict(read_status(run.paths.path))))
    assert status["stages"][0]["summary"] == {"start_cost": 6.0}


def test_a_run_whose_store_is_still_to_be_made_has_no_stages(tmp_path: Path) -> None:
    lock = RunLock(tmp_path / "run.lock")
    assert (read_status(tmp_path).running, read_status(tmp_path).stages) == (True, ())
    lock.release()
    with pytest.raises(StoreError, match="there is no store here"):
        read_status(tmp_path)


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no run directory here"):
        read_status(tmp_path / "absent")
