"""The solver's blocks in a run: stored one by one, gone on with after a kill, never taken for solved if they failed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from morula.candidates.link import link_candidates
from morula.candidates.params import CandidatesParams
from morula.core.blocks import Block
from morula.core.detections import Detections
from morula.core.graph import CandidateGraph
from morula.core.lineages import Selection
from morula.core.progress import Progress
from morula.engine.choose import open_engine
from morula.engine.engine import BlockJob, Engine
from morula.engine.serial import SerialEngine
from morula.errors import BlocksFailedError, ConfigError
from morula.solve.blocks.solve import solve_block
from morula.solve.graph import pose_problem, solve_graph
from morula.solve.params import SolveParams
from morula.solving import solve_stage_in_blocks
from morula.store.run_directory import RunDirectory, view_run
from morula.store.status import read_status

PARAMS = SolveParams(block_frames=3, block_um=(30, 30, 30))


def make_graph() -> CandidateGraph:
    """Sixty cells that jitter around their places for ten frames, with some missed and some made up."""
    rng = np.random.default_rng(0)
    home = rng.uniform(0, 60, (60, 3))
    t, place = np.repeat(np.arange(10), 66), []
    for _ in range(10):
        place += [home + rng.normal(0, 1.5, home.shape), rng.uniform(0, 60, (6, 3))]
    zyx = np.concatenate(place)
    seen = rng.random(len(t)) > 0.05
    score = np.where(np.arange(len(t)) % 66 < 60, 0.85, 0.2)
    detections = Detections.sorted(t[seen], zyx[seen], score[seen], np.zeros((int(seen.sum()), 3)))
    return link_candidates(detections, CandidatesParams(max_distance_um=6.0))


def begin_run(folder: Path) -> None:
    """Leave a run directory in which all is done up to the solver."""
    graph = make_graph()
    with RunDirectory.open(folder) as run:
        with run.stage("detect", {}) as stage:
            box = tuple(slice(0, 60) for _ in range(4))
            stage.write_block(Block(0, box, box), graph.nodes, 0.1)
        with run.stage("candidates", {}, after=["detect"]) as stage:
            stage.write_graph(graph)
        with run.stage("tune", {}, after=["candidates"]):
            pass


def solve(
    folder: Path,
    params: SolveParams = PARAMS,
    *,
    engine: Engine | None = None,
    heard: list[Progress] | None = None,
) -> Selection:
    """Run the stage, or go on with it; return the selection as stored."""
    sink = [] if heard is None else heard
    with RunDirectory.open(folder) as run:
        solve_stage_in_blocks(
            run,
            {"block_um": params.block_um, "limit": params.time_limit_s},
            params,
            partial(pose_problem, params=params),
            engine or SerialEngine(),
            sink.append,
        )
        return run.store.read_selection()


class Stopping(SerialEngine):
    """An engine that is interrupted after some blocks, as by Ctrl-C."""

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


class Shuffled(SerialEngine):
    """An engine that runs the blocks of a job in any order that lets each wait for those it has to wait for."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.rng = np.random.default_rng(seed)

    def run_blocks(self, job: BlockJob, **others):
        left, order = list(job.blocks), []
        while left:
            done = {block.index for block in order}
            ready = [block for block in left if done.issuperset(job.waits_for[block.index])]
            order.append(ready[self.rng.integers(len(ready))])
            left.remove(order[-1])
        assert order != list(job.blocks)
        return super().run_blocks(replace(job, blocks=order), **others)


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    begin_run(tmp_path / "run")
    return tmp_path / "run"


def test_blocks_of_a_run_choose_what_the_solver_chooses_without_a_run(begun: Path) -> None:
    direct = solve_graph(make_graph(), PARAMS)
    stored = solve(begun)
    assert np.array_equal(stored.node_selected, direct.node_selected)
    assert np.array_equal(stored.edge_selected, direct.edge_selected)
    assert (stored.objective, stored.lower_bound) == (direct.objective, direct.lower_bound)
    assert 400 < stored.node_selected.sum() < 600


@pytest.mark.parametrize("seed", [0, 1])
def test_blocks_may_be_run_in_any_order_in_which_each_waits_for_its_neighbours(tmp_path: Path, seed: int) -> None:
    begin_run(tmp_path / "one")
    begin_run(tmp_path / "other")
    one, other = solve(tmp_path / "one"), solve(tmp_path / "other", engine=Shuffled(seed))
    assert np.array_equal(one.edge_selected, other.edge_selected)


def test_blocks_on_worker_processes_choose_what_this_process_chooses(tmp_path: Path, begun: Path) -> None:
    begin_run(tmp_path / "other")
    one = solve(begun)
    with open_engine(workers=2) as engine:
        other = solve(tmp_path / "other", engine=engine)
    assert np.array_equal(one.edge_selected, other.edge_selected)


