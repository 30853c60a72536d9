"""How busy many workers are kept by blocks of the solver that wait for their neighbours: the whole order, simulated.

usage: python benchmarks/simulate_schedule.py [--workers 100] [--seconds 20] [--hand-ms 20] [--mouse]

The blocks, their order and who waits for whom are those that `morula solve` would plan for an embryo of the size given;
whose turn it is decides the engine's own code. Only the work is simulated: block times are drawn from a log-normal
distribution around `--seconds`, and the process that hands out blocks and stores results spends `--hand-ms` on each.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np

from morula.core.detections import Detections
from morula.core.graph import CandidateGraph
from morula.planning.schedule import simulate_schedule
from morula.planning.solver_blocks import lay_out_blocks
from morula.planning.stand_in import make_blank_movie
from morula.solve.blocks.plan import BlockPlan, Context, plan_blocks
from morula.solve.params import SolveParams

LEAST_BUSY = 0.9


def main() -> None:
    """Plan, simulate and print; exit 1 if the workers are not busy enough."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, nargs=4, default=[54, 12, 12, 13], help="blocks along t, z, y, x")
    parser.add_argument("--workers", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=20.0, help="typical time of a block")
    parser.add_argument("--spread", type=float, default=0.5, help="of the logarithm of the time")
    parser.add_argument("--hand-ms", type=float, default=20.0, help="time of the handing process for a block")
    parser.add_argument("--mouse", action="store_true", help="as many as the paper's mouse movie has")
    options = parser.parse_args()
    began = time.perf_counter()
    plan = plan_mouse() if options.mouse else plan_embryo(tuple(options.blocks))
    print(
        f"{len(plan.blocks)} blocks in {max(plan.colour) + 1} colours, planned in {time.perf_counter() - began:.1f} s"
    )
    rng = np.random.default_rng(0)
    durations = options.seconds * np.exp(options.spread * rng.normal(size=len(plan.blocks)))
    waits_for = dict(enumerate(plan.dependencies))
    total = simulate_schedule(plan.blocks, waits_for, durations, options.workers, options.hand_ms / 1e3)
    busy = float(durations.sum()) / (options.workers * total)
    print(f"{options.workers} workers, {durations.mean():.1f} s a block: {total / 3600:.2f} h, {busy:.1%} busy")
    if busy < LEAST_BUSY:
        sys.exit(f"less than {LEAST_BUSY:.0%}")


def plan_embryo(counts: tuple[int, ...]) -> BlockPlan:
    """Plan blocks of 10 frames and 150 µm with contexts of 5 frames and 40 µm, a cell in each of them."""
    size = (10, 150.0, 150.0, 150.0)
    corners = np.stack(np.meshgrid(*map(np.arange, counts), indexing="ij"), axis=-1).reshape(-1, 4)
    places = (corners + 0.5) * np.array(size)
    nodes = Detections.sorted(places[:, 0].astype(int), places[:, 1:], np.ones(len(places)), np.zeros((len(places), 3)))
    graph = CandidateGraph(nodes=nodes, edges=np.zeros((0, 2), np.int64), distance_um=np.zeros(0))
    params = SolveParams(block_frames=size[0], block_um=size[1:])
    return plan_blocks(graph, params, Context(5, (40.0, 40.0, 40.0)))


def plan_mouse() -> BlockPlan:
    """Plan blocks of 10 frames and 150, 100 and 100 µm for 532 frames of 988×2048×2169 voxels, links of up to 20 µm."""
    movie = make_blank_movie((532, 988, 2048, 2169), (5.0, 0.4, 0.4), "uint16")
    return lay_out_blocks(movie, SolveParams(block_frames=10, block_um=(150.0, 100.0, 100.0)), 20.0).plan


if __name__ == "__main__":
    main()
