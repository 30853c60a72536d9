"""A chunk of the movie that breaks while detection runs: its blocks fail by name, all others are done and kept."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from processes import BLOCKS, THOROUGH
from traces import check_blocks, list_left_overs, read_results, read_tables

from morula.config import read_config
from morula.core.progress import Progress
from morula.engine.choose import open_engine
from morula.errors import BlocksFailedError
from morula.pipeline import run_pipeline

pytestmark = pytest.mark.long

Command = Callable[..., subprocess.CompletedProcess[str]]


class _Breaking:
    """A listener that cuts a chunk of the movie short when the blocks of a stage begin."""

    def __init__(self, chunk: Path, stage: str) -> None:
        self.chunk, self.stage, self.kept = chunk, stage, chunk.read_bytes()

    def __call__(self, event: Progress) -> None:
        if event.stage == self.stage:
            self.chunk.write_bytes(self.kept[:40])


@pytest.mark.parametrize("workers", [1, 2] if THOROUGH else [1])
def test_a_chunk_that_breaks_during_detection_costs_its_blocks_until_it_is_mended(
    workers: int, fresh: Path, undisturbed: Path, morula: Command
) -> None:
    settings = dict(option.removeprefix("--set=").split("=") for option in BLOCKS)
    breaking = _Breaking(fresh / "embryo/movie.ome.zarr/0/c/3/0/0/0", "detect")
    config = read_config(fresh / "run.toml", settings)
    with (
        open_engine(workers=workers) as engine,
        pytest.raises(BlocksFailedError, match=r"detect: 3 of 6 blocks failed, 0 were not run; 3 are done"),
    ):
        run_pipeline(config, fresh / "run", engine=engine, progress=breaking)
    check_blocks(fresh / "run")
    run = ("run", fresh / "run.toml", "--run-dir", fresh / "run", "--workers", workers, *BLOCKS)
    still = morula(*run)
    assert still.returncode == 3, still.stderr
    assert "BlocksFailedError: detect: 3 of 6 blocks failed, 0 were not run; 3 are done and kept" in still.stderr
    for t in (2, 3, 4):  # a block sees the frames before and after its own
        assert re.search(rf"block {t} \(t {t}:{t + 1},.*movie\.ome\.zarr/0: voxels .* cannot be read", still.stderr)
    assert "c/3/0/0/0" in still.stderr
    assert "Traceback" not in still.stderr
    breaking.chunk.write_bytes(breaking.kept)
    mended = morula(*run)
    assert mended.returncode == 0, mended.stderr
    assert "detect goes on where it stopped: 3 of 6 blocks are done" in mended.stderr
    assert read_results(fresh / "run") == read_results(undisturbed / "run")
    assert read_tables(fresh / "run") == read_tables(undisturbed / "run")
    assert list_left_overs(fresh / "run") == []


def test_a_chunk_that_breaks_between_two_rounds_of_training_is_named_and_mended(
    fresh: Path, undisturbed: Path, morula: Command
) -> None:
    """The blocks that the second round of training learns from are larger; the one with the chunk fails."""
    settings = dict(option.removeprefix("--set=").split("=") for option in BLOCKS)
    breaking = _Breaking(fresh / "embryo/movie.ome.zarr/0/c/5/0/0/0", "detect-1")
    with pytest.raises(BlocksFailedError, match=r"detect-1: 1 of \d+ blocks failed"):
        run_pipeline(read_config(fresh / "run.toml", settings), fresh / "run", progress=breaking)
    breaking.chunk.write_bytes(breaking.kept)
    mended = morula("run", fresh / "run.toml", "--run-dir", fresh / "run", *BLOCKS)
    assert mended.returncode == 0, mended.stderr
    assert "train-1 is done, nothing has changed" in mended.stderr
    assert read_results(fresh / "run") == read_results(undisturbed / "run")
