"""The stage `tune` of a run: learned weights, and a grid that goes on where it was interrupted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from morula.config import build_config
from morula.core.blocks import Block
from morula.core.detections import Detections
from morula.core.graph import CandidateGraph
from morula.core.tracks import Tracks
from morula.engine.engine import BlockJob
from morula.engine.serial import SerialEngine
from morula.errors import BlocksFailedError, SolveError
from morula.store.run_directory import RunDirectory, view_run
from morula.tune.grid import count_point
from morula.tuning import tune

FRAMES = 12
GRID = {"method": "grid", "break_even_scores": [0.1, 0.3], "node_score_weights": [-10.0, -20.0], "fewest_links": 5}
POINTS = 1 + 2 * 2 * 3 * 4


def begin_run(folder: Path) -> None:
    """Leave a run directory in which two cells, 20 µm apart, are linked through all frames."""
    t = np.repeat(np.arange(FRAMES), 2)
    zyx = np.tile([[0.0, 0.0, 0.0], [0.0, 0.0, 20.0]], (FRAMES, 1))
    nodes = Detections(t=t, zyx_um=zyx, score=np.tile([0.8, 0.5], FRAMES), movement_um=0 * zyx)
    edges = np.stack([np.arange(2 * FRAMES - 2), np.arange(2, 2 * FRAMES)], axis=1)
    with RunDirectory.open(folder) as run:
        with run.stage("detect", {}) as stage:
            box = tuple(slice(0, 30) for _ in range(4))
            stage.write_block(Block(0, box, box), nodes, 0.1)
        with run.stage("candidates", {}, after=["detect"]) as stage:
            stage.write_graph(CandidateGraph(nodes=nodes, edges=edges, distance_um=np.full(len(edges), 0.5)))


def run_stage(folder: Path, settings: dict[str, object], engine: SerialEngine | None = None) -> dict[str, object]:
    """Run the stage, or go on with it; return what it left."""
    config = build_config(
        {"movie": {"path": "m"}, "annotations": {}, "tune": settings, "solve": {"node_constant": 20.0}}
    )
    ids = list(range(FRAMES))
    val = Tracks.from_ids(ids, [[0.0, 0.0, 0.2]] * FRAMES, ids, [-1, *ids[:-1]])
    inputs = SimpleNamespace(
        val=val, movie=SimpleNamespace(extent_um=np.full(3, 30.0)), identify=lambda *_: {"val": "1"}
    )
    with RunDirectory.open(folder) as run:
        tune(run, inputs, config, engine or SerialEngine(), lambda _: None)
        return run.store.require_stage("tune").summary


class Stopping(SerialEngine):
    """An engine that is interrupted after some points, as by Ctrl-C."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.left = after

    def run_blocks(self, job: BlockJob, *, on_done: Callable, **others: object):
        def count(*done: object) -> None:
            if self.left == 0:
                raise KeyboardInterrupt
            self.left -= 1
            on_done(*done)

        return super().run_blocks(job, on_done=count, **others)


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    begin_run(tmp_path / "run")
    return tmp_path / "run"


def test_an_interrupted_grid_goes_on_at_the_point_where_it_stopped(
    begun: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin_run(tmp_path / "undisturbed")
    whole = run_stage(tmp_path / "undisturbed", GRID)
    with pytest.raises(KeyboardInterrupt):
        run_stage(begun, GRID, Stopping(after=20))
    counted: list[int] = []

    def note(block, work):
        counted.append(block.index)
        return count_point(block, work)

    monkeypatch.setattr("morula.tuning.count_point", note)
    assert run_stage(begun, GRID) == whole
    assert counted == list(range(20, POINTS))
    assert run_stage(begun, GRID) == whole
    assert len(counted) == POINTS - 20, "a grid that is done is not counted again"
    with view_run(begun) as run:
        assert run.store.read_block_counts("tune") == {i: one["errors"] for i, one in enumerate(whole["tried"])}


def test_a_grid_with_another_point_is_counted_anew(begun: Path) -> None:
    run_stage(begun, GRID)
    other = run_stage(begun, {**GRID, "start_costs": [4.0]})
    assert len(other["tried"]) == 1 + 2 * 2 * 4
    with view_run(begun) as run:
        assert len(run.store.read_block_counts("tune")) == 1 + 2 * 2 * 4


def test_points_that_failed_are_counted_by_the_next_run(begun: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail_at_seven(block, work):
        if block.index == 7:
            raise SolveError("no forest found.")
        return count_point(block, work)

    with monkeypatch.context() as patch:
        patch.setattr("morula.tuning.count_point", fail_at_seven)
        with pytest.raises(BlocksFailedError, match="tune: 1 of 49 blocks failed"):
            run_stage(begun, GRID)
    assert len(run_stage(begun, GRID)["tried"]) == POINTS


def test_learning_leaves_its_weights_and_their_reason(begun: Path) -> None:
    left = run_stage(begun, {"fewest_links": 5})
    given, learned = left["tried"]
    assert left["weights"] == {name: value for name, value in learned.items() if name != "errors"}
    assert given["node_constant"] == 20.0
    assert learned["errors"] == 0 < given["errors"]
    assert left["why"].startswith("learned from 11 validation links")


def test_with_too_few_links_nothing_is_tried(begun: Path) -> None:
    for settings in ({"fewest_links": 50}, {**GRID, "fewest_links": 50}):
        left = run_stage(begun, settings)
        assert left["tried"] == []
        assert left["weights"]["node_constant"] == 20.0
        assert "11 validation links, 50 are needed" in left["why"]
