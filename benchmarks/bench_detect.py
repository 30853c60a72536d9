"""Detection from disk to detections: megavoxels per second and core, and memory on a movie ten times longer.

usage: python benchmarks/bench_detect.py [--frames 8] [--threads 1]

The network is untrained: its speed does not depend on its weights. The peak memory is that of a fresh process.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

GOAL_MEGAVOXELS_PER_S = 0.4
SHAPE_ZYX = (48, 256, 256)


def write_movie(path: Path, frames: int) -> None:
    """Write noise with bright spots: what is in it does not matter for the speed."""
    from morula.io.movies.ome_zarr_write import write_ome_zarr

    rng = np.random.default_rng(0)
    frame = rng.poisson(100, SHAPE_ZYX).astype(np.uint16)
    write_ome_zarr(
        path,
        (np.roll(frame, t, axis=1) for t in range(frames)),
        shape_tzyx=(frames, *SHAPE_ZYX),
        dtype="uint16",
        voxel_size_um=(2.0, 0.8, 0.8),
        frame_interval_s=60.0,
    )


def measure(path: Path, threads: int) -> None:
    """Detect in this process and print seconds, megavoxels and peak memory."""
    from morula.detect.params import DetectParams
    from morula.detect.plan import plan_blocks
    from morula.detect.predict import detect_block
    from morula.io.movies.opening import open_movie
    from morula.network.fast import FastNetwork
    from morula.network.intensity import measure_intensity
    from morula.network.model import Model
    from morula.network.spec import choose_network

    movie = open_movie(path)
    spec = choose_network(movie.voxel_size_um, np.array([3.0, 3.0, 3.0]))
    model = Model(FastNetwork(spec).eval(), spec)
    params = DetectParams(threads=threads, block_megavoxels=2.0, threshold=0.5)
    began = time.perf_counter()
    intensity = measure_intensity(movie)
    blocks = plan_blocks(movie, spec, params)
    found = sum(detect_block(b, movie=movie, model=model, intensity=intensity, params=params).n for b in blocks)
    seconds = time.perf_counter() - began
    megavoxels = float(np.prod(movie.shape)) / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{movie.n_frames} {len(blocks)} {megavoxels:.1f} {seconds:.2f} {peak:.0f} {found}")


def main() -> None:
    """Measure a short movie and one ten times longer, each in its own process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--movie", type=Path)
    options = parser.parse_args()
    if options.movie:
        measure(options.movie, options.threads)
        return
    rates, peaks = [], []
    print("frames  blocks  megavoxels  seconds  megavoxels/s/core  peak MiB")
    with tempfile.TemporaryDirectory() as folder:
        for frames in (options.frames, 10 * options.frames):
            path = Path(folder) / f"{frames}.ome.zarr"
            write_movie(path, frames)
            command = [sys.executable, __file__, "--movie", str(path), "--threads", str(options.threads)]
            line = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
            rates.append(float(line[2]) / float(line[3]) / options.threads)
            peaks.append(float(line[4]))
            print(f"{line[0]:>6}  {line[1]:>6}  {line[2]:>10}  {line[3]:>7}  {rates[-1]:>17.2f}  {line[4]:>8}")
    print(f"memory of the movie ten times longer: {peaks[1] / peaks[0]:.2f} times")
    if min(rates) < GOAL_MEGAVOXELS_PER_S:
        sys.exit(f"slower than {GOAL_MEGAVOXELS_PER_S} megavoxels/s per core")


if __name__ == "__main__":
    main()
