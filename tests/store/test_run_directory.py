from __future__ import annotations

import logging
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from morula.core.blocks import Block
from morula.core.detections import Detections
from morula.core.graph import CandidateGraph
from morula.core.lineages import Selection
from morula.errors import DiskError, StoreError, StoreLockedError
from morula.store.run_directory import RunDirectory, view_run

MakeDetections = Callable[..., Detections]


def _train(run: RunDirectory, rate: float = 0.1) -> bool:
    """Train if need be; say whether it ran."""
    weights = run.paths.model / "weights.bin"
    checkpoint = run.paths.model / "checkpoint.bin"
    with run.stage("train", {"train": {"rate": rate}}, outputs=[weights], scratch=[checkpoint]) as stage:
        if not stage.done:
            run.paths.model.mkdir(exist_ok=True)
            weights.write_text(f"{rate}")
            return True
    return False


def _detect(run: RunDirectory, blocks: list[Block], threshold: float = 0.3) -> bool:
    with run.stage("detect", {"detect": {"threshold": threshold}}, after=["train"], n_blocks=len(blocks)) as stage:
        if not stage.done:
            for block in stage.pending_blocks(blocks):
                stage.write_block(block, Detections.empty(), 0.1)
            return True
    return False


@pytest.fixture
def readonly(tmp_path: Path, run: RunDirectory, blocks: list[Block]) -> Iterator[Path]:
    """A finished run seen through a read-only mount."""
    _train(run)
    _detect(run, blocks)
    run.close()
    place = tmp_path / "readonly"
    place.mkdir()
    bound = subprocess.run(["mount", "--bind", str(run.paths.path), str(place)], capture_output=True, text=True)
    if bound.returncode:
        pytest.skip(f"mounting is not permitted here: {bound.stderr.strip()}")
    subprocess.run(["mount", "-o", "remount,bind,ro", str(place)], check=True)
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_run_directory_is_made_with_its_parents(tmp_path: Path) -> None:
    with RunDirectory.open(tmp_path / "a" / "b") as run:
        assert run.paths.store.exists()
    assert sorted(path.name for path in (tmp_path / "a" / "b").iterdir()) == ["run.lock", "store.sqlite"]


def test_a_folder_with_an_odd_name_can_be_written_and_viewed(tmp_path: Path) -> None:
    folder = tmp_path / "embryo #1, 100%25 µm?mode=rw"
    with RunDirectory.open(folder) as run:
        _train(run)
    with view_run(folder) as view:
        assert view.store.require_stage("train").state == "done"


def test_a_second_run_in_the_same_directory_is_refused_and_the_first_goes_on(run: RunDirectory) -> None:
    with pytest.raises(StoreLockedError, match="another morula is working in this run directory"):
        RunDirectory.open(run.paths.path)
    assert _train(run)


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_directory_that_could_not_be_opened_is_not_left_locked(run: RunDirectory) -> None:
    run.close()
    good = run.paths.store.read_bytes()
    run.paths.store.write_bytes(b"not a database" * 100)
    with pytest.raises(StoreError, match="this is not a store, or it is damaged"):
        RunDirectory.open(run.paths.path)
    run.paths.store.write_bytes(good)
    RunDirectory.open(run.paths.path).close()


def test_a_file_in_the_place_of_the_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    with pytest.raises(StoreError, match="this is a file, a run needs a folder"):
        RunDirectory.open(tmp_path / "run")
    with pytest.raises(DiskError, match="a file where a folder should be"):
        RunDirectory.open(tmp_path / "run" / "inner")


def test_the_second_run_does_nothing(run: RunDirectory, blocks: list[Block]) -> None:
    assert (_train(run), _detect(run, blocks)) == (True, True)
    assert (_train(run), _detect(run, blocks)) == (False, False)


def test_a_changed_setting_runs_the_stages_it_touches_and_says_so(
    run: RunDirectory, blocks: list[Block], caplog: pytest.LogCaptureFixture
) -> None:
    _train(run)
    _detect(run, blocks)
    with caplog.at_level(logging.INFO, logger="morula"):
        assert (_train(run), _detect(run, blocks, threshold=0.25)) == (False, True)
    assert caplog.messages == [
        "train is done, nothing has changed",
        "detect runs again: detect.threshold 0.3 → 0.25",
    ]


