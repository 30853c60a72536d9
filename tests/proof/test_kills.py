"""Kill -9 a worker, the scheduler, the run and PostgreSQL in every stage: run again, and nothing is lost or doubled.

A seed chooses the stage, the victim and the moment; 56 seeds aim at every victim in every stage once. MORULA_KILLS says
how many, 10 if it says nothing: each of the first ten stages once. The outcome of each is appended to the file that
MORULA_KILLS_FILE names; `tell_kills.py` makes a table of it.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
import pytest
from postgres_server import PASSWORD, PostgresServer
from processes import KILLS, DaskCluster, Running
from traces import check_blocks, list_left_overs, read_results, read_tables

from morula.store.status import read_status

pytestmark = pytest.mark.long

StartRun = Callable[..., Running]

STAGES = (
    "drift", "train-1", "detect-1", "train", "detect", "candidates", "tune", "solve", "confidence", "blobs",
    "baseline", "evaluate", "export", "report",
)  # fmt: skip
VICTIMS = ("worker", "scheduler", "run", "postgres")
SAID = {
    "worker": (),
    "scheduler": ("the Dask scheduler was lost", "no Dask scheduler answers"),
    "run": (),
    "postgres": ("the database cannot be reached", "the connection to the database was lost"),
}
"""With which words a run may end whose victim was killed; it may always go on."""


@dataclass(frozen=True, slots=True)
class Kill:
    """What was killed, when, and how the run took it."""

    seed: int
    victim: str
    stage: str
    store: str
    seconds_in: float
    outcome: str
    said: str


@dataclass(frozen=True, slots=True)
class Scene:
    """All that a run works with and that can be killed."""

    start_run: StartRun
    cluster: DaskCluster
    server: PostgresServer

    def start(self, folder: Path, store: str) -> Running:
        self.cluster.restore()
        where = [f"--store={self.server.network_url('').replace(':@', '@')}"] if store == "postgres" else []
        return self.start_run(folder, f"--scheduler={self.cluster.address}", *where)

    def kill(self, victim: str, run: Running, rng: random.Random) -> bool:
        """Kill one of them; false if the run was over before."""
        if not run.alive:
            return False
        if victim == "run":
            return run.kill()
        if victim == "worker":
            return rng.choice(self.cluster.workers).kill()
        if victim == "scheduler":
            assert self.cluster.scheduler is not None
            return self.cluster.scheduler.kill()
        self.server.kill()
        time.sleep(rng.uniform(0.0, 1.0))
        self.server.start()
        return True


@pytest.fixture(scope="session")
def scene(start_run: StartRun, cluster: DaskCluster, server: PostgresServer) -> Scene:
    return Scene(start_run, cluster, server)


@pytest.fixture(scope="session")
def control(scene: Scene, tiny_embryo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with workers and PostgreSQL, of whom nobody was killed."""
    folder = Path(shutil.copytree(tiny_embryo, tmp_path_factory.mktemp("control") / "tiny"))
    run = scene.start(folder, "postgres")
    assert run.wait_for_end() == 0, run.said
    return folder


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)


def last_stage(said: str) -> str:
    """The stage a run was in, by its own words."""
    begun = [line.split()[0] for line in said.splitlines() if " begins" in line]
    return begun[-1] if begun else "start"


def strike(scene: Scene, folder: Path, undisturbed: Path, seed: int) -> Kill:
    """Run, kill somebody in the middle, and see how the run takes it."""
    lap, at = divmod(seed, len(STAGES))
    rng, wanted, victim = random.Random(seed), STAGES[at], VICTIMS[(at + lap) % len(VICTIMS)]
    store = "postgres" if victim == "postgres" else rng.choice(["postgres", "sqlite"])
    (seconds,) = (stage.seconds for stage in read_status(undisturbed / "run").stages if stage.name == wanted)
    for _ in range(8):  # short stages are over soon, and the run with them
        run = scene.start(folder, store)
        run.wait_for_words(f"{wanted} begins")
        began = time.monotonic()
        time.sleep(rng.uniform(0.0, seconds))
        waited, stage = time.monotonic() - began, last_stage(run.said)
        if scene.kill(victim, run, rng):
            break
        assert run.wait_for_end() == 0, run.said
        shutil.rmtree(folder / "run")
        seconds /= 2
    else:
        pytest.fail(f"{wanted} was always over before {victim} was killed")
    code = run.wait_for_end()
    ended = [line for line in run.said.splitlines() if "Error: " in line]
    assert "Traceback" not in run.said, run.said
    if victim == "run":
        assert code < 0
        outcome = "killed"
    elif code == 0:
        outcome = "went on"
    else:
        assert code == 1, run.said
        assert any(words in run.said for words in SAID[victim]), run.said
        outcome = "ended, code 1"
    return Kill(seed, victim, stage, store, round(waited, 3), outcome, ended[0] if ended else "")


def check_secrets(folder: Path, cluster: DaskCluster) -> None:
    """The password is in nothing that was said or written, and in no command line."""
    texts = {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    texts |= {"dask": cluster.said.encode()}
    texts |= {
        f"process {process.pid}": " ".join(process.info["cmdline"] or []).encode()
        for process in psutil.process_iter(["cmdline"])
    }
    for form in (b"cave canem", b"cave%20canem"):
        assert [name for name, text in texts.items() if form in text] == []


def test_a_run_with_workers_and_postgres_is_the_run_of_one_process(control: Path, undisturbed: Path) -> None:
    assert read_results(control / "run") == read_results(undisturbed / "run")
    assert read_tables(control / "run") == read_tables(undisturbed / "run")
    assert len(read_results(control / "run")) > 20


@pytest.mark.parametrize("seed", range(KILLS))
def test_whoever_is_killed_the_run_ends_with_the_same_bytes(
    seed: int, scene: Scene, fresh: Path, undisturbed: Path
) -> None:
    wanted = read_results(undisturbed / "run")
    kill = strike(scene, fresh, undisturbed, seed)
    check_blocks(fresh / "run")
    for name, content in read_results(fresh / "run").items():
        assert content == wanted[name], f"{name} was there half-written"
    again = scene.start(fresh, kill.store)
    assert again.wait_for_end() == 0, again.said
    assert "Traceback" not in again.said
    assert read_results(fresh / "run") == wanted
    assert read_tables(fresh / "run") == read_tables(undisturbed / "run")
    assert list_left_overs(fresh / "run") == []
    check_blocks(fresh / "run")
    check_secrets(fresh, scene.cluster)
    if "MORULA_KILLS_FILE" in os.environ:
        with Path(os.environ["MORULA_KILLS_FILE"]).open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(kill)) + "\n")
