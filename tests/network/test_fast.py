from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from morula.network.fast import FastNetwork
from morula.network.prediction import Prediction
from morula.network.spec import NetworkSpec


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


def _lit_voxels(prediction: Prediction, spec, axis: int) -> list[np.ndarray]:
    """First and last input voxels, along an axis, of the outputs that are not dark: on the fine and the coarse grid."""
    fine, coarse = prediction.indicator[0], torch.cat([prediction.movement_um[0], prediction.events[0]]).amax(dim=0)
    lit = []
    for answer, stride in ((fine, spec.output_stride[axis]), (coarse, spec.vector_stride[axis])):
        others = tuple(other for other in range(3) if other != axis)
        first = np.flatnonzero((answer > 0).any(dim=others[1]).any(dim=others[0]).numpy()) * stride
        lit.append(np.concatenate([first, first + stride - 1]))
    return lit


def _light_one_plane(network, spec, axis: int, length: int, voxel: int) -> Prediction:
    shape = [1, spec.input_frames, *spec.total_stride]
    shape[2 + axis] = length
    frames = torch.zeros(shape, dtype=torch.float64)
    frames.select(2 + axis, voxel).fill_(1.0)
    return network(frames)


@torch.inference_mode()
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_context_is_the_receptive_field(spec, axis) -> None:
    """Outputs beyond the context never see a voxel, and the context is not larger than it must be."""
    network, context, stride = _network_of_ones(spec), spec.context_vox[axis], spec.total_stride[axis]
    margin = -(-(context + stride) // stride) * stride
    length, farthest = 2 * margin + stride, 0
    for voxel in range(margin, margin + stride):
        for lit in _lit_voxels(_light_one_plane(network, spec, axis, length, voxel), spec, axis):
            farthest = max(farthest, int(np.abs(lit - voxel).max()) - spec.output_stride[axis] + 1)
    assert farthest <= context
    assert farthest > context - stride


def _stack(prediction: Prediction, spec) -> torch.Tensor:
    """All answers as channels on the grid of the vectors: an output is a channel by its place in its voxel."""
    batch, *size = prediction.indicator.shape
    fz, fy, fx = spec.outputs_per_vector
    split = prediction.indicator.reshape(batch, size[0] // fz, fz, size[1] // fy, fy, size[2] // fx, fx)
    fine = split.permute(0, 2, 4, 6, 1, 3, 5).flatten(1, 3)
    return torch.cat([prediction.movement_um, prediction.events, fine], dim=1)


@torch.inference_mode()
def test_the_middle_of_a_volume_moves_with_its_image(spec) -> None:
    network, stride = _random_network(spec), np.array(spec.total_stride)
    vector = np.array(spec.vector_stride)
    context = -(-np.array(spec.context_vox) // stride) * stride
    size = 2 * context + 2 * stride
    rng = np.random.default_rng(1)
    for axis in range(3):
        shape = stride.copy()
        shape[axis] = size[axis] + stride[axis]
        frames = torch.from_numpy(rng.random((1, spec.input_frames, *shape)))
        there = _stack(network(frames.narrow(2 + axis, 0, int(size[axis]))), spec)
        moved = _stack(network(frames.narrow(2 + axis, int(stride[axis]), int(size[axis]))), spec)
        margin, step = int(context[axis] // vector[axis]), int(stride[axis] // vector[axis])
        middle = there.narrow(2 + axis, margin + step, step)
        assert torch.allclose(middle, moved.narrow(2 + axis, margin, step), atol=1e-9)
        assert float(middle.std()) > 1e-3


@torch.inference_mode()
def test_the_indicator_is_as_fine_as_the_spec_says_and_the_rest_lies_on_the_working_grid(spec) -> None:
    size = [2 * n for n in spec.total_stride]
    said = FastNetwork(spec)(torch.zeros(2, spec.input_frames, *size))
    coarse = tuple(n // s for n, s in zip(size, spec.vector_stride, strict=True))
    assert said.indicator.shape == (2, *(n // s for n, s in zip(size, spec.output_stride, strict=True)))
    assert said.movement_um.shape == (2, 3, *coarse)
    assert said.events.shape == (2, 2, *coarse)


@torch.inference_mode()
@pytest.mark.parametrize("frames", [3, 5, 7])
def test_any_odd_number_of_frames_can_be_seen(spec, frames) -> None:
    more = replace(spec, input_frames=frames)
    network = _random_network(more)
    image = torch.from_numpy(np.random.default_rng(6).random((1, frames, *more.total_stride)))
    dark = image.clone()
    dark[:, -1] = 0.0
    assert not torch.allclose(network(image).indicator, network(dark).indicator)


@torch.inference_mode()
def test_each_channel_of_the_last_layer_is_one_output_of_its_voxel() -> None:
    """Biases that count up, weights of zero: the outputs of every working voxel are numbered z, then y, then x."""
    spec = NetworkSpec(
        voxel_size_um=(1.0, 1.0, 1.0), stem_stride=(2, 2, 4), downsampling=(), channels=(2,), output_stride=(1, 2, 2)
    )
    network = FastNetwork(spec)
    torch.nn.init.zeros_(network.head[-1].weight)
    with torch.no_grad():
        network.head[-1].bias[5:] = torch.tensor([0.0, 4.0, 8.0, 12.0])
    indicator = network(torch.zeros(1, 3, 4, 4, 8)).indicator[0]
    assert spec.outputs_per_vector == (2, 1, 2)
    sharp = torch.tensor([[[0.0, 4, 0, 4]] * 2, [[8.0, 12, 8, 12]] * 2] * 2)
    blurred_x = torch.stack([sharp[..., 0] + 1, *[torch.full((4, 2), 2.0) + sharp[..., 0]] * 2, sharp[..., 1] - 1], -1)
    assert blurred_x[0, 0].tolist() == [1, 2, 2, 3]
    assert torch.allclose(indicator[1:3], torch.full((2, 2, 1), 4.0) + blurred_x[:1])
    assert torch.allclose(indicator[0], blurred_x[0] + 2)
    assert torch.allclose(indicator[3], blurred_x[3] - 2)


@torch.inference_mode()
def test_crops_of_a_batch_do_not_see_each_other(spec) -> None:
    network, size = _random_network(spec), [2 * n for n in spec.total_stride]
    crops = torch.from_numpy(np.random.default_rng(2).random((3, 3, *size)))
    for together, alone in zip(network(crops), network(crops[1:2]), strict=True):
        assert torch.allclose(together[1:2], alone, atol=1e-9)


def test_an_untrained_network_calls_hardly_anything_a_nucleus_or_a_division(spec) -> None:
    network = FastNetwork(replace(spec, channels=(16, 32, 64)))
    frames = torch.from_numpy(np.random.default_rng(3).random((1, 3, *spec.total_stride)).astype(np.float32))
    said = network(frames)
    assert torch.sigmoid(said.indicator).max() < 0.2
    assert torch.sigmoid(said.events).max() < 0.3
