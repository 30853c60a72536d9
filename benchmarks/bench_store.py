"""How long the store takes on both back ends: blocks, graph, selection, regions, clearing, and the cost of one block.

python benchmarks/bench_store.py [--nodes 1000000] [--edges 3000000] [--blocks 1000] [--folder /tmp] [--only sqlite]

PostgreSQL is a server of our own with its usual settings, if it is installed, or the one that MORULA_STORE names. Exits
with 1 where a bound is missed.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
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
from morula.store.address import ENVIRONMENT
from morula.store.records import Region
from morula.store.run_directory import RunDirectory

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "store"))
from postgres_server import PostgresServer, find_programs

MOST_WRITING_S = {"sqlite": 10.0, "postgres": 20.0}
MOST_REGION_MS = 5.0
REGION_NODES, REGION_QUERIES = 1000, 40
SIDE_UM = 500.0


@contextmanager
def timed(what: str, spent: dict[str, float]) -> Iterator[None]:
    """Print and keep how long something took."""
    begun, begun_cpu = time.perf_counter(), time.process_time()
    yield
    seconds, cpu = time.perf_counter() - begun, time.process_time() - begun_cpu
    spent[what] = seconds
    print(f"{what:<58} {seconds:7.2f} s  ({cpu:6.2f} s CPU)", flush=True)


def make_detections(n_blocks: int, per_block: int) -> list[Detections]:
    """Return random detections, one frame per block."""
    rng = np.random.default_rng(0)
    return [
        Detections.sorted(
            np.full(per_block, t),
            rng.uniform(0, SIDE_UM, (per_block, 3)),
            rng.uniform(0, 1, per_block),
            rng.normal(0, 1, (per_block, 3)),
            rng.uniform(0, 1, per_block),
            rng.uniform(0, 1, per_block),
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


def measure_regions(run: RunDirectory, n_frames: int, per_block: int) -> float:
    """Return the median milliseconds of asking for a box of about 1000 nodes: an eighth of the volume, some frames."""
    rng = np.random.default_rng(1)
    frames = max(1, round(8 * REGION_NODES / per_block))
    taken, found = [], []
    for _ in range(REGION_QUERIES):
        first, low = int(rng.integers(0, n_frames - frames)), rng.uniform(0, SIDE_UM / 2, 3)
        region = Region(range(first, first + frames), tuple(low.tolist()), tuple((low + SIDE_UM / 2).tolist()))
        begun = time.perf_counter()
        found.append(run.store.read_detections(region=region).n)
        taken.append(1000 * (time.perf_counter() - begun))
    median_ms = float(np.median(taken))
    what = f"a region of {np.mean(found):.0f} nodes in {frames} frames, median of {len(taken)}"
    print(f"{what:<58} {median_ms:7.2f} ms")
    return median_ms


def measure(run: RunDirectory, options: argparse.Namespace) -> tuple[float, float]:
    """Print everything about one back end; return the seconds of writing and the milliseconds of a region."""
    spent: dict[str, float] = {}
    per_block = options.nodes // options.blocks
    blocks = tile_blocks((options.blocks, 1, 1, 1), (1, 1, 1, 1), [(0, 0)] * 4)
    found = make_detections(options.blocks, per_block)

    def look_up(block: Block) -> Detections:
        return found[block.index]

    stage = run.stage("detect", {"detect": {"threshold": 0.3}}, n_blocks=len(blocks))
    with timed(f"write {options.nodes:,} detections in {len(blocks)} blocks", spent):
        job = BlockJob("detect", blocks, look_up)
        SerialEngine().run_blocks(job, on_done=stage.write_block, on_failed=stage.write_failed_block)
        stage.finish()
    with timed("read them, sorted", {}):
        nodes = run.store.read_detections()
    region_ms = measure_regions(run, options.blocks, per_block)
    graph = make_graph(nodes, per_block, options.edges)
    stage = run.stage("candidates", {}, after=["detect"])
    with timed(f"write {graph.n_edges:,} edges (detections read again, compared)", spent):
        stage.write_graph(graph)
    with timed("read them, detections included", {}):
        graph = run.store.read_graph()
    chosen = Selection(np.ones(nodes.n, bool), graph.distance_um < 0.3, 0.0, 0.0, "greedy", 0.0)
    stage = run.stage("solve", {}, after=["candidates"])
    with timed("write a selection", spent):
        stage.write_selection(chosen)
    if run.paths.store.exists():
        print(f"{'size of the store':<58} {run.paths.store.stat().st_size / 1e6:7.0f} MB")
    with timed("clear all three stages (a changed detect setting)", {}):
        stage = run.stage("detect", {"detect": {"threshold": 0.25}}, n_blocks=len(blocks))
    empty = Detections.empty()
    job = BlockJob("detect", blocks, lambda _: empty)
    begun = time.perf_counter()
    SerialEngine().run_blocks(job, on_done=stage.write_block, on_failed=stage.write_failed_block)
    per_block_ms = (time.perf_counter() - begun) / len(blocks) * 1000
    print(f"{'an empty block: engine, done mark and sync':<58} {per_block_ms:7.2f} ms")
    return sum(spent.values()), region_ms


@contextmanager
def back_end(name: str, folder: Path) -> Iterator[RunDirectory]:
    """Open a new run with its store in a file, in the database of the environment, or in one made for this."""
    if name == "sqlite":
        with RunDirectory.open(folder / name) as run:
            yield run
    elif ENVIRONMENT in os.environ:
        with RunDirectory.open(folder / name, store=os.environ[ENVIRONMENT]) as run:
            yield run
    else:
        with PostgresServer() as server, RunDirectory.open(folder / name, store=server.url) as run:
            yield run
            print(f"{'all processes of the server':<58} {'':>10}  ({server.count_cpu_s():6.2f} s CPU)")


def main() -> None:
    """Measure and print; exit 1 if a bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=1_000_000)
    parser.add_argument("--edges", type=int, default=3_000_000)
    parser.add_argument("--blocks", type=int, default=1_000)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--only", choices=list(MOST_WRITING_S), default=None)
    options = parser.parse_args()
    missed = []
    for name in [options.only] if options.only else MOST_WRITING_S:
        if name == "postgres" and ENVIRONMENT not in os.environ and find_programs() is None:
            print("no PostgreSQL here: left out")
            continue
        print(f"--- {name}")
        with tempfile.TemporaryDirectory(dir=options.folder) as folder, back_end(name, Path(folder)) as run:
            writing_s, region_ms = measure(run, options)
        print(f"{'all writing':<58} {writing_s:7.2f} s")
        if writing_s > MOST_WRITING_S[name] or region_ms > MOST_REGION_MS:
            missed.append(
                f"{name}: at most {MOST_WRITING_S[name]:g} s for all writing, {MOST_REGION_MS:g} ms for a region"
            )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{'peak memory of this process':<58} {peak:7.2f} GB")
    if missed:
        sys.exit(f"missed: {'; '.join(missed)}")


if __name__ == "__main__":
    main()
