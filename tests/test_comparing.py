"""The baseline: blobs by every engine and in any blocks, gone on with after an interruption, linked by one process."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from morula import detecting
from morula.comparing import find_blobs, link_blobs
from morula.config import AnnotationsConfig, MovieConfig, RunConfig
from morula.core.movie import Movie
from morula.core.tracks import Tracks
from morula.engine.choose import open_engine
from morula.engine.engine import Engine
from morula.engine.serial import SerialEngine
from morula.errors import BlocksFailedError, ChunkError
from morula.inputs import Inputs
from morula.io.tracks.files import read_tracks
from morula.store.run_directory import RunDirectory

NOBODY = Tracks(t=np.zeros(0, np.int32), zyx_um=np.zeros((0, 3)), id=np.zeros(0, int), parent_row=np.zeros(0, int))
CONFIG = RunConfig(movie=MovieConfig(path="m"), annotations=AnnotationsConfig(train="t"))
CONFIG = replace(CONFIG, train=replace(CONFIG.train, blob_sigma_um=1.6), detect=replace(CONFIG.detect, block_frames=2))


class BrokenFrame:
    """Lazy pixels of which one frame cannot be read until it is mended."""

    def __init__(self, frames: np.ndarray, broken: int | None) -> None:
        self.frames, self.broken = frames, broken
        self.shape, self.dtype = frames.shape, frames.dtype

    def __getitem__(self, box):
        if self.broken in range(*box[0].indices(self.shape[0])):
            raise ChunkError(f"frame {self.broken}: a chunk is damaged.")
        return self.frames[box]


def draw_movie(dtype: type = np.uint16) -> np.ndarray:
    """Six frames of 24 nuclei that move along x, in noise."""
    rng = np.random.default_rng(5)
    shape, voxel = (16, 60, 70), np.array([2.0, 1.0, 1.0])
    grid = np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"), axis=-1) * voxel
    corners = np.stack(np.meshgrid([8, 22], [10, 30, 50], [8, 23, 38, 53], indexing="ij"), axis=-1).reshape(-1, 3)
    centres = corners + rng.uniform(-2, 2, corners.shape)
    frames = []
    for t in range(6):
        frame = rng.normal(100, 4, shape)
        for centre in centres + np.array([0, 0, 0.7 * t]):
            frame += 300 * np.exp(-((grid - centre) ** 2).sum(axis=-1) / (2 * 2.0**2))
        frames.append(frame)
    return np.array(frames).astype(dtype)


def make_inputs(tzyx: object) -> Inputs:
    return Inputs(Movie(tzyx, (2.0, 1.0, 1.0)), NOBODY, NOBODY, None)  # type: ignore[arg-type]


def run_baseline(
    folder: Path, tzyx: object, config: RunConfig = CONFIG, engine: Engine | None = None, stop_after: int | None = None
) -> bytes:
    """Run both stages and return the table; with `stop_after`, Ctrl-C comes after so many blocks."""

    def progress(event) -> None:
        if event.done == stop_after:
            raise KeyboardInterrupt

    with RunDirectory.open(folder) as run:
        find_blobs(run, make_inputs(tzyx), config, engine or SerialEngine(), progress)
        link_blobs(run, config)
    return (folder / "exports/baseline.csv").read_bytes()


def count_blocks(folder: Path) -> int:
    with RunDirectory.open(folder) as run:
        record = run.store.find_stage("blobs")
        assert record is not None
        return record.n_blocks


def a_machine_of(monkeypatch: pytest.MonkeyPatch, megabytes: float) -> None:
    """Let this machine have so much memory for each core's block."""
    monkeypatch.setattr(detecting, "measure_core_bytes", lambda: megabytes * 1e6 / 0.6)


@pytest.fixture(scope="module", params=[1, 2], ids=["serial", "dask"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    with open_engine(workers=request.param) as opened:
        yield opened


def test_neither_blocks_nor_workers_leave_a_trace(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tzyx = draw_movie()
    a_machine_of(monkeypatch, 4000)
    whole = run_baseline(tmp_path / "whole", tzyx)
    assert count_blocks(tmp_path / "whole") == 3
    a_machine_of(monkeypatch, 640.6)
    assert run_baseline(tmp_path / "cut", tzyx, engine=engine) == whole
    assert count_blocks(tmp_path / "cut") >= 12
    tracks = read_tracks(tmp_path / "whole/exports/baseline.csv")
    assert tracks.n == 6 * 24
    assert (tracks.parent_row >= 0).sum() == 5 * 24


def test_too_little_memory_for_anything_takes_the_smallest_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_machine_of(monkeypatch, 100)
    tzyx = draw_movie()[:2, 2:6, 6:14, 4:12]
    run_baseline(tmp_path / "run", tzyx)
    assert count_blocks(tmp_path / "run") == 4 * 8 * 8


def test_an_interrupted_search_goes_on_with_its_blocks_on_a_smaller_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tzyx = draw_movie()
    whole = run_baseline(tmp_path / "whole", tzyx)
    a_machine_of(monkeypatch, 4000)
    with pytest.raises(KeyboardInterrupt):
        run_baseline(tmp_path / "run", tzyx, stop_after=2)
    a_machine_of(monkeypatch, 641)
    with caplog.at_level(logging.INFO, logger="morula"):
        assert run_baseline(tmp_path / "run", tzyx) == whole
    assert "blobs goes on where it stopped: 2 of 3 blocks are done" in caplog.text


def test_what_cannot_be_read_is_named_and_only_that_is_repeated(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pixels = BrokenFrame(draw_movie(), None)
    inputs = make_inputs(pixels)
    inputs.identify("movie")  # before the chunk is damaged
    with RunDirectory.open(tmp_path / "run") as run:
        pixels.broken = 3
        with pytest.raises(BlocksFailedError, match="blobs: 1 of 3 blocks failed"):
            find_blobs(run, inputs, CONFIG, SerialEngine(), lambda _: None)
        pixels.broken = None
        with caplog.at_level(logging.INFO, logger="morula"):
            find_blobs(run, inputs, CONFIG, SerialEngine(), lambda _: None)
        link_blobs(run, CONFIG)
    assert "blobs goes on where it stopped: 2 of 3 blocks are done" in caplog.text
    assert read_tracks(tmp_path / "run/exports/baseline.csv").n == 6 * 24


def test_another_reach_links_again_and_seeks_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tzyx = draw_movie()
    first = run_baseline(tmp_path, tzyx)
    nearer = replace(CONFIG, candidates=replace(CONFIG.candidates, max_distance_um=0.02))
    with caplog.at_level(logging.INFO, logger="morula"):
        assert run_baseline(tmp_path, tzyx, nearer) != first
    assert "blobs is done, nothing has changed" in caplog.text
    assert "baseline runs again: candidates.max_distance_um" in caplog.text


def test_voxels_that_are_not_finite_are_counted_in_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_machine_of(monkeypatch, 640.6)
    tzyx = draw_movie(np.float32)
    tzyx[2, 0, 0, :5] = np.nan
    run_baseline(tmp_path, tzyx)
    assert "blobs: 5 voxels are not finite and count as background" in caplog.text