def test_an_interrupted_run_goes_on_at_the_block_where_it_stopped(begun: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = solve_graph(make_graph(), PARAMS)
    with pytest.raises(KeyboardInterrupt):
        solve(begun, engine=Stopping(after=17))
    status = read_status(begun).stages[-1]
    total = status.blocks_total
    assert (status.state, status.blocks_done) == ("interrupted", 17)
    assert total > 30
    solved: list[int] = []

    def note(block, view, **others):
        solved.append(block.index)
        return solve_block(block, view, **others)

    monkeypatch.setattr("morula.solving.solve_block", note)
    heard: list[Progress] = []
    selection = solve(begun, heard=heard)
    assert len(solved) == len(set(solved)) == total - 17
    assert np.array_equal(selection.edge_selected, whole.edge_selected)
    assert {event.total for event in heard} == {total}
    assert (heard[0].done, heard[-1].done) == (17, total)
    assert solve(begun).objective == selection.objective  # done: nothing is solved a third time
    assert len(solved) == total - 17


def test_every_block_leaves_its_status_and_gap(begun: Path) -> None:
    solve(begun)
    with view_run(begun) as run:
        blocks = run.store.read_block_selections("solve")
        summary = run.store.require_stage("solve").summary
    assert sorted(blocks) == list(range(len(blocks)))
    assert {(block.status, block.gap) for block in blocks.values()} == {("optimal", 0.0)}
    assert summary["blocks_optimal"] == len(blocks)
    assert summary["largest_block_gap"] == 0.0


def test_a_block_that_was_late_is_reported_and_solved_by_the_next_run(begun: Path) -> None:
    late = SolveParams(block_frames=3, block_um=(30, 30, 30), time_limit_s=1e-9)
    failed = r"solve: \d+ of 62 blocks failed, \d+ were not run; \d+ are done(.|\n)*block \d+ \(t .*: no forest found"
    with pytest.raises(BlocksFailedError, match=failed):
        solve(begun, late)
    with view_run(begun) as run:
        assert all(block.status == "optimal" for block in run.store.read_block_selections("solve").values())
        assert not set(run.store.read_block_selections("solve")) & {
            bad.block for bad in run.store.read_failed_blocks("solve")
        }
        assert run.store.find_stage("solve").state == "failed"
    assert solve(begun).status in ("optimal", "feasible")


def test_too_little_context_leaves_earlier_results_as_they_are(begun: Path) -> None:
    before = solve(begun)
    with pytest.raises(ConfigError, match="too small for this graph"):
        solve(begun, SolveParams(block_frames=3, context_um=(1, 1, 1)))
    with view_run(begun) as run:
        assert run.store.read_selection().objective == before.objective


def test_a_changed_block_size_solves_all_blocks_again(begun: Path) -> None:
    solve(begun)
    other = solve(begun, SolveParams(block_frames=3, block_um=(60, 60, 60)))
    with view_run(begun) as run:
        n_blocks = run.store.require_stage("solve").n_blocks
        assert len(run.store.read_block_selections("solve")) == n_blocks < 30
    assert other.node_selected.sum() > 400


_PROGRAM = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("test_solving_program", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
print("ready", flush=True)
selection = module.solve(module.Path(sys.argv[2]))
"""


def test_a_run_killed_without_warning_ends_with_the_same_selection(tmp_path: Path) -> None:
    begin_run(tmp_path / "run")
    whole, kills = solve_graph(make_graph(), PARAMS), 0
    command = [sys.executable, "-c", _PROGRAM, __file__, str(tmp_path / "run")]
    for wait_s in (0.1, 0.3, 60.0):
        with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "OMP_NUM_THREADS": "1"}) as process:
            assert process.stdout.readline() == b"ready\n"
            try:
                assert process.wait(wait_s) == 0
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                kills += 1
    assert kills > 0
    with view_run(tmp_path / "run") as run:
        assert np.array_equal(run.store.read_selection().edge_selected, whole.edge_selected)


def test_a_whole_run_takes_blocks_and_says_so(tiny: Path, morula: Callable) -> None:
    settings = ["--set", "solve.block_frames=2", "--set", "solve.context_frames=2"]
    done = morula("run", tiny / "run.toml", "--run-dir", tiny / "run", *settings, "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)["solve"]
    assert 0 <= result["gap"] < 0.1
    stage = next(
        s for s in json.loads(morula("status", tiny / "run", "--json").stdout)["stages"] if s["name"] == "solve"
    )
    assert (stage["blocks_total"], stage["blocks_done"]) == (3, 3)
    again = morula("run", tiny / "run.toml", "--run-dir", tiny / "run", *settings)
    assert "solve is done, nothing has changed" in again.stderr


def test_a_gap_that_is_not_known_is_still_json(tiny: Path, morula: Callable) -> None:
    settings = ["--set", "solve.block_frames=3", "--set", "solve.block_bound=false"]
    done = morula("run", tiny / "run.toml", "--run-dir", tiny / "run", *settings, "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout, parse_constant=pytest.fail)["solve"]
    assert result["status"] == "feasible"
