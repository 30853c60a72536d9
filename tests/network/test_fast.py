from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from morula.network.fast import OUTPUT_CHANNELS, FastNetwork


def _network_of_ones(spec) -> FastNetwork:
    """All weights one, no biases: a single bright voxel lights every output it can reach, and nothing cancels."""
    network = FastNetwork(spec).double()
    with torch.no_grad():
        for name, weight in network.named_parameters():
            weight.fill_(0.0 if name.endswith("bias") else 1.0)
    return network


def _random_network(spec, seed: int = 0) -> FastNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = FastNetwork(spec).double()
        torch.nn.init.normal_(network.head[-1].weight)
        return network


def _lit_outputs(network, spec, axis: int, length: int, voxel: int) -> np.ndarray:
    """First input voxels, along an axis, of the output voxels that see one bright input voxel."""
    shape = [1, spec.input_frames, *spec.total_stride]
    shape[2 + axis] = length
    frames = torch.zeros(shape, dtype=torch.float64)
    frames.select(2 + axis, voxel).fill_(1.0)
    lit = (network(frames)[0] > 0).any(dim=0)
    others = [other for other in range(3) if other != axis]
    return np.flatnonzero(lit.any(dim=others[1]).any(dim=others[0]).numpy()) * spec.stem_stride[axis]


@torch.inference_mode()
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_context_is_the_receptive_field(spec, axis) -> None:
    """Outputs beyond the context never see a voxel, and the context is not larger than it must be."""
    network, context, stride = _network_of_ones(spec), spec.context_vox[axis], spec.total_stride[axis]
    margin = -(-(context + stride) // stride) * stride
    length, farthest = 2 * margin + stride, 0
    for voxel in range(margin, margin + stride):
        first = _lit_outputs(network, spec, axis, length, voxel)
        last = first + spec.stem_stride[axis] - 1
        farthest = max(farthest, int((first - voxel).max()), int((voxel - last).max()))
    assert farthest <= context
    assert farthest > context - stride


@torch.inference_mode()
def test_the_middle_of_a_volume_moves_with_its_image(spec) -> None:
    network, stride = _random_network(spec), np.array(spec.total_stride)
    stem = np.array(spec.stem_stride)
    context = -(-np.array(spec.context_vox) // stride) * stride
    size = 2 * context + 2 * stride
    rng = np.random.default_rng(1)
    for axis in range(3):
        shape = stride.copy()
        shape[axis] = size[axis] + stride[axis]
        frames = torch.from_numpy(rng.random((1, spec.input_frames, *shape)))
        there = network(frames.narrow(2 + axis, 0, int(size[axis])))
        moved = network(frames.narrow(2 + axis, int(stride[axis]), int(size[axis])))
        margin, step = int(context[axis] // stem[axis]), int(stride[axis] // stem[axis])
        middle = there.narrow(2 + axis, margin + step, step)
        assert torch.allclose(middle, moved.narrow(2 + axis, margin, step), atol=1e-9)
        assert float(middle.std()) > 1e-3


@torch.inference_mode()
def test_the_output_has_one_voxel_per_stem_stride_and_four_channels(spec) -> None:
    size = [2 * n for n in spec.total_stride]
    output = FastNetwork(spec)(torch.zeros(2, 3, *size))
    assert output.shape == (2, OUTPUT_CHANNELS, *(n // s for n, s in zip(size, spec.stem_stride, strict=True)))


@torch.inference_mode()
def test_crops_of_a_batch_do_not_see_each_other(spec) -> None:
    network, size = _random_network(spec), [2 * n for n in spec.total_stride]
    crops = torch.from_numpy(np.random.default_rng(2).random((3, 3, *size)))
    assert torch.allclose(network(crops)[1:2], network(crops[1:2]), atol=1e-9)


def test_an_untrained_network_calls_hardly_anything_a_nucleus(spec) -> None:
    network = FastNetwork(replace(spec, channels=(16, 32, 64)))
    frames = torch.from_numpy(np.random.default_rng(3).random((1, 3, *spec.total_stride)).astype(np.float32))
    assert torch.sigmoid(network(frames)[:, 0]).max() < 0.2
