"""The `fast` network against the published one: megavoxels per second and milliseconds per training step, one thread.

usage: python benchmarks/bench_network.py [--outputs 32 168 168] [--crop 12 56 56] [--repeat 3] [--variant split]

Both predict the same region of a frame, each reading what it needs around it, and are trained on the same crop, one at
a time, without reading or augmentation. By default the region and the crop are those the paper used for anisotropic
movies: 80×260×260 voxels read in prediction and 60×148×148 in training (funkelab/linajea_experiments). CPU seconds of
this process, the least of the repetitions; weights are untrained, which changes nothing. Exits with 1 below the bound.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from morula.network.build import build_network
from morula.network.spec import NetworkSpec, choose_network, choose_paper_network
from morula.network.threads import use_threads

VOXEL_UM = (2.0, 0.8, 0.8)
BOUND = 20.0


def time_least(work: Callable[[], object], repeat: int) -> float:
    """CPU seconds of the fastest repetition, after one that does not count."""
    seconds = []
    for _ in range(repeat + 1):
        began = time.process_time()
        work()
        seconds.append(time.process_time() - began)
    return min(seconds[1:])


def draw_input(spec: NetworkSpec, outputs: list[int]) -> torch.Tensor:
    """Frames that give this region: with what a network without padding cuts off, or what prediction cuts off."""
    around = [trim or context for trim, context in zip(spec.trim_vox, spec.context_vox, strict=True)]
    sizes = []
    for size, more, trim, stride in zip(outputs, around, spec.trim_vox, spec.total_stride, strict=True):
        answered = size + 2 * (more - trim)
        sizes.append(-(-answered // stride) * stride + 2 * trim)
    return torch.rand(1, spec.input_frames, *sizes).contiguous(memory_format=torch.channels_last_3d)


def build(spec: NetworkSpec) -> nn.Module:
    """The network, laid out in memory as in prediction."""
    return build_network(spec).to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload, no-any-return]


def time_prediction(network: nn.Module, frames: torch.Tensor, repeat: int) -> float:
    """CPU seconds of one prediction."""
    network.eval()
    with torch.inference_mode():
        return time_least(lambda: network(frames), repeat)


def time_training(network: nn.Module, frames: torch.Tensor, repeat: int) -> float:
    """CPU seconds of one step: prediction, squared outputs as loss, gradients, AdamW."""
    network.train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4)

    def step() -> None:
        said = network(frames)
        loss = (said.indicator**2).mean() + (said.movement_um**2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return time_least(step, repeat)


def main() -> None:
    """Measure both networks in turn and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--outputs", type=int, nargs=3, default=[32, 168, 168])
    parser.add_argument("--crop", type=int, nargs=3, default=[12, 56, 56])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--variant", choices=("split", "shared", "single"), default="split")
    options = parser.parse_args()
    megavoxels = float(np.prod(options.outputs)) / 1e6
    torch.manual_seed(0)
    seconds: dict[str, tuple[float, float]] = {}
    print(f"region {options.outputs}, {megavoxels:.2f} megavoxels; crop {options.crop}; one thread")
    print("network      parameters  seconds  megavoxels/s  ms/training step")
    fast = choose_network(np.array(VOXEL_UM), np.full(3, 3.0))
    paper = choose_paper_network(np.array(VOXEL_UM), variant=options.variant)
    with use_threads(1):
        for name, spec in (("fast", fast), ("paper", paper)):
            network = build(spec)
            predicting = time_prediction(network, draw_input(spec, options.outputs), options.repeat)
            training = time_training(network, draw_input(spec, options.crop), options.repeat)
            seconds[name] = predicting, training
            count = sum(weight.numel() for weight in network.parameters())
            rate, milliseconds = megavoxels / predicting, 1000 * training
            print(f"{name:12s} {count:10d} {predicting:8.3f} {rate:13.4f} {milliseconds:17.1f}", flush=True)
    faster, cheaper = (slow / quick for slow, quick in zip(seconds["paper"], seconds["fast"], strict=True))
    print(f"fast predicts {faster:.1f} times as fast (bound: {BOUND:g}); its training step takes 1/{cheaper:.1f}")
    sys.exit(faster < BOUND)


if __name__ == "__main__":
    main()
