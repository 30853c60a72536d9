"""How long judging a reconstruction takes: `python benchmarks/bench_evaluate.py --nodes 100000`.

The truth is a packed, growing tissue with nuclei about 9 µm apart; the reconstruction is that truth with 1 µm of
jitter, 3 % of the points missing, 2 % of the links missing, 3 % false points and some links to the wrong neighbour.
Prints one JSON object with the wall and CPU time, the time of the matching alone and the figures found. Target: 1e5
nodes in under 10 s.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np

from morula.core.tracks import Tracks
from morula.evaluate.evaluate import evaluate_tracks
from morula.evaluate.matched import match_tracks
from morula.evaluate.params import EvaluateParams

SPACING_UM = 9.0


def main() -> None:
    """Make tracks, judge them and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=100_000, help="truth points in all frames together")
    parser.add_argument("--frames", type=int, default=100, help="frames of the movie")
    parser.add_argument("--threshold-um", type=float, default=6.0, help="largest distance of a match")
    parser.add_argument("--seed", type=int, default=0, help="seed of the random tracks")
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    truth = grow_tissue(rng, options.nodes, options.frames)
    reconstruction = spoil_tracks(rng, truth)
    params = EvaluateParams(max_distance_um=options.threshold_um, dense=True)
    start = time.process_time()
    match_tracks(reconstruction, truth, params.max_distance_um, np.ones(truth.n, np.bool_))
    matched, wall = time.process_time(), time.perf_counter()
    evaluation = evaluate_tracks(reconstruction, truth, params)
    seconds, cpu_seconds = time.perf_counter() - wall, time.process_time() - matched
    figures = {name: value for name, value in evaluation.to_dict().items() if not isinstance(value, list)}
    measured = {"seconds": seconds, "cpu_seconds": cpu_seconds, "cpu_seconds_matching_alone": matched - start}
    measured = {name: round(value, 2) for name, value in measured.items()}
    print(json.dumps({"nodes": truth.n, "frames": options.frames, **measured, **figures}, indent=2))


def grow_tissue(rng: np.random.Generator, nodes: int, frames: int) -> Tracks:
    """Return cells on a jittered lattice that drift together; each frame about one in a hundred divides."""
    growth = 1.01 ** np.arange(frames)
    sizes = np.maximum(2, np.round(nodes * growth / growth.sum())).astype(int)
    edge = int(np.ceil(sizes[-1] ** (1 / 3)))
    lattice = np.stack(np.meshgrid(*[np.arange(edge)] * 3, indexing="ij"), axis=-1).reshape(-1, 3) * SPACING_UM
    home = lattice[np.argsort(((lattice - lattice.mean(axis=0)) ** 2).sum(axis=1))]
    t, zyx, parent, offset = [], [], [], 0
    for frame, size in enumerate(sizes):
        t.append(np.full(size, frame))
        zyx.append(home[:size] + rng.normal(0, 1.2, (size, 3)) + frame * 0.8)
        above = np.arange(size)
        if frame:
            before = sizes[frame - 1]
            above[before:] = rng.permutation(before)[: size - before]
            parent.append(np.where(above >= 0, above + offset - before, -1))
        else:
            parent.append(np.full(size, -1))
        offset += size
    n = offset
    return Tracks(np.concatenate(t), np.concatenate(zyx), np.arange(n), np.concatenate(parent))


def spoil_tracks(rng: np.random.Generator, truth: Tracks) -> Tracks:
    """Return the truth as a middling tracker would have found it."""
    kept = truth.rows(rng.random(truth.n) > 0.03)
    parent = np.where(rng.random(kept.n) < 0.02, -1, kept.parent_row)
    same_frame = np.flatnonzero((np.diff(kept.t) == 0) & (rng.random(kept.n - 1) < 0.01))
    same_frame = same_frame[same_frame % 2 == 0]  # no row is swapped twice
    parent[same_frame], parent[same_frame + 1] = parent[same_frame + 1], parent[same_frame]
    false_points = kept.n * 3 // 100
    t = np.concatenate([kept.t, rng.integers(0, kept.t.max() + 1, false_points)])
    zyx = np.concatenate([kept.zyx_um, rng.uniform(kept.zyx_um.min(), kept.zyx_um.max(), (false_points, 3))])
    parent = np.concatenate([parent, np.full(false_points, -1)])
    return Tracks(t, zyx + rng.normal(0, 1.0, zyx.shape), np.arange(len(t)), parent)


if __name__ == "__main__":
    main()
