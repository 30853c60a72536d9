"""How a movie is cut is fixed when detection begins: recorded, gone on with, and no reason to run anything again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from morula import detecting
from morula.core.movie import Movie
from morula.core.tracks import Tracks
from morula.detect.memory import Memory
from morula.detect.params import DetectParams
from morula.detecting import Search, run_detection
from morula.engine.serial import SerialEngine
from morula.errors import ConfigError
from morula.inputs import Inputs
from morula.network.build import build_network
from morula.network.model import build_model, save_model
from morula.network.spec import NetworkSpec
from morula.store.run_directory import RunDirectory

SPEC = NetworkSpec(voxel_size_um=(2.0, 1.0, 1.0), stem_stride=(1, 2, 2), downsampling=((1, 2, 2),), channels=(4, 4))
PARAMS = DetectParams(threshold=0.017, window_um=2.5, block_frames=1)
NOBODY = Tracks(t=np.zeros(0, np.int32), zyx_um=np.zeros((0, 3)), id=np.zeros(0, int), parent_row=np.zeros(0, int))


@pytest.fixture
def run(tmp_path: Path) -> Iterator[RunDirectory]:
    """A run with a network that nobody trained."""
    with RunDirectory.open(tmp_path / "run") as run:
        with run.stage("train", {}) as stage:
            run.paths.model.mkdir()
            save_model(build_model(SPEC, build_network(SPEC).state_dict()), weights_of(run))
            stage.finish()
        yield run


def weights_of(run: RunDirectory) -> Path:
    return run.paths.model / "weights.safetensors"


def make_inputs(mask: np.ndarray | None = None) -> Inputs:
    tzyx = np.random.default_rng(0).integers(0, 100, (3, 6, 120, 130), np.uint16)
    return Inputs(Movie(tzyx, (2.0, 1.0, 1.0), mask_tzyx=mask), NOBODY, NOBODY, None)


def detect(run: RunDirectory, params=PARAMS, *, inputs=None, stop_after=None, memory=None) -> None:
    """Detect; with `stop_after`, Ctrl-C comes after so many blocks."""

    def progress(event) -> None:
        if event.done == stop_after:
            raise KeyboardInterrupt

    search = Search(name="detect", after="train", weights=weights_of(run), params=params, memory=memory)
    run_detection(run, inputs or make_inputs(), search, SerialEngine(), progress)


def cutting(run: RunDirectory) -> dict:
    return run.store.find_stage("detect").settings["cutting"]


def a_machine_of(monkeypatch, megabytes: float) -> None:
    """Let this machine have so much memory for each core's block."""
    monkeypatch.setattr(detecting, "measure_core_bytes", lambda: megabytes * 1e6 / 0.6)


def test_blocks_are_as_large_as_the_memory_allows(run, monkeypatch) -> None:
    a_machine_of(monkeypatch, 4000)
    detect(run)
    assert cutting(run)["shape_tzyx"][0] == 1
    assert run.store.find_stage("detect").n_blocks == 3
    assert cutting(run)["asked"] == {"block_frames": 1, "block_megavoxels": None, "memory_gib": None}


def test_an_interrupted_stage_goes_on_with_its_blocks_on_a_smaller_machine(run, monkeypatch, caplog) -> None:
    a_machine_of(monkeypatch, 643)
    with pytest.raises(KeyboardInterrupt):
        detect(run, stop_after=2)
    begun = cutting(run)
    assert run.store.find_stage("detect").n_blocks > 6
    a_machine_of(monkeypatch, 641)
    with caplog.at_level("INFO", logger="morula"):
        detect(run)
    assert "detect goes on where it stopped: 2 of" in caplog.text
    assert "set detect.memory_gib to cut smaller blocks" in caplog.text
    assert cutting(run) == begun


def test_an_interrupted_stage_is_cut_anew_if_other_blocks_are_asked_for(run, caplog) -> None:
    with pytest.raises(KeyboardInterrupt):
        detect(run, stop_after=1)
    with caplog.at_level("INFO", logger="morula"):
        detect(run, replace(PARAMS, block_megavoxels=0.05))
    assert "detect runs again" in caplog.text
    assert "cutting.asked.block_megavoxels null → 0.05" in caplog.text
    assert run.store.find_stage("detect").state == "done"


def test_a_finished_stage_stays_finished_whatever_the_blocks(run, monkeypatch) -> None:
    detect(run)
    begun, fingerprint = cutting(run), run.store.find_stage("detect").fingerprint
    a_machine_of(monkeypatch, 641)
    for params in (replace(PARAMS, block_megavoxels=0.05), replace(PARAMS, memory_gib=1.0), PARAMS):
        detect(run, params)
        assert (cutting(run), run.store.find_stage("detect").fingerprint) == (begun, fingerprint)


def test_another_threshold_detects_anew_with_blocks_for_this_machine(run, monkeypatch) -> None:
    detect(run)
    assert run.store.find_stage("detect").n_blocks == 3
    a_machine_of(monkeypatch, 643)
    detect(run, replace(PARAMS, threshold=0.02))
    assert run.store.find_stage("detect").n_blocks > 6


def test_too_little_memory_is_refused_before_anything_is_changed(run, monkeypatch) -> None:
    detect(run)
    before = run.store.find_stage("detect")
    a_machine_of(monkeypatch, 640.01)
    with pytest.raises(ConfigError, match=r"too little memory for this network[\s\S]*the smallest block sees") as error:
        detect(run, replace(PARAMS, threshold=0.02))
    assert run.store.find_stage("detect") == before
    detect(run, replace(PARAMS, threshold=0.02, memory_gib=float(error.value.fix.split()[3])))


def test_the_smallest_blocks_are_taken_where_a_fixed_memory_is_too_little(run) -> None:
    detect(run, memory=Memory(1.0))
    assert run.store.find_stage("detect").n_blocks > 20


def test_how_much_was_masked_is_told_also_of_blocks_done_before(run, caplog) -> None:
    mask = np.ones((3, 6, 120, 130), np.uint8)
    mask[:2] = 0
    with pytest.raises(KeyboardInterrupt):
        detect(run, inputs=make_inputs(mask), stop_after=1)
    with caplog.at_level("INFO", logger="morula"):
        detect(run, inputs=make_inputs(mask))
    assert "67 % of the voxels were masked or empty and were skipped" in caplog.text
    assert run.store.find_stage("detect").summary["skipped_share"] == pytest.approx(2 / 3)


def test_other_blocks_after_a_finished_run_repeat_nothing(tiny: Path, morula, caplog) -> None:
    """Neither training, whose second round learns from blocks of its own, nor detection."""
    before = {path: path.read_bytes() for path in (tiny / "run" / "exports").glob("*.csv")}
    os.utime(tiny / "run.toml")
    with caplog.at_level("INFO", logger="morula"):
        again = morula("run", tiny / "run.toml", "--run-dir", tiny / "run", "--set", "detect.block_megavoxels=0.2")
    assert again.returncode == 0, again.stderr
    for stage in ("train-1", "detect-1", "train", "detect", "candidates", "solve"):
        assert f"{stage} is done, nothing has changed" in caplog.text
    assert {path: path.read_bytes() for path in before} == before
