"""Is it worth reading ahead? Detection with and without, from local disk and from a source that takes its time.

usage: python benchmarks/bench_reading.py [--frames 8] [--shape 32 192 192] [--delay-ms 150] [--repeat 3]

One thread computes. Each way is run in turn with the other, and the fastest of the repetitions counts, in wall
seconds: waiting uses no CPU. The slow source is the local one that sleeps before each read, as a web server would.
Exits with 1 if reading ahead does not hide half of what it could hide, or costs a twentieth from local disk.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any, Self
from unittest.mock import patch

import numpy as np

from bench_detect import write_movie
from morula.core.movie import Movie
from morula.detect.params import DetectParams
from morula.detect.plan import plan_blocks
from morula.detect.predict import detect_block
from morula.io.movies.opening import open_movie
from morula.network.build import build_network
from morula.network.intensity import measure_intensity
from morula.network.model import build_model
from morula.network.spec import choose_network


class Slow:
    """An array that sleeps before each read."""

    def __init__(self, array: Any, delay_s: float) -> None:
        self.array, self.delay_s, self.shape, self.dtype = array, delay_s, array.shape, array.dtype

    def __getitem__(self, box: tuple[slice, ...]) -> Any:
        time.sleep(self.delay_s)
        return self.array[box]


class InTurn:
    """In the place of the thread that reads ahead: work is done when its result is asked for."""

    def __init__(self, **_: object) -> None:
        pass

    def submit(self, work: Callable[..., Any], *arguments: object) -> Future[Any]:
        """Promise to work."""
        return _Later(work, arguments)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class _Later(Future[Any]):
    def __init__(self, work: Callable[..., Any], arguments: tuple[object, ...]) -> None:
        super().__init__()
        self.work, self.arguments = work, arguments

    def result(self, timeout: float | None = None) -> Any:
        if not self.done():
            self.set_result(self.work(*self.arguments))
        return super().result(timeout)


def time_detection(movie: Movie, ahead: bool) -> float:
    """Wall seconds for the whole movie."""
    spec = choose_network(movie.voxel_size_um, np.full(3, 3.0))
    model = build_model(spec, build_network(spec).state_dict())
    params, intensity = DetectParams(threshold=0.5), measure_intensity(movie)
    began = time.perf_counter()
    for block in plan_blocks(movie, spec, params):
        if ahead:
            detect_block(block, movie=movie, model=model, intensity=intensity, params=params)
        else:
            with patch("morula.detect.frames.ThreadPoolExecutor", InTurn):
                detect_block(block, movie=movie, model=model, intensity=intensity, params=params)
    return time.perf_counter() - began


def main() -> None:
    """Measure four ways and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--shape", type=int, nargs=3, default=[32, 192, 192])
    parser.add_argument("--delay-ms", type=float, default=150.0)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "movie.ome.zarr"
        write_movie(path, tuple(options.shape), options.frames)
        local = open_movie(path)
        slow = replace(local, tzyx=Slow(local.tzyx, options.delay_ms / 1000))
        seconds: dict[tuple[str, bool], list[float]] = {}
        for _ in range(options.repeat + 1):  # the first does not count: libraries are loaded, files cached
            for name, movie in (("local disk", local), ("slow source", slow)):
                for ahead in (False, True):
                    seconds.setdefault((name, ahead), []).append(time_detection(movie, ahead))
    least = {way: min(all_seconds[1:]) for way, all_seconds in seconds.items()}
    print("source       in turn  one ahead  gained")
    for name in ("local disk", "slow source"):
        before, after = least[name, False], least[name, True]
        print(f"{name:11s} {before:7.2f} s {after:8.2f} s {1 - after / before:7.1%}", flush=True)
    waited = least["slow source", False] - least["local disk", False]
    hidden = (least["slow source", False] - least["slow source", True]) / waited
    blocks = -(-options.frames // DetectParams().block_frames)
    could = (options.frames - blocks) / (options.frames + blocks * 2 - 2)
    print(
        f"{hidden:.0%} of the waiting was hidden; what every frame but the first of a block reads is {could:.0%} of it"
    )
    if hidden < could / 2 or least["local disk", True] > 1.05 * least["local disk", False]:
        sys.exit("reading ahead does not prove itself")


if __name__ == "__main__":
    main()
