"""A run killed with SIGKILL, again and again, at moments a seed chooses."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from morula.store.paths import RunPaths
from morula.store.places import find_place
from morula.store.run_directory import view_run
from morula.store.status import RunStatus, read_status

_PROGRAM = """
import sys
from pathlib import Path
import numpy as np
from morula.core.blocks import tile_blocks
from morula.core.detections import Detections
from morula.core.graph import CandidateGraph
from morula.core.lineages import Selection
from morula.store.disk import write_text
from morula.store.run_directory import RunDirectory

def detect(block):
    rng = np.random.default_rng(block.index)
    t = np.repeat(block.write[0].start, 300)
    return Detections.sorted(t, rng.uniform(0, 50, (300, 3)), rng.uniform(0, 1, 300), rng.normal(0, 1, (300, 3)))

def link(nodes):
    parent = np.flatnonzero(nodes.t < nodes.t.max())
    child = np.searchsorted(nodes.t, nodes.t[parent] + 1) + parent % 300
    return CandidateGraph(nodes=nodes, edges=np.stack([parent, child], 1), distance_um=parent / 7.0)

if sys.argv[2]:
    import morula.store.postgres
print("begun", flush=True)
blocks = tile_blocks((20, 4, 8, 4), (1, 4, 4, 4), [(0, 0)] * 4)
with RunDirectory.open(sys.argv[1], store=sys.argv[2] or None) as run:
    with run.stage("detect", {"detect": {"threshold": 0.3}}, n_blocks=len(blocks)) as stage:
        for block in () if stage.done else stage.pending_blocks(blocks):
            stage.write_block(block, detect(block), 0.1)
    with run.stage("candidates", {}, after=["detect"]) as stage:
        if not stage.done:
            stage.write_graph(link(run.store.read_detections()))
    graph = run.store.read_graph()
    with run.stage("solve", {}, after=["candidates"]) as stage:
        if not stage.done:
            kept = graph.distance_um > 100
            stage.write_selection(Selection(np.ones(graph.nodes.n, bool), kept, float(kept.sum()), 0.0, "greedy", 0.1))
    table = run.paths.exports / "lineages.csv"
    with run.stage("export", {}, after=["solve"], outputs=[table]) as stage:
        if not stage.done:
            chosen = graph.edges[run.store.read_selection().edge_selected]
            write_text(table, repr((graph.nodes.zyx_um.tolist(), chosen.tolist())))
"""
_BLOCKS, _PER_BLOCK = 40, 300


def _start(folder: Path, url: str | None = None) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", _PROGRAM, str(folder), url or ""], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"begun\n"
    return process


def _finish(process: subprocess.Popen[bytes], within_s: float) -> bool:
    """Wait so long, then kill; say whether the program had ended by itself."""
    with process:
        try:
            assert process.wait(within_s) == 0
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            return False
    return True


def _check_what_is_there(folder: Path) -> int:
    """Check that every done block has all its rows and no other block has any; return the number of done blocks."""
    with view_run(folder) as run:
        done = run.store.read_done_blocks("detect")
        rows = run.store._database.execute(
            "SELECT block, count(*) FROM detections GROUP BY block ORDER BY block"
        ).fetchall()
        assert rows == [(block, _PER_BLOCK) for block in sorted(done)]
    return len(done)


def _read_status_when_gone(folder: Path) -> RunStatus:
    """A server takes a moment to notice that a process is gone."""
    deadline = time.monotonic() + 10
    while (status := read_status(folder)).running:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return status


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What the program exports when nobody kills it."""
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    assert _finish(_start(folder), within_s=60)
    return (folder / "exports" / "lineages.csv").read_bytes()


@pytest.mark.parametrize(("store_url", "seed"), [("sqlite", 0), ("sqlite", 1), ("postgres", 2)], indirect=["store_url"])
def test_a_run_killed_at_random_moments_loses_no_block_and_ends_with_the_same_bytes(
    tmp_path: Path, undisturbed: bytes, store_url: str | None, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    folder = tmp_path / "run"
    latest_s = 0.15 if store_url is None else 0.4
    done_before = kills = 0
    while not _finish(
        _start(folder, store_url), within_s=rng.uniform(0.02, latest_s) if kills < 6 or not done_before else 60
    ):
        kills += 1
        latest_s *= 1.0 if done_before else 1.5  # a machine that is busy needs longer for its first block
        if find_place(RunPaths(folder)) is None:
            continue
        status = _read_status_when_gone(folder)
        assert all(stage.state in ("interrupted", "done") for stage in status.stages)
        done = _check_what_is_there(folder)
        assert done >= done_before
        done_before = done
    assert kills > 0
    assert done_before > 0
    assert (folder / "exports" / "lineages.csv").read_bytes() == undisturbed
    assert [stage.state for stage in read_status(folder).stages] == ["done"] * 4
