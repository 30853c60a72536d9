"""Fixtures every test may use: real data where there are some, and one tiny embryo that was run from end to end."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("patient", deadline=None)  # on a busy machine any example may take a second
settings.load_profile("patient")

ROOT = Path(__file__).resolve().parents[1]
Command = Callable[..., subprocess.CompletedProcess[str]]

TINY_CONFIG = """
[movie]
path = "embryo/movie.ome.zarr"
[annotations]
train = "embryo/train.csv"
val = "embryo/val.csv"
truth = "embryo/truth.csv"
[train]
iterations = 40
second_iterations = 9
learning_rate = 3e-3
average_decay = 0.8
batch_size = 1
crop_outputs = [4, 8, 8]
threads = 1
checkpoint_every = 3
validations = 1
[detect]
threads = 1
threshold = 0.1
block_frames = 2
[candidates]
max_distance_um = 12.0
[tune]
method = "grid"
break_even_scores = [0.05]
node_score_weights = [-50.0]
start_costs = [4.0]
division_costs = [1.0, 3.0]
fewest_links = 5
"""


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real movies and tracks; MORULA_TEST_DATA names it, by default ../shared/data beside the project."""
    folder = Path(os.environ.get("MORULA_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real data not found at {folder}; set MORULA_TEST_DATA to run this test")
    return folder


@pytest.fixture(scope="session")
def morula() -> Command:
    """The command line, run in this process: ``morula("status", folder).stdout``."""
    from morula.cli.app import execute_command

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        texts = [str(argument) for argument in arguments]
        with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
            code = execute_command(texts)
        return subprocess.CompletedProcess(texts, code, out.getvalue(), err.getvalue())

    return run


@pytest.fixture(scope="session")
def tiny_embryo(tmp_path_factory: pytest.TempPathFactory, morula: Command) -> Path:
    """Folder with `embryo` (12 cells, 6 frames, some dividing, two thirds annotated) and `run.toml`. Do not change it.

    The configuration trains for a second only: enough to find most cells, not to track them well.
    """
    folder = tmp_path_factory.mktemp("tiny-embryo")
    settings = ["annotate.share=0.7", "annotate.val_share=0.3", "embryo.cycle_frames=12"]
    size = ["--cells", 12, "--frames", 6]
    made = morula("synthetic", "--out", folder / "embryo", *size, *(f"--set={setting}" for setting in settings))
    assert made.returncode == 0, made.stderr
    (folder / "run.toml").write_text(TINY_CONFIG)
    return folder


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory, tiny_embryo: Path, morula: Command) -> Path:
    """A copy of `tiny_embryo` with its finished run in `run`. Do not change it."""
    folder = tmp_path_factory.mktemp("tiny-run") / "tiny"
    shutil.copytree(tiny_embryo, folder)
    done = morula("run", folder / "run.toml", "--run-dir", folder / "run")
    assert done.returncode == 0, done.stderr
    assert len((folder / "run" / "exports" / "lineages.csv").read_text().splitlines()) > 30, "hardly a cell was found"
    return folder


@pytest.fixture
def tiny(tmp_path: Path, tiny_run: Path) -> Path:
    """A copy of `tiny_run` of one's own (without checkpoints, which a finished run does not need)."""
    folder = tmp_path / "tiny"
    shutil.copytree(tiny_run, folder, ignore=shutil.ignore_patterns("*checkpoint*"))
    return folder
