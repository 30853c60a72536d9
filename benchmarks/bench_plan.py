"""What `morula plan` says against what runs take: movies are made, planned, and then really run, stage by stage.

usage: python benchmarks/bench_plan.py [--movies short long wide] [--steps 200 150]

CPU seconds of one process without workers, which is what the plan calls work; the plan is made in a process of its own
and times its rates there. Exits 1 where the sum over all stages is off by more than 30 %.
"""

from __future__ import annotations

import argparse
import json
import logging
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from morula.config import AnnotationsConfig, MovieConfig, format_config, read_config
from morula.draft import draft_config
from morula.synthesis import SyntheticRequest, write_synthetic

MOST_OFF = 0.3
MOVIES = {
    "short": SyntheticRequest(seed=1, cells=120, frames=16),
    "long": SyntheticRequest(seed=2, cells=120, frames=64),
    "wide": SyntheticRequest(seed=3, cells=1500, frames=12),
}
MEGAVOXELS = {"wide": 2.0}
"""Largest block, where it shall not be a whole frame: the wide movie is cut into several tiles."""


def main() -> None:
    """Plan and run each movie; exit 1 if a plan is too far off."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--movies", nargs="+", default=list(MOVIES), choices=list(MOVIES))
    parser.add_argument("--steps", type=int, nargs=2, default=[200, 150], help="of the two rounds of training")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure)))
        return
    off = {name: compare(name, *options.steps) for name in options.movies}
    wrong = [name for name, ratio in off.items() if not 1 - MOST_OFF <= ratio <= 1 + MOST_OFF]
    if wrong:
        sys.exit(f"more than {MOST_OFF:.0%} off: {', '.join(wrong)}")


def compare(name: str, first: int, second: int) -> float:
    """Plan a movie, run it, print both; return planned over measured CPU seconds."""
    with tempfile.TemporaryDirectory() as folder:
        path = make_config(Path(folder), name, first, second)
        command = [sys.executable, "-m", "morula", "plan", str(path), "--json"]
        plan = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        command = [sys.executable, __file__, "--measure", str(path)]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        measured = json.loads(said.splitlines()[-1])
    planned = {stage["stage"]: stage["work_s"] for stage in plan["stages"]}
    print(f"\n{name}: {plan['shape']} voxels, {plan['detections']:.0f} detections expected, {measured['found']} found")
    print(f"{'stage':<12}{'planned':>10}{'measured':>10}{'ratio':>8}   CPU seconds")
    for stage, seconds in measured["seconds"].items():
        print(f"{stage:<12}{planned.get(stage, 0):>10.2f}{seconds:>10.2f}{planned.get(stage, 0) / seconds:>8.2f}")
    total = sum(measured["seconds"].values())
    print(
        f"{'together':<12}{plan['work_s']:>10.2f}{total:>10.2f}{plan['work_s'] / total:>8.2f}   bound ±{MOST_OFF:.0%}"
    )
    memory = max(stage["memory_bytes"] for stage in plan["stages"]) / 1e6
    print(f"{'memory':<12}{memory:>10.0f}{measured['peak_mb']:>10.0f}{memory / measured['peak_mb']:>8.2f}   MB")
    disk = plan["disk_bytes"] / 1e6
    print(f"{'disk':<12}{disk:>10.0f}{measured['disk_mb']:>10.0f}{disk / measured['disk_mb']:>8.2f}   MB", flush=True)
    return float(plan["work_s"] / total)


def make_config(folder: Path, name: str, first: int, second: int) -> Path:
    """Make the movie and a configuration that fits it, training shortened."""
    write_synthetic(MOVIES[name], folder)
    tracks = AnnotationsConfig(train=str(folder / "train.csv"), val=str(folder / "val.csv"))
    config = draft_config(MovieConfig(path=str(folder / "movie.ome.zarr")), tracks).config
    config = replace(
        config,
        train=replace(config.train, iterations=first, second_iterations=second),
        detect=replace(config.detect, block_megavoxels=MEGAVOXELS.get(name, config.detect.block_megavoxels)),
    )
    (folder / "run.toml").write_text(format_config(config))
    return folder / "run.toml"


class StageClock(logging.Handler):
    """Looks at the clock of the process whenever a stage begins."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.begun: list[tuple[str, float]] = [("opening", 0.0)]

    def emit(self, record: logging.LogRecord) -> None:
        """Note the time if this is the message of a stage that begins."""
        stage, _, said = record.getMessage().partition(" ")
        if said == "begins":
            self.begun.append((stage, time.process_time()))

    def seconds(self) -> dict[str, float]:
        """Return the CPU seconds from the beginning of each stage to that of the next."""
        ends = [began for _, began in self.begun[1:]] + [time.process_time()]
        return {stage: end - began for (stage, began), end in zip(self.begun, ends, strict=True)}


def measure(path: Path) -> dict[str, object]:
    """Run a configuration in this process; returns CPU seconds of each stage, peak memory and disk space."""
    from morula.pipeline import run_pipeline
    from morula.store.paths import RunPaths
    from morula.store.places import find_place
    from morula.store.reader import StoreReader

    config, run_dir, clock = read_config(path), path.parent / "run", StageClock()
    logging.getLogger("morula").addHandler(clock)
    logging.getLogger("morula").setLevel(logging.INFO)
    run_pipeline(config, run_dir)
    seconds = clock.seconds()
    place = find_place(RunPaths(run_dir))
    if place is None:
        raise SystemExit("the run left no store")
    with StoreReader.open(place) as store:
        found = store.read_detections().n
    return {
        "seconds": seconds,
        "found": found,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6,
        "disk_mb": sum(file.stat().st_size for file in run_dir.rglob("*") if file.is_file()) / 1e6,
    }


if __name__ == "__main__":
    main()
