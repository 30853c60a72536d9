"""Small blocks, detections and graphs for the store's tests."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from postgres_server import PostgresServer, find_programs

from morula.core.blocks import Block, tile_blocks
from morula.core.detections import Detections
from morula.core.graph import CandidateGraph
from morula.core.lineages import Selection
from morula.store.address import StoreUrl
from morula.store.places import Place, PostgresPlace
from morula.store.records import StageRecord
from morula.store.run_directory import RunDirectory
from morula.store.store import Store

MakeDetections = Callable[..., Detections]
MakeStage = Callable[..., StageRecord]


@pytest.fixture
def blocks() -> list[Block]:
    """Six blocks: two frames, three pieces along y."""
    return tile_blocks((2, 4, 12, 4), (1, 4, 4, 4), [(0, 0), (1, 1), (1, 1), (1, 1)])


@pytest.fixture
def make_detections() -> MakeDetections:
    """Detections as if found in a block: as many as asked, in its frames, different for every seed."""

    def make(block: Block, n: int = 5, seed: int = 0, divisions: bool = True) -> Detections:
        rng = np.random.default_rng([seed, block.index])
        t = rng.integers(block.write[0].start, block.write[0].stop, n)
        place, score, movement = rng.uniform(0, 9, (n, 3)), rng.uniform(0, 1, n), rng.normal(0, 1, (n, 3))
        known = rng.uniform(0, 1, (2, n)) if divisions else np.full((2, n), np.nan)
        return Detections.sorted(t, place, score, movement, *known)

    return make


@pytest.fixture
def make_stage() -> MakeStage:
    """A stage as the pipeline would ask for it."""

    def make(name: str = "detect", **changes: object) -> StageRecord:
        values: dict[str, object] = {
            "id": 0,
            "name": name,
            "fingerprint": "f0",
            "settings": {},
            "after": {},
            "files": (),
            "n_blocks": 6,
            "state": "running",
            "started": time.time(),
        }
        return StageRecord(**{**values, **changes})  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    """A PostgreSQL server for all tests that want one."""
    pytest.importorskip("psycopg", reason="psycopg is not installed (the extra `cluster`)")
    if find_programs() is None:
        pytest.skip("PostgreSQL is not installed (the Debian package `postgresql`)")
    with PostgresServer("fsync=off") as started:
        yield started


@pytest.fixture(params=["sqlite", "postgres"])
def store_url(request: pytest.FixtureRequest) -> StoreUrl | None:
    """Where a test's store shall be: with each back end once."""
    return None if request.param == "sqlite" else StoreUrl.parse(request.getfixturevalue("server").url)


@pytest.fixture
def place(store_url: StoreUrl | None, tmp_path: Path) -> Place:
    """The place of one new store."""
    return tmp_path / "store.sqlite" if store_url is None else PostgresPlace.new(store_url)


@pytest.fixture
def store(place: Place, make_stage: MakeStage) -> Iterator[Store]:
    """An open store in which `detect` has begun."""
    with Store.open(place, busy_timeout_s=0.2) as opened:
        opened.begin_stage(make_stage())
        yield opened


@pytest.fixture
def run(tmp_path: Path, store_url: StoreUrl | None) -> Iterator[RunDirectory]:
    """A new run directory, open."""
    with RunDirectory.open(tmp_path / "run", store=store_url, busy_timeout_s=0.2) as opened:
        yield opened


@pytest.fixture
def graph() -> CandidateGraph:
    r"""Three frames, a division and a crossing candidate.

        t=0    t=1    t=2
         0 ---- 1 ---- 3
          \      \
           \----- 2 -- 4
    """
    nodes = Detections.sorted(
        np.array([0, 1, 1, 2, 2]),
        np.array([[0, 0, 0], [0, 0, 1], [0, 0, 5], [0, 0, 2], [0, 0, 6.0]]),
        np.array([0.9, 0.8, 0.7, 0.6, 0.5]),
        np.zeros((5, 3)),
    )
    return CandidateGraph(
        nodes=nodes, edges=np.array([[0, 1], [0, 2], [1, 3], [2, 4], [1, 4]]), distance_um=np.array([1, 5, 1, 1, 4.0])
    )


@pytest.fixture
def selection() -> Selection:
    """The lineage 0-1-3 of `graph`."""
    return Selection(
        node_selected=np.array([True, True, False, True, False]),
        edge_selected=np.array([True, False, True, False, False]),
        objective=-1.25,
        lower_bound=-np.inf,
        status="feasible",
        seconds=0.5,
    )
