"""What solving in blocks costs: loss against the whole-graph optimum over sizes of blocks and of their context.

python benchmarks/bench_blocks.py
python benchmarks/bench_blocks.py --tissue hard

Contexts smaller than `solve` allows are measured too: they are the reason why it does not.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

import numpy as np

from instances import HARD, Tissue, make_instance
from morula.candidates.link import link_candidates
from morula.candidates.params import CandidatesParams
from morula.core.graph import CandidateGraph
from morula.solve.blocks.plan import Context, choose_context, plan_blocks
from morula.solve.blocks.solve import Decisions, solve_block
from morula.solve.blocks.view import CutProblem
from morula.solve.graph import pose_problem
from morula.solve.method import solve_problem
from morula.solve.params import SolveParams
from morula.solve.problem.problem import Problem
from morula.solve.solution import Solution

TISSUES = {
    "easy": Tissue(),
    "crowded": Tissue(movement_error_um=3.0, daughter_error_um=3.0, false=0.25),
    "hard": HARD,
}
SIZES_AND_CONTEXTS = [
    *((4, None, frames, 2.0) for frames in (1, 2, 3, 5)),
    *((8, None, frames, 2.0) for frames in (1, 2, 3, 5, 8)),
    *((None, 60.0, 5, reach) for reach in (0.5, 1.0, 1.5, 2.0)),
    (None, 30.0, 5, 2.0),
    (8, 60.0, 5, 2.0),
]
"""Frames and µm of a block, frames of context, and µm of context in units of the longest link's reach."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one cut."""

    plan: CutProblem
    solution: Solution
    cpu_s: float


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=30_000)
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--tissue", choices=list(TISSUES), default="crowded")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    tissue = TISSUES[options.tissue]
    instance = make_instance(options.nodes, options.frames, seed=options.seed, tissue=tissue)
    params = CandidatesParams(max_distance_um=12.0, max_parents=7, correct_drift=False)
    graph = link_candidates(instance.detections, params)
    problem = pose_problem(graph, SolveParams())
    cpu = time.process_time()
    whole = solve_problem(problem, SolveParams(method="exact"))
    cpu = time.process_time() - cpu
    optimum = problem.price(whole.node_selected, whole.edge_selected)
    reach = np.array(choose_context(graph, SolveParams(block_frames=1)).zyx_um) / 2
    extent = np.ptp(graph.nodes.zyx_um, axis=0)
    print(f"{graph.nodes.n} nodes, {graph.n_edges} links over up to {reach.max():.0f} um, {options.frames} frames of "
          f"{' x '.join(f'{side:.0f}' for side in extent)} um")  # fmt: skip
    print(f"whole graph: {cpu:.1f} CPU s, cost {optimum:.1f}, {int(whole.edge_selected.sum())} links")
    print("block            context              blocks colours      loss  links  CPU s")
    for block_frames, block_um, frames, times in SIZES_AND_CONTEXTS:
        size = SolveParams(block_frames=block_frames, block_um=None if block_um is None else (block_um,) * 3)
        context = Context(frames, tuple((times * reach).tolist()))
        outcome = _solve(graph, problem, size, context)
        node, edge = outcome.solution.node_selected, outcome.solution.edge_selected
        loss = (problem.price(node, edge) - optimum) / abs(optimum)
        plan = outcome.plan.plan
        block = f"{block_frames or 'all'} frames, {'all' if block_um is None else f'{block_um:g}'} um"
        other = int((edge & ~whole.edge_selected).sum())
        print(f"{block:16s} {frames} frames, {times:.1f} reach {len(plan.blocks):9d} {plan.colour[-1] + 1:7d} "
              f"{loss:9.1e} {other:6d} {outcome.cpu_s:6.1f}", flush=True)  # fmt: skip


def _solve(graph: CandidateGraph, problem: Problem, size: SolveParams, context: Context) -> Outcome:
    cpu = time.process_time()
    cut = CutProblem.of(graph, problem, plan_blocks(graph, size, context))
    decisions = Decisions(cut)
    for block in cut.plan.blocks:
        decisions.add(block.index, solve_block(block, cut.look_at(block.index, decisions.pins), params=size))
    return Outcome(plan=cut, solution=decisions.join(bound=False), cpu_s=time.process_time() - cpu)


if __name__ == "__main__":
    main()
