"""How long the store takes: blocks written and read, a graph, a selection, clearing, and the cost of one block.

python benchmarks/bench_store.py [--nodes 1000000] [--edges 3000000] [--blocks 1000] [--folder /tmp]
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from morula.core.blocks import Block, tile_blocks
from morula.core.detections import Detections
from morula.core.graph import CandidateGraph
from morula.core.lineages import Selection
from morula.engine.engine import BlockJob
from morula.engine.serial import SerialEngine
from morula.store.run_directory import RunDirectory


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Print how long something took."""
    begun, begun_cpu = time.perf_counter(), time.process_time()
    yield
    seconds, cpu = time.perf_counter() - begun, time.process_time() - begun_cpu
    print(f"{what:<58} {seconds:7.2f} s  ({cpu:6.2f} s CPU)")


def make_detections(n_blocks: int, per_block: int) -> list[Detections]:
    """Return random detections, one frame per block."""
    rng = np.random.default_rng(0)
    return [
        Detections.sorted(
            np.full(per_block, t),
            rng.uniform(0, 500, (per_block, 3)),
            rng.uniform(0, 1, per_block),
            rng.normal(0, 1, (per_block, 3)),
        )
        for t in range(n_blocks)
    ]


def make_graph(nodes: Detections, per_block: int, n_edges: int) -> CandidateGraph:
    """Return about as many edges as asked for, from each node to several of the next frame."""
    per_node = max(1, round(n_edges / (nodes.n - per_block)))
    parent = np.repeat(np.arange(nodes.n - per_block), per_node)
    offset = np.tile(np.arange(per_node), nodes.n - per_block)
    child = (parent // per_block + 1) * per_block + (parent % per_block + offset) % per_block
    return CandidateGraph(nodes=nodes, edges=np.stack([parent, child], 1), distance_um=offset / per_node)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=1_000_000)
    parser.add_argument("--edges", type=int, default=3_000_000)
    parser.add_argument("--blocks", type=int, default=1_000)
    parser.add_argument("--folder", type=Path, default=None)
    options = parser.parse_args()
    per_block = options.nodes // options.blocks
    blocks = tile_blocks((options.blocks, 1, 1, 1), (1, 1, 1, 1), [(0, 0)] * 4)
    found = make_detections(options.blocks, per_block)

    def look_up(block: Block) -> Detections:
        return found[block.index]

    with tempfile.TemporaryDirectory(dir=options.folder) as folder, RunDirectory.open(Path(folder) / "run") as run:
        stage = run.stage("detect", {"detect": {"threshold": 0.3}}, n_blocks=len(blocks))
        with timed(f"write {options.nodes:,} detections in {len(blocks)} blocks"):
            job = BlockJob("detect", blocks, look_up)
            SerialEngine().run_blocks(job, on_done=stage.write_block, on_failed=stage.write_failed_block)
            stage.finish()
        with timed("read them, sorted"):
            nodes = run.store.read_detections()
        graph = make_graph(nodes, per_block, options.edges)
        stage = run.stage("candidates", {}, after=["detect"])
        with timed(f"write a graph of {graph.n_edges:,} edges (detections read again and compared)"):
            stage.write_graph(graph)
        with timed("read it, detections included"):
            graph = run.store.read_graph()
        chosen = Selection(np.ones(nodes.n, bool), graph.distance_um < 0.3, 0.0, 0.0, "greedy", 0.0)
        stage = run.stage("solve", {}, after=["candidates"])
        with timed("write a selection"):
            stage.write_selection(chosen)
        with timed("read it"):
            run.store.read_selection()
        print(f"{'size of the store':<58} {run.paths.store.stat().st_size / 1e6:7.0f} MB")
        with timed("clear all three stages (a changed detect setting)"):
            stage = run.stage("detect", {"detect": {"threshold": 0.25}}, n_blocks=len(blocks))
        empty = Detections.empty()
        job = BlockJob("detect", blocks, lambda _: empty)
        begun = time.perf_counter()
        SerialEngine().run_blocks(job, on_done=stage.write_block, on_failed=stage.write_failed_block)
        per_block_ms = (time.perf_counter() - begun) / len(blocks) * 1000
        print(f"{'an empty block: engine, done mark and sync':<58} {per_block_ms:7.2f} ms")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{'peak memory':<58} {peak:7.2f} GB")


if __name__ == "__main__":
    main()
