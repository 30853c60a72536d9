"""What the proofs share: a server of their own that may be killed, workers, and runs that nobody disturbed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest
from postgres_server import PASSWORD, PostgresServer, find_programs
from processes import BLOCKS, DaskCluster, Running, make_context, run_morula

StartRun = Callable[..., Running]


@pytest.fixture(scope="session")
def context() -> ForkServerContext:
    pytest.importorskip("psycopg", reason="psycopg is not installed (the extra `cluster`)")
    return make_context()


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    """A PostgreSQL server that may be killed."""
    if find_programs() is None:
        pytest.skip("PostgreSQL is not installed (the Debian package `postgresql`)")
    with PostgresServer("fsync=off") as started:
        yield started


@pytest.fixture(scope="session")
def cluster(context: ForkServerContext, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    """A scheduler and two workers that may be killed."""
    cluster = DaskCluster(context, tmp_path_factory.mktemp("dask"))
    yield cluster
    cluster.close()


@pytest.fixture(scope="session")
def start_run(context: ForkServerContext) -> Iterator[StartRun]:
    """Start `morula run` on a folder with `run.toml`; what still runs in the end is killed."""
    started: list[Running] = []

    def start(folder: Path, *options: str) -> Running:
        said = folder / f"said-{len(started)}.txt"
        arguments = ["run", str(folder / "run.toml"), "--run-dir", str(folder / "run"), *BLOCKS, *options]
        process = context.Process(target=run_morula, args=(arguments, str(said), {"PGPASSWORD": PASSWORD}))
        started.append(Running(process, said))
        return started[-1]

    yield start
    for process in started:
        process.kill()


@pytest.fixture
def fresh(tmp_path: Path, tiny_embryo: Path) -> Path:
    """The tiny embryo, not run yet."""
    return Path(shutil.copytree(tiny_embryo, tmp_path / "fresh"))


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, tiny_embryo: Path, start_run: StartRun) -> Path:
    """A copy of the tiny embryo with a run in `run` by one process, into a file. Do not change it."""
    folder = Path(shutil.copytree(tiny_embryo, tmp_path_factory.mktemp("undisturbed") / "tiny"))
    run = start_run(folder)
    assert run.wait_for_end() == 0, run.said
    return folder
