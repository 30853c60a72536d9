"""Do ten times the frames take ten times the CPU time and the same memory? Stage by stage, each in a fresh process.

usage: python benchmarks/bench_scaling.py [--frames 24] [--cells 300]

Three movies: the first 8 frames of the longest, these and `--frames` more, these and ten times as many more. What is
done once (libraries loaded, eight frames sampled for intensities and thresholds) is done for 8 frames already, so what
the other two take beyond the first is the work of N frames and of 10 N, and one is held against the other. The two
shorter movies are run twice and the least time counts: the first run also compiles what is compiled once. Loading
libraries is not counted: each process first goes through the stages before, which are done.

The cells neither divide nor die nor leave, so that every frame holds the same work. The network is trained once and
adopted by all runs: training takes a set number of steps, whatever the movie's length. Stages that hold all detections
grow in memory, as they say; for them bytes per detection are printed. Exits 1 where a stage is out of its bounds: those
that look at frames must take ten times as much, the others no more than that (a report shows so many places and trees
whatever the movie's length). Those that take less than a second for N frames are not judged by time.
"""

from __future__ import annotations

import argparse
import json
import shutil
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
from morula.pipeline import STAGES as PIPELINE
from morula.synthesis import SyntheticRequest, write_synthetic

TIMES, ONCE_FRAMES, REPEATS = 10, 8, 2
TIME_BOUND, MEMORY_BOUND = 0.15, 0.10
SHORTEST_S = 1.0
STEADY = {"embryo.cycle_frames": "1e6", "embryo.death_rate": "0", "movie.outside_share": "0", "embryo.flow_um": "1.5"}
PER_FRAME = ("drift", "detect", "blobs")
STAGES = tuple(stage for stage in PIPELINE if stage != "tune")
CHILD = """
import json, resource, sys, time
from pathlib import Path
from morula.config import read_config
from morula.pipeline import run_pipeline
config, run_dir, before, stage = read_config(Path(sys.argv[1])), Path(sys.argv[2]), sys.argv[3], sys.argv[4]
if before:
    run_pipeline(config, run_dir, until=before)  # finds all done, and loads what any stage needs
began = time.process_time()
run_pipeline(config, run_dir, until=stage)
print(json.dumps([time.process_time() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024]))
"""


class Taken(NamedTuple):
    """CPU seconds, and the peak memory in bytes."""

    seconds: float
    peak_bytes: float


Run = dict[str, Taken]


