"""Whole runs whose tables are in PostgreSQL: the same exports, secrets kept, and the server killed on the way."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from postgres_server import PASSWORD, PostgresServer

from morula.config import read_config
from morula.core.progress import Progress
from morula.errors import StoreError
from morula.pipeline import run_pipeline

Command = Callable[..., subprocess.CompletedProcess[str]]

BLOCKS = {
    "detect.threshold": "0.09",  # other blocks alone detect nothing anew
    "detect.block_frames": "1",
    "detect.block_megavoxels": "0.2",
    "solve.block_frames": "2",
}
OPTIONS = [f"--set={key}={value}" for key, value in BLOCKS.items()]


def read_exports(run: Path) -> dict[str, bytes]:
    exports = run / "exports"
    return {str(path.relative_to(exports)): path.read_bytes() for path in sorted(exports.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def mortal(server: PostgresServer) -> Iterator[PostgresServer]:
    """A server that may be killed."""
    with PostgresServer("fsync=off") as started:
        yield started


@pytest.fixture(scope="module")
def finished(mortal: PostgresServer, tiny_embryo: Path, tmp_path_factory: pytest.TempPathFactory, morula: Command):
    """The tiny embryo with a run in PostgreSQL whose address, in the environment, has a password; what was said."""
    folder = tmp_path_factory.mktemp("postgres") / "tiny"
    shutil.copytree(tiny_embryo, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MORULA_STORE", mortal.network_url())
        done = morula("run", folder / "run.toml", "--run-dir", folder / "run")
        status = morula("status", folder / "run")
    assert done.returncode == 0, done.stderr
    assert status.returncode == 0, status.stderr
    return folder, "".join([done.stdout, done.stderr, status.stdout, status.stderr])


def test_a_run_in_postgres_exports_what_a_run_in_a_file_exports(finished, tiny_run: Path) -> None:
    folder, _ = finished
    assert (folder / "run" / "store.json").exists()
    assert not (folder / "run" / "store.sqlite").exists()
    assert read_exports(folder / "run") == read_exports(tiny_run / "run")


def test_the_password_is_in_no_file_and_in_nothing_that_was_said(finished, mortal: PostgresServer) -> None:
    folder, said = finished
    forms = [PASSWORD, PASSWORD.replace("/", "%2F").replace(" ", "%20"), PASSWORD.split("/")[0]]
    files = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert {"config.toml", "versions.json", "morula.log", "report.html", "store.json"} <= {path.name for path in files}
    assert f'url = "postgresql://postgres@127.0.0.1:{mortal.port}/postgres"' in (folder / "run/config.toml").read_text()
    for form in forms:
        assert form not in said
        assert [path for path, content in files.items() if form.encode() in content] == []


def test_an_export_and_a_second_run_find_the_database_by_themselves(
    finished, mortal: PostgresServer, morula: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = finished
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    exported = morula("export", folder / "run", "--out", tmp_path / "lineages.csv")
    assert exported.returncode == 0, exported.stderr
    assert (tmp_path / "lineages.csv").read_bytes() == (folder / "run/exports/lineages.csv").read_bytes()
    before = (folder / "run/report.html").stat().st_mtime_ns
    again = morula("run", folder / "run.toml", "--run-dir", folder / "run")
    assert again.returncode == 0, again.stderr
    assert (folder / "run/report.html").stat().st_mtime_ns == before


def test_no_process_shows_the_password(finished, tmp_path: Path, mortal: PostgresServer) -> None:
    """Neither morula nor the server while a connection is open."""
    folder, _ = finished
    program = (
        "import sys; from morula.store.run_directory import view_run\n"
        "with view_run(sys.argv[1]): print('open', flush=True); sys.stdin.readline()"
    )
    environment = {**os.environ, "MORULA_STORE": mortal.network_url()}
    command = [sys.executable, "-c", program, str(folder / "run")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as other:
        assert other.stdout.readline() == "open\n"
        shown = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
        assert any("postgres: postgres postgres 127.0.0.1" in title for title in shown)
        assert [title for title in shown if PASSWORD in title or "cave%20canem" in title] == []
        other.communicate("done\n")
    assert other.returncode == 0


@pytest.mark.parametrize("option", ["--store={}", "--set=store.url={}", "--set=store.url='{}'"])
def test_a_password_on_the_command_line_is_refused_and_not_repeated(
    tiny_embryo: Path, tmp_path: Path, morula: Command, option: str
) -> None:
    text = option.format("postgresql://ada:s3cret@db.lab/embryos")
    done = morula("run", tiny_embryo / "run.toml", "--run-dir", tmp_path / "run", text)
    assert done.returncode == 1
    assert "can be read by everybody on this machine" in done.stderr
    assert "MORULA_STORE" in done.stderr
    assert "s3cret" not in done.stderr + done.stdout
    assert not (tmp_path / "run").exists()


def test_a_password_in_the_configuration_works_and_is_not_copied(
    finished, mortal: PostgresServer, morula: Command, tmp_path: Path
) -> None:
    folder, _ = finished
    own = tmp_path / "own"
    shutil.copytree(folder / "embryo", own / "embryo")
    shutil.copytree(folder / "run", own / "run")
    text = (folder / "run.toml").read_text()
    (own / "run.toml").write_text(f'{text}\n[store]\nurl = "{mortal.network_url()}"\n')
    done = morula("run", own / "run.toml", "--run-dir", own / "run")
    assert done.returncode == 0, done.stderr
    written = [path for path in (own / "run").rglob("*") if path.is_file() and b"canem" in path.read_bytes()]
    assert (written, "canem" in done.stderr) == ([], False)


def test_the_environment_is_for_new_runs_only(tiny: Path, morula: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("psycopg", reason="psycopg is not installed (the extra `cluster`)")
    monkeypatch.setenv("MORULA_STORE", "postgresql://ada:s3cret@127.0.0.1:1/embryos")
    done = morula("run", tiny / "run.toml", "--run-dir", tiny / "run")
    assert done.returncode == 0, done.stderr
    fresh = morula("run", tiny / "run.toml", "--run-dir", tiny / "new")
    assert fresh.returncode == 1
    assert "the database cannot be reached" in fresh.stderr
    assert "s3cret" not in fresh.stderr + (tiny / "new" / "morula.log").read_text()


class _Killing:
    """A listener that kills the server at the n-th event of a run."""

    def __init__(self, server: PostgresServer, after: int) -> None:
        self.server, self.left, self.heard = server, after, 0

    def __call__(self, event: Progress) -> None:
        self.heard += bool(event.stage)
        if self.heard == self.left:
            self.server.kill()


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.long), pytest.param(2, marks=pytest.mark.long)])
def test_a_run_whose_database_is_killed_says_so_and_ends_the_same_when_it_is_back(
    finished, tiny: Path, tmp_path: Path, mortal: PostgresServer, morula: Command, monkeypatch, seed: int
) -> None:
    """Blocks of one frame: training is kept, all from detection on is computed again."""
    whole = morula("run", tiny / "run.toml", "--run-dir", tiny / "run", *OPTIONS)
    assert whole.returncode == 0, whole.stderr
    folder = finished[0]
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    moment = int(np.random.default_rng(seed).integers(2, 14))
    run = tmp_path / "run"
    shutil.copytree(folder / "run", run)
    config = read_config(folder / "run.toml", {**BLOCKS, "detect.threshold": f"0.1000{seed + 1}"})
    killing = _Killing(mortal, moment)
    try:
        with pytest.raises(StoreError, match=r"the (database cannot be reached|connection to the database was lost)"):
            run_pipeline(config, run, progress=killing)
    finally:
        if killing.heard >= moment:
            mortal.start()
    assert killing.heard >= moment
    run_pipeline(read_config(folder / "run.toml", BLOCKS), run)
    assert read_exports(run) == read_exports(tiny / "run")
