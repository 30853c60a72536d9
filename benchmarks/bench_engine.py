"""The engines: what one block costs beside its work, and how much faster two workers detect than one.

usage: python benchmarks/bench_engine.py [--frames 200] [--blocks 2000]

Detection runs over at least 200 blocks of a movie on disk, each a frame of 0.4 megavoxels, with one thread, on one
worker process and on two, one after the other, after a first job that starts the workers and warms them up. Its bound
needs two idle cores.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import numpy as np

from bench_detect import write_movie
from morula.core.blocks import Block, tile_blocks
from morula.core.detections import Detections
from morula.core.movie import Movie
from morula.detect.params import DetectParams
from morula.detect.plan import plan_blocks
from morula.detect.predict import detect_block
from morula.engine.choose import open_engine
from morula.engine.engine import BlockJob, Engine, Result
from morula.errors import MorulaError
from morula.io.movies.opening import open_movie
from morula.network.fast import FastNetwork
from morula.network.intensity import measure_intensity
from morula.network.model import Model
from morula.network.spec import choose_network

OVERHEAD_MS = 10.0
SPEED_UP = 1.6
FEWEST_BLOCKS = 200
SHAPE_ZYX = (24, 128, 128)


def main() -> None:
    """Measure both; exit 1 if a bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--blocks", type=int, default=2000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "movie.ome.zarr"
        write_movie(path, SHAPE_ZYX, options.frames)
        movie = open_movie(path)
        seconds = {workers: measure(movie, workers, options.blocks) for workers in (0, 1, 2)}
    worst_ms = max(overhead for overhead, _ in seconds.values())
    speed_up = seconds[1][1] / seconds[2][1]
    print(f"two workers detect {speed_up:.2f} times as fast as one")
    if worst_ms > OVERHEAD_MS or speed_up < SPEED_UP:
        sys.exit(f"missed: at most {OVERHEAD_MS} ms a block, at least {SPEED_UP} times as fast")


def measure(movie: Movie, workers: int, n_empty: int) -> tuple[float, float]:
    """Return milliseconds per empty block and seconds of detection; with 0 workers in this process."""
    chosen: AbstractContextManager[Engine] = one_worker() if workers == 1 else open_engine(workers=max(workers, 1))
    with chosen as engine:
        detect, blocks = plan_detection(movie)
        run(engine, BlockJob("warm", blocks[:4], detect))
        empty = tile_blocks((n_empty, 1, 1, 1), (1, 1, 1, 1), [(0, 0)] * 4)
        overhead_ms = 1e3 * run(engine, BlockJob("empty", empty, do_nothing)) / n_empty
        seconds = run(engine, BlockJob("detect", blocks, detect))
    where = f"{workers} worker(s)" if workers else "this process"
    print(
        f"{where:<13} {overhead_ms:6.2f} ms for an empty block, {seconds:7.2f} s for {len(blocks)} blocks", flush=True
    )
    return overhead_ms, seconds


def one_worker() -> AbstractContextManager[Engine]:
    """Return an engine with a single worker process, which `--workers 1` would not start."""
    from morula.engine.clusters import start_local_workers
    from morula.engine.dask_engine import DaskEngine

    return DaskEngine(partial(start_local_workers, 1))


def plan_detection(movie: Movie) -> tuple[partial[Detections], list[Block]]:
    """Return the work and the blocks of a detection with an untrained network."""
    spec = choose_network(movie.voxel_size_um, np.array([3.0, 3.0, 3.0]))
    params = DetectParams(threads=1, block_frames=1, block_megavoxels=1.5, threshold=0.5)
    model = Model(FastNetwork(spec).eval(), spec)
    blocks = plan_blocks(movie, spec, params)
    if len(blocks) < FEWEST_BLOCKS:
        sys.exit(f"{len(blocks)} blocks: give more --frames")
    return partial(detect_block, movie=movie, model=model, intensity=measure_intensity(movie), params=params), blocks


def run(engine: Engine, job: BlockJob[Result]) -> float:
    """Run a job to its end and return its wall time."""

    def refuse(block: Block, error: Exception, attempts: int) -> None:
        raise MorulaError(f"{block.name} failed after {attempts} attempts: {error}")

    began = time.perf_counter()
    engine.run_blocks(job, on_done=lambda *_: None, on_failed=refuse)
    return time.perf_counter() - began


def do_nothing(block: Block) -> int:
    """Compute nothing."""
    return block.index


if __name__ == "__main__":
    main()
