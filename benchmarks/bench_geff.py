"""Reading a candidate graph of a million nodes from GEFF.

usage: python benchmarks/bench_geff.py [--nodes 1000000]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from morula.core.detections import Detections
from morula.core.graph import CandidateGraph
from morula.io.tracks.graphs import read_candidate_graph, write_candidate_graph

GOAL_S = 2.0
PER_FRAME = 5000


def make_graph(nodes: int) -> CandidateGraph:
    """Make random detections, each with three possible parents in the frame before."""
    rng = np.random.default_rng(0)
    t = np.arange(nodes, dtype=np.int32) // PER_FRAME
    detections = Detections(
        t=t, zyx_um=rng.uniform(0, 500, (nodes, 3)), score=rng.random(nodes), movement_um=rng.normal(0, 2, (nodes, 3))
    )
    child = np.repeat(np.arange(PER_FRAME, nodes), 3)
    parent = np.stack([np.arange(nodes - PER_FRAME) // PER_FRAME * PER_FRAME] * 3, axis=1)
    parent += (np.arange(nodes - PER_FRAME) % PER_FRAME)[:, None]
    parent = parent // PER_FRAME * PER_FRAME + (parent + np.arange(3)) % PER_FRAME
    return CandidateGraph(detections, np.stack([parent.ravel(), child], axis=1), rng.uniform(0, 9, len(child)))


def main() -> None:
    """Write the graph once, read it three times, print the best; exit 1 if it is slower than the goal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=1_000_000)
    graph = make_graph(parser.parse_args().nodes)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "graph.geff"
        began = time.perf_counter()
        write_candidate_graph(graph, path)
        written = time.perf_counter() - began
        seconds = []
        for _ in range(3):
            began, began_cpu = time.perf_counter(), time.process_time()
            read_candidate_graph(path)
            seconds.append((time.perf_counter() - began, time.process_time() - began_cpu))
    best, cpu = min(seconds)
    print(f"{graph.nodes.n} nodes, {graph.n_edges} edges: written in {written:.2f} s")
    print(f"read in {best:.2f} s ({cpu:.2f} s CPU), goal {GOAL_S} s")
    sys.exit(int(best > GOAL_S))


if __name__ == "__main__":
    main()
