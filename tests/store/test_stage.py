from __future__ import annotations

from pathlib import Path

import pytest

from morula.core.blocks import Block
from morula.core.detections import Detections
from morula.errors import BlocksFailedError, ChunkError, DiskError, TrainingError
from morula.store.run_directory import RunDirectory
from morula.store.stage import Stage


def _detect(run: RunDirectory, blocks: list[Block]) -> Stage:
    return run.stage("detect", {}, n_blocks=len(blocks))


def test_leaving_a_stage_marks_it_done(run: RunDirectory) -> None:
    with run.stage("export", {}) as stage:
        assert not stage.done
    assert stage.done
    assert run.store.require_stage("export").seconds > 0


def test_figures_given_at_the_end_are_kept(run: RunDirectory) -> None:
    with run.stage("tune", {}) as stage:
        stage.finish({"start_cost": 6.0})
    with run.stage("tune", {}) as stage:
        assert stage.done
    assert run.store.require_stage("tune").summary == {"start_cost": 6.0}


def test_an_error_marks_the_stage_failed_with_its_text(run: RunDirectory) -> None:
    with pytest.raises(TrainingError, match="loss"), run.stage("train", {}):
        raise TrainingError("the loss is not finite.", fix="lower train.learning_rate")
    record = run.store.find_stage("train")
    assert record is not None
    assert (record.state, record.error) == (
        "failed",
        "the loss is not finite.\n  fix:      lower train.learning_rate",
    )


def test_ctrl_c_is_no_failure(run: RunDirectory, blocks: list[Block]) -> None:
    def stop_after_one_block() -> None:
        with _detect(run, blocks) as stage:
            stage.write_block(blocks[0], Detections.empty(), 0.1)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop_after_one_block()
    record = run.store.find_stage("detect")
    assert record is not None
    assert (record.state, record.error) == ("running", "")
    again = _detect(run, blocks)
    assert again.resumed
    assert again.message == "detect goes on where it stopped: 1 of 6 blocks are done"
    assert [block.index for block in again.pending_blocks(blocks)] == [1, 2, 3, 4, 5]


def test_failed_blocks_fail_the_stage_and_only_they_run_again(run: RunDirectory, blocks: list[Block]) -> None:
    def fail_two_blocks() -> None:
        with _detect(run, blocks) as stage:
            for block in blocks[:4]:
                stage.write_block(block, Detections.empty(), 0.1)
            for block in blocks[4:]:
                stage.write_failed_block(block, ChunkError(f"chunk {block.index} is broken.", fix="copy it"), 2)

    with pytest.raises(BlocksFailedError, match="detect: 2 of 6 blocks failed, 0 were not run; 4 are done") as caught:
        fail_two_blocks()
    assert caught.value.exit_code == 3
    assert f"{blocks[4].name}: chunk 4 is broken.\n" in caught.value.measured
    record = run.store.find_stage("detect")
    assert record is not None
    assert record.state == "failed"
    assert "2 of 6 blocks failed" in record.error
    with _detect(run, blocks) as stage:
        assert stage.pending_blocks(blocks) == blocks[4:]
        for block in blocks[4:]:
            stage.write_block(block, Detections.empty(), 0.1)
    assert stage.done


def test_only_five_failures_are_listed(run: RunDirectory, blocks: list[Block]) -> None:
    stage = _detect(run, blocks)
    for block in blocks:
        stage.write_failed_block(block, MemoryError(), 1)
    with pytest.raises(BlocksFailedError, match="6 of 6 blocks failed") as caught:
        stage.finish()
    assert caught.value.measured.count("MemoryError") == 5
    assert caught.value.measured.endswith("and 1 more")


def test_a_stage_with_blocks_left_cannot_be_finished(run: RunDirectory, blocks: list[Block]) -> None:
    with pytest.raises(BlocksFailedError, match="0 of 6 blocks failed, 6 were not run"), _detect(run, blocks):
        pass


def test_an_error_that_cannot_be_recorded_is_still_the_one_raised(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(stage: str, *, seconds: float, error: str) -> None:
        raise DiskError("the disk is still full.")

    monkeypatch.setattr(run.store, "fail_stage", fail)
    with pytest.raises(TrainingError, match="loss"), run.stage("train", {}):
        raise TrainingError("the loss is not finite.")
    assert caplog.messages == ["train: its failure could not be recorded: the disk is still full."]


def test_the_fingerprint_depends_on_settings_blocks_and_stages_before(tmp_path: Path) -> None:
    names = []
    for place, (rate, blocks, threshold) in enumerate([(1, 6, 3), (1.0, 6, 3), (2, 6, 3), (1, 7, 3), (1, 6, 4)]):
        with RunDirectory.open(tmp_path / str(place)) as run:
            with run.stage("train", {"rate": rate}):
                pass
            names.append(run.stage("detect", {"threshold": threshold}, after=["train"], n_blocks=blocks).fingerprint)
    assert names[0] == names[1]
    assert len(set(names)) == 4