def main() -> None:
    """Measure the three movies; exit 1 if a stage is out of bounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--cells", type=int, default=300)
    options = parser.parse_args()
    lengths = [ONCE_FRAMES, ONCE_FRAMES + options.frames, ONCE_FRAMES + TIMES * options.frames]
    with tempfile.TemporaryDirectory() as name:
        configs = make_runs(Path(name), lengths, options.cells)
        once, short = (keep_least([measure_run(path) for _ in range(REPEATS)]) for path in configs[:2])
        long = measure_run(configs[2])
        found = [read_tracks(run_folder(path) / "exports/lineages.csv").n for path in configs]
    print(f"{', '.join(map(str, lengths))} frames: {', '.join(map(str, found))} cells found")
    print(f"{'':<12}{'CPU s':>9}{'CPU s for':>11}{'for':>9}{'':>8}{'peak MB':>9}{'':>8}{'':>8}")
    print(f"{'stage':<12}{'once':>9}{'N frames':>11}{'10 N':>9}{'ratio':>8}{'short':>9}{'long':>8}{'ratio':>8}")
    judged = [stage for stage in STAGES if stage != "train"]
    bad = [stage for stage in judged if not tell(stage, once[stage], short[stage], long[stage], found[2] - found[1])]
    if bad:
        sys.exit(f"out of bounds: {', '.join(bad)}")


def tell(stage: str, once: Taken, short: Taken, long: Taken, more: int) -> bool:
    """Print one stage; returns whether it keeps its bounds. The long movie holds `more` detections than the short."""
    few_s, many_s = short.seconds - once.seconds, long.seconds - once.seconds
    ratio, memory = many_s / max(few_s, 1e-3), long.peak_bytes / short.peak_bytes
    line = f"{stage:<12}{once.seconds:>9.2f}{few_s:>11.2f}{many_s:>9.2f}{ratio:>8.2f}"
    line += f"{short.peak_bytes / 1e6:>9.0f}{long.peak_bytes / 1e6:>8.0f}{memory:>8.2f}"
    good, notes = True, []
    if few_s >= SHORTEST_S:
        least = TIMES * (1 - TIME_BOUND) if stage in PER_FRAME else 0.0
        good = least <= ratio <= TIMES * (1 + TIME_BOUND)
        notes.append(f"{'within' if good else 'BEYOND'} {'±' if least else '+'}{TIME_BOUND:.0%}")
    else:
        notes.append("too short to tell")
    if stage in PER_FRAME:
        steady = abs(memory - 1) <= MEMORY_BOUND
        good &= steady
        notes.append(f"memory {'within' if steady else 'BEYOND'} ±{MEMORY_BOUND:.0%}")
    else:
        notes.append(f"{max(long.peak_bytes - short.peak_bytes, 0.0) / more:.0f} bytes for each detection more")
    print(f"{line}   {', '.join(notes)}", flush=True)
    return good


def make_runs(folder: Path, lengths: list[int], cells: int) -> list[Path]:
    """Make the movies, train on the second one, and write a configuration for each."""
    request = SyntheticRequest(seed=1, cells=cells, frames=lengths[-1], settings=STEADY)
    write_synthetic(request, folder / f"{lengths[-1]}")
    for frames in lengths[:-1]:
        cut_first(folder / f"{lengths[-1]}", folder / f"{frames}", frames)
    return write_configs(folder, lengths)


def cut_first(source: Path, target: Path, frames: int) -> None:
    """Write the first frames of an embryo, annotations included."""
    movie = open_movie(source / "movie.ome.zarr")
    target.mkdir()
    write_ome_zarr(
        target / "movie.ome.zarr",
        (movie.frame(t) for t in range(frames)),
        shape_tzyx=(frames, *movie.shape[1:]),
        dtype="uint16",
        voxel_size_um=movie.voxel_size_um.tolist(),
        frame_interval_s=movie.frame_interval_s,
    )
    for name in ("train", "val"):
        tracks = read_tracks(source / f"{name}.csv")
        write_tracks(tracks.rows(tracks.t < frames), target / f"{name}.csv", format="csv")


def write_configs(folder: Path, lengths: list[int]) -> list[Path]:
    """Write a configuration for each movie, with the weights of a short training on the second."""
    learnt = folder / f"{lengths[1]}"
    tracks = AnnotationsConfig(train=str(learnt / "train.csv"))
    config = draft_config(MovieConfig(path=str(learnt / "movie.ome.zarr")), tracks).config
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
    for frames in lengths:
        annotations = AnnotationsConfig(val=str(folder / f"{frames}/val.csv"))
        movie = MovieConfig(path=str(folder / f"{frames}/movie.ome.zarr"))
        paths.append(folder / f"{frames}.toml")
        paths[-1].write_text(format_config(replace(config, movie=movie, annotations=annotations, model=weights)))
    return paths


def run_folder(path: Path) -> Path:
    """Name the run directory of a configuration."""
    return path.parent / f"run-{path.stem}"


def measure_run(path: Path) -> Run:
    """Run a configuration from the beginning, each stage in a fresh process."""
    run_dir = run_folder(path)
    if run_dir.exists():
        shutil.rmtree(run_dir)
    steps = zip(("", *STAGES), STAGES, strict=False)
    return {stage: run_child(path, run_dir, stage, before) for before, stage in steps}


def keep_least(runs: list[Run]) -> Run:
    """Keep of each stage the run that took least time: other programs on the machine only add to it."""
    return {stage: min((run[stage] for run in runs), key=lambda taken: taken.seconds) for stage in STAGES}


def run_child(path: Path, run_dir: Path, stage: str, before: str = "") -> Taken:
    """Run a stage in a process of its own that has looked at the stages before."""
    command = [sys.executable, "-c", CHILD, str(path), str(run_dir), before, stage]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    seconds, peak = np.array(json.loads(said.splitlines()[-1]), np.float64).tolist()
    return Taken(seconds, peak)


if __name__ == "__main__":
    main()
