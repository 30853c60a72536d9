"""The stage `solve` in blocks: run by an engine, each block stored with its done mark, gone on with after a kill.

A block waits for those whose decisions it has to know, and is handed its own part of the graph with these decisions
in it when its turn comes; after a kill the decisions of the blocks that are done are read back. What a block does
depends on the plan and on these decisions alone, so that neither a kill nor the number of workers changes the lineages.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from functools import partial

from morula.core.blocks import Block
from morula.core.graph import CandidateGraph
from morula.core.lineages import Selection
from morula.core.progress import ProgressSink
from morula.engine.engine import BlockJob, Engine
from morula.solve.blocks.plan import choose_context, plan_blocks
from morula.solve.blocks.solve import Decisions, solve_block
from morula.solve.blocks.view import CutProblem
from morula.solve.graph import finish_selection
from morula.solve.params import SolveParams
from morula.solve.problem.problem import Problem
from morula.store.run_directory import RunDirectory
from morula.store.stage import Stage

_LOG = logging.getLogger(__name__)


def solve_stage_in_blocks(
    run: RunDirectory,
    settings: Mapping[str, object],
    params: SolveParams,
    pose: Callable[[CandidateGraph], Problem],
    engine: Engine,
    progress: ProgressSink,
) -> None:
    """Solve the candidate graph of a run block by block, or what is left of it.

    Parameters
    ----------
    run
        The run; its stages `candidates` and `tune` are done.
    settings
        What the result depends on beside these.
    params
        Tuned weights, limits, and size and context of the blocks.
    pose
        Makes the problem of the graph: costs and hand corrections.
    engine
        How blocks are run.
    progress
        Listener.

    Raises
    ------
    ConfigError
        If the context is too small for the graph's links, or the blocks are; nothing is cleared then.
    AnnotationError, SolveError
        If hand corrections match nothing or exclude each other; nothing is cleared then either.
    BlocksFailedError
        If blocks failed; those that are done are kept. Blocks that wait for failed ones were not begun.
    """
    graph = run.store.read_graph()
    plan = plan_blocks(graph, params, choose_context(graph, params))
    with run.stage(
        "solve", settings, after=["candidates", "tune"], n_blocks=len(plan.blocks), check=partial(pose, graph)
    ) as stage:
        if stage.done:
            return
        began = time.perf_counter()
        progression = _Progression(
            stage, CutProblem.of(graph, pose(graph), plan), run.store.read_block_selections("solve")
        )
        progression.solve_rest(params, engine, progress)
        solution = progression.decisions.join(bound=params.block_bound)
        selection = finish_selection(graph, progression.cut.problem, solution, params, began)
        stage.write_selection(selection, summary=progression.summarise())
        tell_choice(graph, selection)


class _Progression:
    """The blocks of a stage on their way: what they decided, and which are done."""

    def __init__(self, stage: Stage, cut: CutProblem, solved: dict[int, Selection]) -> None:
        self.stage, self.cut, self.solved = stage, cut, solved
        self.decisions = Decisions(cut)
        for number, selection in solved.items():
            self.decisions.add(number, selection)

    def solve_rest(self, params: SolveParams, engine: Engine, progress: ProgressSink) -> None:
        """Solve the blocks that are not done."""
        plan = self.cut.plan
        pending = [block for block in plan.blocks if block.index not in self.solved]
        job = BlockJob(
            stage=self.stage.name,
            blocks=pending,
            work=partial(solve_block, params=params),
            n_done_before=len(self.solved),
            weigh=lambda block: float(len(self.cut.written_rows(block.index)[0])),
            unit="detections",
            waits_for={b.index: [n for n in plan.dependencies[b.index] if n not in self.solved] for b in pending},
            hand=lambda block: self.cut.look_at(block.index, self.decisions.pins),
        )
        summary = engine.run_blocks(job, on_done=self._keep, on_failed=self.stage.write_failed_block, progress=progress)
        if summary.failures:
            self.stage.finish()  # refuses, and names the blocks

    def _keep(self, block: Block, selection: Selection, seconds: float) -> None:
        self.stage.write_block_selection(block, selection, seconds)
        self.decisions.add(block.index, selection)
        self.solved[block.index] = selection

    def summarise(self) -> dict[str, object]:
        """Return figures for the report: how many blocks, how many of them optimal, and the largest gap of one."""
        optimal = sum(selection.status == "optimal" for selection in self.solved.values())
        gap = max((selection.gap for selection in self.solved.values()), default=0.0)
        return {
            "amount": self.cut.problem.n,
            "unit": "detections",
            "blocks_optimal": optimal,
            "largest_block_gap": gap,
        }


def tell_choice(graph: CandidateGraph, selection: Selection) -> None:
    """Log how many detections were chosen and how good the choice is; warn if there are none."""
    chosen = int(selection.node_selected.sum())
    if graph.nodes.n and not chosen:
        _LOG.warning("no lineage is worth its cost; look at the scores in the report and at [solve]")
    _LOG.info("%d of %d detections chosen: %s, gap %.2g", chosen, graph.nodes.n, selection.status, selection.gap)
