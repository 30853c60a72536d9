"""Stage jumps: how well the images tell them, and what a run makes of them with and without stabilised frames.

python benchmarks/bench_motion.py                      the estimate alone, on rendered movies; a minute
python benchmarks/bench_motion.py --runs runs/motion   also trains on two movies, each with and without; half an hour

The movies of the first part have 60 cells and 16 frames, four seeds for each row. *Error* is the distance of the shift
found from the jump of the stage, *own* that of the median cell, whose tissue flows too.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from morula.cli.progress_bars import ProgressBars
from morula.config import AnnotationsConfig, MovieConfig, RunConfig
from morula.core.columns import FloatArray
from morula.draft import draft_config
from morula.measure.drift import coarsen_box, estimate_shift_um
from morula.measure.params import DriftParams
from morula.pipeline import run_pipeline
from morula.synthesis import SyntheticRequest, write_synthetic
from morula.synthetic.embryo import Embryo, make_embryo
from morula.synthetic.params import Difficulty, preset_params
from morula.synthetic.render import render_frames

SIGMA_UM = 1.7
JUMPS_UM = (0.0, 8.0, 12.0, 24.0)
MOVIES = {  # difficulty, jumps of 12 µm
    "medium": 4,
    "hard": 2,
}
FIGURES = {
    "recall": "node_recall",
    "missed links per link": "fn_edges_per_edge",
    "errors per link": "errors_per_edge",
    "movement error, median": "movement_median_um",
    "95 %": "movement_p95_um",
    "as neighbours": "movement_flow_median_um",
    "no motion": "movement_still_median_um",
}


@dataclass(frozen=True, slots=True)
class Pair:
    """One pair of frames: the jump, what the median cell did, and what was found, all µm."""

    jump_um: FloatArray
    cells_um: FloatArray
    found_um: FloatArray
    seconds: float


def main() -> None:
    """Print the table of estimates, and of runs if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--runs", type=Path)
    parser.add_argument("--iterations", type=int, default=700)
    options = parser.parse_args()
    print("movie   jump  pairs  found  error: median  largest   own: median  largest   ms per pair")
    for difficulty in ("easy", "medium", "hard"):
        for jump_um in JUMPS_UM:
            pairs = [pair for seed in range(options.seeds) for pair in measure(difficulty, jump_um, seed)]
            jumps = [pair for pair in pairs if pair.jump_um.any()]
            for name, some in ((f"{jump_um:g}", jumps), ("none", [p for p in pairs if not p.jump_um.any()])):
                if some:
                    print_pairs(difficulty, name, some)
    if options.runs:
        compare_runs(options.runs, options.iterations)


def measure(difficulty: Difficulty, jump_um: float, seed: int) -> list[Pair]:
    """Estimate the shift of every frame of a rendered movie against the one before."""
    params = preset_params(difficulty, seed=seed, cells=60, frames=16)
    movie = replace(params.movie, stage_jumps=2 if jump_um else 0, stage_jump_um=jump_um or 12.0)
    params = replace(params, movie=movie)
    embryo, still = make_embryo(params), make_embryo(replace(params, movie=replace(movie, stage_jumps=0)))
    voxel = np.array(embryo.voxel_size_um)
    jumps = find_jumps(embryo, still)
    frames = [coarsen_box(frame, SIGMA_UM, voxel) for frame in render_frames(embryo, params.render, seed=seed)]
    pairs = []
    for t in range(1, len(frames)):
        begun = time.process_time()
        found = estimate_shift_um([frames[t - 1]], [frames[t]], SIGMA_UM, DriftParams())
        pairs.append(Pair(jumps[t], median_step(embryo, t), found, time.process_time() - begun))
    return pairs


def find_jumps(embryo: Embryo, still: Embryo) -> FloatArray:
    """Return the jump of the stage before each frame, µm, shape (frames, 3): the same cells, with and without jumps."""
    offset = np.zeros((embryo.shape_tzyx[0], 3))
    for t in range(len(offset)):
        one, other = (e.tissue.zyx_um[e.tissue.t == t] for e in (embryo, still))
        offset[t] = np.median(one - other, axis=0)
    return np.diff(offset, axis=0, prepend=offset[:1]).round(6)


def median_step(embryo: Embryo, t: int) -> FloatArray:
    """Return the median displacement of the cells from frame t − 1 to t, µm."""
    tracks = embryo.tracks
    child = np.flatnonzero((tracks.t == t) & (tracks.parent_row >= 0))
    step: FloatArray = np.median(tracks.zyx_um[child] - tracks.zyx_um[tracks.parent_row[child]], axis=0)
    return step


def print_pairs(difficulty: str, name: str, pairs: list[Pair]) -> None:
    """Print one row."""
    found = np.array([pair.found_um.any() for pair in pairs])
    error = np.array([np.linalg.norm(pair.found_um - pair.jump_um) for pair in pairs])
    own = np.array([np.linalg.norm(pair.found_um - pair.cells_um) for pair in pairs])
    cost = 1e3 * np.mean([pair.seconds for pair in pairs])
    print(f"{difficulty:7s} {name:>4s} {len(pairs):6d} {found.mean():6.2f} {np.median(error):14.2f} {error.max():8.2f} "
          f"{np.median(own):13.2f} {own.max():8.2f} {cost:13.1f}")  # fmt: skip


def compare_runs(out: Path, iterations: int) -> None:
    """Train and track each movie with and without stabilised frames; print the figures on cells nobody annotated."""
    print("\nmovie   jumps  stabilised  " + "  ".join(FIGURES))
    with ProgressBars() as progress:
        for difficulty, jumps in MOVIES.items():
            folder = out / difficulty
            if not (folder / "val.csv").exists():
                settings = {"movie.stage_jumps": str(jumps)}
                request = SyntheticRequest(seed=3, cells=80, frames=24, difficulty=difficulty, settings=settings)
                write_synthetic(request, folder, progress=progress)
            config = configure(folder, iterations)
            for on in (False, True):
                run_dir = out / f"{difficulty}-{'on' if on else 'off'}"
                run_pipeline(replace(config, drift=replace(config.drift, stabilise=on)), run_dir, progress=progress)
                figures = json.loads((run_dir / "exports" / "evaluation.json").read_text())["morula"]
                truth = next(iter(figures.values()))
                row = "  ".join(f"{truth[key]:{len(name)}.3f}" for name, key in FIGURES.items())
                print(f"{difficulty:7s} {jumps:5d}  {'yes' if on else 'no':>10s}  {row}")


def configure(folder: Path, iterations: int) -> RunConfig:
    """Settings of `morula init`, one round of training, truth for the figures only."""
    annotations = AnnotationsConfig(train=str(folder / "train.csv"), val=str(folder / "val.csv"))
    config = draft_config(MovieConfig(path=str(folder / "movie.ome.zarr")), annotations).config
    return replace(
        config,
        annotations=replace(annotations, truth=str(folder / "truth.csv")),
        train=replace(config.train, iterations=iterations, second_iterations=0),
    )


if __name__ == "__main__":
    logging.disable(logging.INFO)
    main()
