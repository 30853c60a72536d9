"""Time of a training step by part: reading, warping, targets, forward, backward, optimiser.

usage: python benchmarks/bench_train.py [--steps 60] [--frames 8]

A grown embryo (seed 0), its sparse annotations and its blobs, with the settings that `morula init` would write and one
thread. CPU time, which suffers less from a busy machine than the clock; the first steps fill caches and do not count.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from functools import wraps
from pathlib import Path

import numpy as np
import torch

GOAL_MS_PER_STEP = 200.0
WARM_UP = 10


def time_parts(steps: int, folder: Path) -> dict[str, float]:
    """Train some steps with stop-watches around the parts; returns milliseconds per step, in the order they run."""
    from morula.config import AnnotationsConfig, MovieConfig
    from morula.draft import draft_config
    from morula.io.movies.opening import open_movie
    from morula.io.tracks.files import read_tracks
    from morula.network.intensity import measure_intensity
    from morula.network.spec import choose_network
    from morula.train import sampling
    from morula.train.batch import fit_gradients
    from morula.train.blob_labels import collect_labels
    from morula.train.steps import start_training, update_weights

    movie_path, tracks_path = folder / "movie.ome.zarr", folder / "train.csv"
    draft = draft_config(MovieConfig(path=str(movie_path)), AnnotationsConfig(train=str(tracks_path)))
    params = draft.config.train
    movie, tracks = open_movie(movie_path), read_tracks(tracks_path)
    spec = choose_network(movie.voxel_size_um, 2.3 * np.array(params.target_sigma_um))
    reader = sampling.FrameReader(movie, measure_intensity(movie, spec.low_percentile, spec.high_percentile))
    sampler = sampling.CropSampler(reader, collect_labels(movie, tracks, params), spec, params)
    state = start_training(spec, params, None)
    spent: dict[str, float] = defaultdict(float)

    def watch(owner: object, name: str, part: str) -> None:
        inner: Callable[..., object] = getattr(owner, name)

        @wraps(inner)
        def timed(*args: object, **kwargs: object) -> object:
            began = time.process_time()
            result = inner(*args, **kwargs)
            spent[part] += time.process_time() - began
            return result

        setattr(owner, name, timed)

    watch(reader, "read", "reading")
    watch(sampling, "sample_warped", "warping")
    watch(sampling, "change_intensity", "intensities and noise")
    watch(sampler, "_points", "moving points")
    watch(sampling, "draw_targets", "targets")
    watch(sampler, "draw_batch", "drawing")
    watch(state.network, "forward", "forward")
    watch(torch.Tensor, "backward", "backward")
    watch(state.optimizer, "step", "optimiser")
    watch(torch.nn.utils, "clip_grad_norm_", "optimiser")
    for i in range(WARM_UP + steps):
        if i == WARM_UP:
            spent.clear()
        began = time.process_time()
        state.iteration = i
        fit_gradients(state.network, *sampler.draw_batch(i), i, params, parts=1)
        update_weights(state, params)
        spent["step"] += time.process_time() - began
    spent["warping"] -= spent["reading"]
    inner = ("reading", "warping", "intensities and noise", "moving points", "targets")
    spent["choosing the place"] = spent["drawing"] - sum(spent[name] for name in inner)
    outer = ("forward", "backward", "optimiser")
    spent["losses and averaging"] = spent["step"] - spent["drawing"] - sum(spent[name] for name in outer)
    names = (*inner, "choosing the place", *outer, "losses and averaging", "drawing", "step")
    return {name: 1e3 * spent[name] / steps for name in names}


def main() -> None:
    """Make the embryo, train, print the table."""
    from morula.synthesis import SyntheticRequest, write_synthetic

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--frames", type=int, default=8)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        write_synthetic(SyntheticRequest(frames=options.frames), Path(folder) / "embryo")
        parts = time_parts(options.steps, Path(folder) / "embryo")
    for name, milliseconds in parts.items():
        print(f"{name:<24}{milliseconds:8.1f} ms  {milliseconds / parts['step']:5.0%}")
    if parts["step"] > GOAL_MS_PER_STEP:
        sys.exit(f"a step takes more than {GOAL_MS_PER_STEP:g} ms of CPU")


if __name__ == "__main__":
    main()
