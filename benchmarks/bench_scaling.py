"""Does ten times the frames take ten times the CPU time and the same memory? Stage by stage, each in a fresh process.

usage: python benchmarks/bench_scaling.py [--frames 16] [--cells 300]

The long movie is made once, of cells that neither divide nor die nor leave, so that every frame holds the same work;
the short one is its first frames. The network is trained once on the short movie and adopted by both runs: training
takes a set number of steps, whatever the movie's length. What a process takes that finds everything done is taken off.
Stages that hold all detections grow in memory, as they say; for them bytes per detection are printed. Exits 1 where a
stage is out of its bounds, of those that take a second or more on the short movie.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from morula.config import AnnotationsConfig, ModelConfig, MovieConfig, format_config
from morula.draft import draft_config
from morula.io.movies.ome_zarr_write import write_ome_zarr
from morula.io.movies.opening import open_movie
from morula.io.tracks.files import read_tracks, write_tracks
from morula.synthesis import SyntheticRequest, write_synthetic

TIMES = 10
TIME_BOUND, MEMORY_BOUND = 0.15, 0.10
SHORTEST_S = 1.0
STEADY = {"embryo.cycle_frames": "1e6", "embryo.death_rate": "0", "movie.outside_share": "0", "embryo.flow_um": "1.5"}
PER_FRAME = ("drift", "detect", "baseline")
STAGES = ("drift", "train", "detect", "candidates", "solve", "confidence", "baseline", "evaluate", "export", "report")
CHILD = """
import json, resource, sys, time
from pathlib import Path
from morula.config import read_config
from morula.pipeline import run_pipeline
run_pipeline(read_config(Path(sys.argv[1])), Path(sys.argv[2]), until=sys.argv[3])
print(json.dumps([time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024]))
"""


class Taken(NamedTuple):
    """CPU seconds beyond those of a process with nothing to do, and the peak memory in bytes."""

    seconds: float
    peak_bytes: float


def main() -> None:
    """Measure both movies; exit 1 if a stage is out of bounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--cells", type=int, default=300)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        short, long = make_runs(Path(name), options.frames, options.cells)
        taken = {path.stem: measure_run(path) for path in (short, long)}
        exports = {path.stem: path.parent / f"run-{path.stem}/exports/lineages.csv" for path in (short, long)}
        found = {name: read_tracks(path).n for name, path in exports.items()}
    print(f"{options.frames} and {TIMES * options.frames} frames: {found['short']} and {found['long']} cells found")
    print(f"{'stage':<12}{'CPU s':>9}{'CPU s':>9}{'ratio':>8}{'MB':>8}{'MB':>8}{'ratio':>8}")
    bad = [stage for stage in STAGES if stage != "train" and not tell(stage, taken, found)]
    if bad:
        sys.exit(f"out of bounds: {', '.join(bad)}")


def tell(stage: str, taken: dict[str, dict[str, Taken]], found: dict[str, int]) -> bool:
    """Print one stage; returns whether it keeps its bounds."""
    short, long = taken["short"][stage], taken["long"][stage]
    ratio, memory = long.seconds / max(short.seconds, 1e-3), long.peak_bytes / short.peak_bytes
    line = f"{stage:<12}{short.seconds:>9.2f}{long.seconds:>9.2f}{ratio:>8.2f}"
    line += f"{short.peak_bytes / 1e6:>8.0f}{long.peak_bytes / 1e6:>8.0f}{memory:>8.2f}"
    good, notes = True, []
    if short.seconds >= SHORTEST_S:
        good = abs(ratio / TIMES - 1) <= TIME_BOUND
        notes.append(f"{'within' if good else 'BEYOND'} ±{TIME_BOUND:.0%}")
    else:
        notes.append("too short to tell")
    if stage in PER_FRAME:
        steady = abs(memory - 1) <= MEMORY_BOUND
        good &= steady
        notes.append(f"memory {'within' if steady else 'BEYOND'} ±{MEMORY_BOUND:.0%}")
    else:
        grown = (long.peak_bytes - short.peak_bytes) / (found["long"] - found["short"])
        notes.append(f"{max(grown, 0.0):.0f} bytes for each detection more")
    print(f"{line}   {', '.join(notes)}", flush=True)
    return good


def make_runs(folder: Path, frames: int, cells: int) -> tuple[Path, Path]:
    """Make both movies, train on the short one, and write a configuration for each."""
    write_synthetic(SyntheticRequest(seed=1, cells=cells, frames=TIMES * frames, settings=STEADY), folder / "long")
    movie = open_movie(folder / "long/movie.ome.zarr")
    (folder / "short").mkdir()
    write_ome_zarr(
        folder / "short/movie.ome.zarr",
        (movie.frame(t) for t in range(frames)),
        shape_tzyx=(frames, *movie.shape[1:]),
        dtype="uint16",
        voxel_size_um=movie.voxel_size_um.tolist(),
        frame_interval_s=movie.frame_interval_s,
    )
    for name in ("train", "val"):
        tracks = read_tracks(folder / f"long/{name}.csv")
        write_tracks(tracks.rows(tracks.t < frames), folder / f"short/{name}.csv", format="csv")
    return write_configs(folder)


def write_configs(folder: Path) -> tuple[Path, Path]:
    """Write both configurations, with the weights of a short training on the short movie."""
    tracks = AnnotationsConfig(train=str(folder / "short/train.csv"))
    config = draft_config(MovieConfig(path=str(folder / "short/movie.ome.zarr")), tracks).config
    config = replace(
        config,
        train=replace(config.train, iterations=200, second_iterations=0),
        tune=replace(config.tune, enabled=False),
        solve=replace(config.solve, method="ascent"),  # "auto" would take another method for the longer movie
    )
    training = folder / "training.toml"
    training.write_text(format_config(config))
    run_child(training, folder / "training", "train")
    weights = ModelConfig(weights=str(folder / "training/model/train.safetensors"))
    paths = []
    for name in ("short", "long"):
        annotations = AnnotationsConfig(val=str(folder / f"{name}/val.csv"))
        movie = MovieConfig(path=str(folder / f"{name}/movie.ome.zarr"))
        paths.append(folder / f"{name}.toml")
        paths[-1].write_text(format_config(replace(config, movie=movie, annotations=annotations, model=weights)))
    return paths[0], paths[1]


def measure_run(path: Path) -> dict[str, Taken]:
    """Run a configuration, each stage in a fresh process, and once more with nothing to do."""
    run_dir = path.parent / f"run-{path.stem}"
    measured = {stage: run_child(path, run_dir, stage) for stage in STAGES}
    idle_s, _ = run_child(path, run_dir, STAGES[-1])
    return {stage: Taken(seconds - idle_s, peak) for stage, (seconds, peak) in measured.items()}


def run_child(path: Path, run_dir: Path, stage: str) -> tuple[float, float]:
    """Run up to a stage in a process of its own; returns its CPU seconds and peak memory in bytes."""
    command = [sys.executable, "-c", CHILD, str(path), str(run_dir), stage]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    seconds, peak = np.array(json.loads(said.splitlines()[-1]), np.float64).tolist()
    return seconds, peak


if __name__ == "__main__":
    main()
