"""What linking and judging cost beside all that has to be done in one process anyway: is it worth sending them away?

usage: python benchmarks/bench_blocks_worth.py [--cells 5000] [--frames 40]

Prints CPU seconds of this process, so that other programs on the machine hardly matter.
"""

from __future__ import annotations

import argparse
import pickle
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from morula.candidates.link import link_candidates
from morula.candidates.params import CandidatesParams
from morula.candidates.pieces import find_rows, plan_pieces
from morula.core.blocks import Block
from morula.core.detections import Detections
from morula.core.tracks import Tracks
from morula.evaluate.evaluate import evaluate_tracks
from morula.evaluate.params import EvaluateParams
from morula.matching.edges import match_edges
from morula.matching.pairs import find_close_pairs
from morula.matching.points import choose_points
from morula.store.run_directory import RunDirectory

Result = TypeVar("Result")


def main() -> None:
    """Measure both stages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=5000)
    parser.add_argument("--frames", type=int, default=40)
    options = parser.parse_args()
    measure_linking(make_cells(options.cells, options.frames))
    measure_judging(make_cells(options.cells // 2, options.frames), options.cells // 2)


def make_cells(n: int, frames: int) -> Detections:
    """Return cells that wander by half a µm from frame to frame, one per 1000 µm³."""
    rng = np.random.default_rng(0)
    zyx = rng.uniform(0, 10 * n ** (1 / 3), (n, 3))
    steps = rng.normal(0, 0.5, (frames, n, 3))
    places = (zyx + steps.cumsum(axis=0)).reshape(-1, 3)
    t = np.repeat(np.arange(frames, dtype=np.int32), n)
    return Detections.sorted(t, places, rng.uniform(0.1, 1, len(t)), rng.normal(0, 1, places.shape))


def measure_linking(made: Detections) -> None:
    """Print what the parts of the stage `candidates` cost."""
    params = CandidatesParams()
    box = (slice(0, int(made.t.max()) + 1), *(slice(0, 1),) * 3)
    with tempfile.TemporaryDirectory() as folder, RunDirectory.open(Path(folder) / "run") as run:
        with run.stage("detect", {}, n_blocks=1) as stage:
            stage.write_block(Block(0, box, box), made, 0.0)
        detections = clock("candidates: reading", run.store.read_detections)
        pieces = [detections.rows(find_rows(detections, b.read[0])) for b in plan_pieces(detections, params)]
        clock("candidates: sending", lambda: [pickle.loads(pickle.dumps(piece)) for piece in pieces])
        graph = clock("candidates: linking", lambda: link_candidates(detections, params))
        with run.stage("candidates", {}, after=["detect"]) as stage:
            clock("candidates: writing", lambda: stage.write_graph(graph))
    print(f"{detections.n} detections, {graph.n_edges} links, {len(pieces)} pieces")


def measure_judging(cells: Detections, n: int) -> None:
    """Print what the parts of an evaluation cost."""
    rng = np.random.default_rng(1)
    ids = np.arange(cells.n)
    parent = np.where(cells.t > 0, ids - n, -1)
    truth = Tracks(t=cells.t, zyx_um=cells.zyx_um, id=ids, parent_row=parent)
    kept = np.where(rng.random(cells.n) < 0.97, parent, -1)
    found = Tracks(t=cells.t, zyx_um=cells.zyx_um + rng.normal(0, 0.7, cells.zyx_um.shape), id=ids, parent_row=kept)
    params = EvaluateParams(dense=True)
    clock("evaluate: all of it", lambda: evaluate_tracks(found, truth, params))
    pairs = clock(
        "  close pairs (frames)",
        lambda: find_close_pairs(truth.zyx_um, truth.t, found.zyx_um, found.t, params.max_distance_um),
    )
    clock("  their choice (frames)", lambda: choose_points(pairs))
    clock("  links", lambda: match_edges(truth.edges, found.edges, pairs))
    print(f"{cells.n} points against as many")


def clock(what: str, work: Callable[[], Result]) -> Result:
    """Do something and print its CPU seconds."""
    began = time.process_time()
    result = work()
    print(f"{what:<24} {time.process_time() - began:6.2f} s", flush=True)
    return result


if __name__ == "__main__":
    main()
