"""Detection from disk to store, on the CPU or the graphics card that is here: speed, where the time goes, memory.

usage: python benchmarks/bench_detect.py [--network fast] [--frames 4] [--shape 48 256 256] [--threads 1]
           [--precision auto] [--block-megavoxels M] [--once]

A movie is written and searched by the stage that `morula run` uses, in a fresh process; then one ten times longer,
whose memory is projected to be the same (`--once` leaves it out). The network is untrained: its speed does not depend
on its weights. On a CPU the rate counts CPU seconds, so that neighbours on the machine do not count; on a card it
counts wall seconds. Projected are the hours for a movie of 2169 frames of 532×988×2048 voxels with the blocks that this
device's memory allows, at the rate of voxels *seen* that was measured, halos and all. Exits with 1 below the bound
(`fast` only), or if the memory is more than a fifth off its projection.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

BOUND_CPU, BOUND_CARD = 0.8, 100.0
LARGE_TZYX = (2169, 532, 988, 2048)
VOXEL_UM = (2.0, 0.8, 0.8)


def write_movie(path: Path, shape_zyx: tuple[int, ...], frames: int) -> None:
    """Write noise with bright spots: what is in it does not matter for the speed."""
    from morula.io.movies.ome_zarr_write import write_ome_zarr

    rng = np.random.default_rng(0)
    frame = rng.poisson(100, shape_zyx).astype(np.uint16)
    frame[::8, ::16, ::16] += 400
    write_ome_zarr(
        path,
        (np.roll(frame, t, axis=1) for t in range(frames)),
        shape_tzyx=(frames, *shape_zyx),
        dtype="uint16",
        voxel_size_um=VOXEL_UM,
        frame_interval_s=60.0,
    )


class Clock:
    """Wall seconds of the main thread by part."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(("reading", "computing", "peaks", "storing"), 0.0)

    def of(
        self, part: str, work: Callable[..., Any], settle: Callable[[], object] = lambda: None
    ) -> Callable[..., Any]:
        """Wrap work so that its time is counted, once what it left to the device is done."""

        def timed(*arguments: Any, **named: Any) -> Any:
            began = time.perf_counter()
            result = work(*arguments, **named)
            settle()
            self.seconds[part] += time.perf_counter() - began
            return result

        return timed

    def of_steps(self, part: str, generate: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
        """Wrap a generator so that the waiting for its next item is counted."""

        def timed(*arguments: Any) -> Iterator[Any]:
            items = generate(*arguments)
            step = self.of(part, lambda: next(items, None))
            while (item := step()) is not None:
                yield item

        return timed


def watch(clock: Clock, device: Any) -> None:
    """Count the parts of detection where they are called."""
    import torch

    from morula.detect import predict
    from morula.detect.answer import ask_network
    from morula.detect.collect import collect_detections
    from morula.detect.frames import BlockFrames
    from morula.store.stage import Stage

    def settle() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize()

    BlockFrames.windows = clock.of_steps("reading", BlockFrames.windows)  # type: ignore[method-assign]
    timed = {"ask_network": clock.of("computing", ask_network, settle)}
    vars(predict).update(timed, collect_detections=clock.of("peaks", collect_detections))
    Stage.write_block = clock.of("storing", Stage.write_block)  # type: ignore[method-assign]


def measure(path: Path, options: argparse.Namespace) -> None:
    """Run the stage in this process and print what was measured as JSON."""
    import torch

    from morula import detecting
    from morula.core.tracks import Tracks
    from morula.detect.memory import project_memory
    from morula.detect.params import DetectParams
    from morula.detect.plan import count_seen, cut_movie, plan_blocks
    from morula.engine.serial import SerialEngine
    from morula.inputs import Inputs
    from morula.io.movies.opening import open_movie
    from morula.network.build import build_network
    from morula.network.device import choose_device
    from morula.network.model import build_model, save_model
    from morula.network.spec import choose_network, choose_paper_network
    from morula.store.run_directory import RunDirectory

    movie, device, clock = open_movie(path), choose_device(), Clock()
    fast = choose_network(movie.voxel_size_um, np.array([3.0, 3.0, 3.0]))
    spec = fast if options.network == "fast" else choose_paper_network(movie.voxel_size_um)
    params = DetectParams(
        threads=options.threads,
        threshold=0.5,
        precision=options.precision,
        block_megavoxels=options.block_megavoxels,
    )
    torch.manual_seed(0)
    nobody = Tracks(t=np.zeros(0, np.int32), zyx_um=np.zeros((0, 3)), id=np.zeros(0, int), parent_row=np.zeros(0, int))
    with tempfile.TemporaryDirectory() as folder, RunDirectory.open(Path(folder) / "run") as run:
        weights = run.paths.model / "train.safetensors"
        with run.stage("train", {}) as stage:
            run.paths.model.mkdir()
            save_model(build_model(spec, build_network(spec).state_dict()), weights)
            stage.finish()
        watch(clock, device)
        began, began_cpu = time.perf_counter(), time.process_time()
        inputs, engine = Inputs(movie, nobody, nobody, None), SerialEngine()
        search = detecting.Search(name="detect", after="train", weights=weights, params=params)
        detecting.run_detection(run, inputs, search, engine, lambda _: None)
        wall, cpu = time.perf_counter() - began, time.process_time() - began_cpu
        peak = _peak_bytes()
        shape = tuple(run.store.find_stage("detect").settings["cutting"]["shape_tzyx"])  # type: ignore[union-attr, index]
        found = run.store.read_detections("detect").n
    blocks = cut_movie(movie, spec, params, shape)
    seen = [count_seen(block, movie, spec) for block in blocks]
    on_card = device.type == "cuda"
    large = plan_blocks(_Unread(LARGE_TZYX).as_movie(), spec, params, detecting.find_memory(params))
    print(
        json.dumps(
            {
                "device": torch.cuda.get_device_name() if on_card else f"CPU, {options.threads} thread(s)",
                "seconds": wall if on_card else cpu,
                "wall": wall,
                "parts": clock.seconds,
                "blocks": len(blocks),
                "found": found,
                "megavoxels": float(np.prod(movie.shape)) / 1e6,
                "largest_megavoxels": max(seen) / 1e6,
                "seen_megavoxels": sum(_frames(b) * n for b, n in zip(blocks, seen, strict=True)) / 1e6,
                "peak": peak,
                "projected": project_memory(max(seen), spec, params, on_card=on_card).host_bytes,
                "card_peak": torch.cuda.max_memory_allocated() if on_card else None,
                "card_projected": project_memory(max(seen), spec, params, on_card=on_card).card_bytes,
                "large_seen_megavoxels": sum(
                    _frames(block) * count_seen(block, _Unread(LARGE_TZYX).as_movie(), spec) for block in large
                )
                / 1e6,
                "large_block": [side.stop - side.start for side in large[0].write],
            }
        )
    )


class _Unread:
    """A movie of any size that is never read."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape, self.dtype = shape, np.dtype(np.uint16)

    def as_movie(self) -> Any:
        """The movie."""
        from morula.core.movie import Movie

        return Movie(self, VOXEL_UM)  # type: ignore[arg-type]


def _frames(block: Any) -> int:
    return int(block.write[0].stop - block.write[0].start)


def _peak_bytes() -> int:
    """Largest memory of this process; on Linux without what its parent had."""
    status = Path("/proc/self/status")
    if status.exists():
        return next(int(line.split()[1]) * 1024 for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def show(told: dict[str, Any], threads: int) -> tuple[float, float]:
    """Print what a process measured; returns megavoxels per second (and core), and the peak over its projection."""
    rate = told["megavoxels"] / told["seconds"] / (1 if told["card_peak"] else threads)
    parts = " ".join(f"{name} {seconds / told['wall']:.1%}," for name, seconds in told["parts"].items())
    memory = told["peak"] / told["projected"]
    print(
        f"{told['megavoxels']:.0f} megavoxels, {told['blocks']} blocks that see {told['largest_megavoxels']:.1f}: "
        f"{told['seconds']:.1f} s, {rate:.2f} megavoxels/s ({told['seen_megavoxels'] / told['seconds']:.2f} seen); "
        f"{told['found']} detections"
    )
    print(f"  share of the time: {parts} the rest is loading, intensities and planning")
    print(f"  memory: {told['peak'] / 2**20:.0f} MiB, {memory:.2f} of what was projected")
    if told["card_peak"]:
        print(
            f"  card {told['card_peak'] / 2**20:.0f} MiB, {told['card_peak'] / told['card_projected']:.2f} of projected"
        )
    return rate, memory


def project_hours(told: dict[str, Any]) -> None:
    """Print what the large movie would take."""
    seconds = told["large_seen_megavoxels"] / told["seen_megavoxels"] * told["seconds"]
    hours, unit = seconds / 3600, "hours of this card" if told["card_peak"] else "core hours"
    times = told["large_seen_megavoxels"] * 1e6 / float(np.prod(LARGE_TZYX, dtype=float))
    print(
        f"projected for {LARGE_TZYX[0]} frames of {'×'.join(map(str, LARGE_TZYX[1:]))} voxels: {hours:.0f} {unit}, in "
        f"blocks of {'×'.join(map(str, told['large_block']))} that see {times:.2f} times the movie"
    )


def main() -> None:
    """Measure a short movie and one ten times longer, each in its own process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", choices=("fast", "paper"), default="fast")
    parser.add_argument("--frames", type=int, default=4)
    parser.add_argument("--shape", type=int, nargs=3, default=[48, 256, 256])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--precision", choices=("auto", "float32", "bfloat16"), default="auto")
    parser.add_argument("--block-megavoxels", type=float)
    parser.add_argument("--once", action="store_true")
    parser.add_argument("--movie", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.movie:
        measure(options.movie, options)
        return
    shown: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        for frames in (options.frames,) if options.once else (options.frames, 10 * options.frames):
            path = Path(folder) / f"{frames}.ome.zarr"
            write_movie(path, tuple(options.shape), frames)
            command = [sys.executable, __file__, *sys.argv[1:], "--movie", str(path)]
            told = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
            if not shown:
                print(told["device"])
            shown.append(show(told, options.threads))
    project_hours(told)
    bound = BOUND_CARD if told["card_peak"] else BOUND_CPU
    if options.network == "fast" and min(rate for rate, _ in shown) < bound:
        sys.exit(f"slower than {bound} megavoxels/s")
    if not told["card_peak"] and any(abs(memory - 1) > 0.2 for _, memory in shown):
        sys.exit("the memory is more than a fifth off its projection")


if __name__ == "__main__":
    main()