def test_clearing_a_stage_takes_its_files_and_what_stands_on_it(run: RunDirectory, blocks: list[Block]) -> None:
    _train(run)
    _detect(run, blocks)
    run.paths.report.write_text("old")
    with run.stage("report", {}, after=["detect"], outputs=[run.paths.report]):
        run.paths.report.write_text("report")
    checkpoint = run.paths.model / "checkpoint.bin"
    checkpoint.write_text("of the old settings")
    with run.stage("train", {"train": {"rate": 0.2}}, outputs=[run.paths.model / "weights.bin"]) as stage:
        assert not stage.resumed
        assert not checkpoint.exists()
        assert not run.paths.report.exists()
        assert [record.name for record in run.store.read_stages()] == ["train"]


def test_a_stage_that_goes_on_finds_its_checkpoint(run: RunDirectory) -> None:
    checkpoint = run.paths.path / "checkpoint.bin"

    def train_half_way(found: bool) -> None:
        with run.stage("train", {}, scratch=[checkpoint]) as stage:
            assert (stage.resumed, checkpoint.exists()) == (found, found)
            checkpoint.write_text("half way")
            raise KeyboardInterrupt

    for found in (False, True):
        with pytest.raises(KeyboardInterrupt):
            train_half_way(found)


def test_a_left_over_checkpoint_of_an_unknown_run_is_not_trusted(run: RunDirectory) -> None:
    checkpoint = run.paths.path / "checkpoint.bin"
    checkpoint.write_text("of a store that was removed by hand")
    with run.stage("train", {}, scratch=[checkpoint]):
        assert not checkpoint.exists()


def test_a_stage_whose_output_went_missing_runs_again(run: RunDirectory, blocks: list[Block]) -> None:
    _train(run)
    _detect(run, blocks)
    (run.paths.model / "weights.bin").unlink()
    assert (_train(run), _detect(run, blocks)) == (True, True)


def test_a_kill_between_clearing_files_and_rows_forgets_neither(
    run: RunDirectory, blocks: list[Block], monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(stage: object, *, cleared: object) -> None:
        raise KeyboardInterrupt

    _train(run)
    _detect(run, blocks)
    with monkeypatch.context() as patch:
        patch.setattr(run.store, "begin_stage", kill)
        with pytest.raises(KeyboardInterrupt):
            _train(run, rate=0.2)
    assert not (run.paths.model / "weights.bin").exists()
    assert (_train(run), _detect(run, blocks)) == (True, True)  # with the old settings: the weights are gone


def test_another_number_of_blocks_is_another_stage(run: RunDirectory, blocks: list[Block]) -> None:
    _train(run)
    _detect(run, blocks)
    assert _detect(run, blocks[:4])
    assert run.store.read_done_blocks("detect") == {0, 1, 2, 3}


def test_a_stage_cannot_begin_before_the_one_it_needs(run: RunDirectory, blocks: list[Block]) -> None:
    with pytest.raises(StoreError, match="train is not done"):
        _detect(run, blocks)


@pytest.mark.parametrize("name", ["..", ".", "store.sqlite", "run.lock", "../other/report.html", "model/../.."])
def test_a_stage_owns_nothing_outside_and_not_the_store(run: RunDirectory, name: str) -> None:
    with pytest.raises(StoreError, match="this cannot be a result of a stage"):
        run.stage("report", {}, outputs=[run.paths.path / name])
    assert run.store.read_stages() == ()


def test_a_run_reached_by_a_relative_path_owns_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with RunDirectory.open("run") as run:
        assert _train(run)
        assert not _train(run)
        (record,) = run.store.read_stages()
        assert record.files == ("model/weights.bin", "model/checkpoint.bin")


def test_a_view_reads_beside_the_writer(
    run: RunDirectory, blocks: list[Block], graph: CandidateGraph, selection: Selection
) -> None:
    _train(run)
    with run.stage("detect", {}, after=["train"]) as stage:
        stage.write_block(blocks[0], graph.nodes, 0.1)
    with run.stage("candidates", {}, after=["detect"]) as stage:
        stage.write_graph(graph)
    with run.stage("solve", {}, after=["candidates"]) as stage:
        stage.write_selection(selection)
    with view_run(run.paths.path) as view:
        assert view.store.read_graph().n_edges == 5
        assert view.store.read_selection().objective == -1.25
        assert view.paths.report == run.paths.report


def test_a_read_only_run_can_be_viewed_and_says_why_it_cannot_be_opened(readonly: Path) -> None:
    with view_run(readonly) as view:
        assert [record.state for record in view.store.read_stages()] == ["done", "done"]
    with pytest.raises(DiskError, match=r"run\.lock: this place cannot be written to"):
        RunDirectory.open(readonly)
