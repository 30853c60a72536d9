from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from morula.errors import ModelError
from morula.network.paper import PaperNetwork
from morula.network.prediction import Prediction
from morula.network.spec import NetworkSpec, choose_paper_network

FRAMES = 7
SHALLOW = ((1, 2, 2),)
MIXED = ((2, 1, 1), (1, 2, 1))
VARIANTS = ("split", "shared", "single")


def _spec(downsampling=SHALLOW, variant="split") -> NetworkSpec:
    return NetworkSpec(
        voxel_size_um=(2.0, 1.0, 1.0),
        stem_stride=(1, 1, 1),
        downsampling=tuple(downsampling),
        channels=(2,) * (len(downsampling) + 1),
        architecture="paper",
        variant=variant,
        input_frames=FRAMES,
    )


def _small(spec: NetworkSpec) -> PaperNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return PaperNetwork(spec)


def _of_positive_weights(spec: NetworkSpec) -> PaperNetwork:
    """No rectifier cuts anything off, and no two weights are alike: whatever can be seen is seen."""
    network = _small(spec)
    with torch.no_grad():
        for weight in network.parameters():
            weight.abs_().add_(0.01)
    return network


def _input_shape(spec: NetworkSpec, strides=(1, 1, 1)) -> list[int]:
    return [n * stride + 2 * trim for n, stride, trim in zip(strides, spec.total_stride, spec.trim_vox, strict=True)]


def _noise(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random(shape, dtype=np.float32))


def _all_outputs(said: Prediction) -> torch.Tensor:
    """Indicator and vectors as four channels."""
    return torch.cat([said.indicator[:, None], said.movement_um], dim=1)


@torch.inference_mode()
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("downsampling", [SHALLOW, MIXED], ids=["shallow", "mixed"])
def test_the_output_has_one_voxel_per_input_voxel_within_the_trim(downsampling, variant) -> None:
    spec = _spec(downsampling, variant)
    said = _small(spec)(_noise(2, FRAMES, *_input_shape(spec, (1, 1, 2))))
    sizes = [n * stride for n, stride in zip((1, 1, 2), spec.total_stride, strict=True)]
    assert said.indicator.shape == (2, *sizes)
    assert said.movement_um.shape == (2, 3, *sizes)
    assert said.events is None


def _published_parameters(variant: str) -> int:
    """Counted from the description: kernels of 3, in time on the first three convolutions, and their biases."""
    a, b, c, d = 12, 36, 108, 324
    down = 81 * a + a + 81 * a * a + a + 81 * a * b + b + 27 * (b * b + b * c + c * c + c * d + d * d)
    down += b + 2 * c + 2 * d
    up = a * b + b * c + c * d + 27 * 3 * (a * a + b * b + c * c) + 2 * (a + b + c)
    downs, ups = {"split": (2, 2), "shared": (1, 2), "single": (1, 1)}[variant]
    return downs * down + ups * up + (a + 1) * 4


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_parameters_are_those_of_the_published_description(variant) -> None:
    network = PaperNetwork(choose_paper_network(np.array([5.0, 1.0, 1.0]), variant=variant))
    assert sum(weight.numel() for weight in network.parameters()) == _published_parameters(variant)


@pytest.mark.parametrize(
    ("factors", "axis"), [((2, 2, 2), 2), ((2, 2), 0), ((2, 1), 0), ((2, 1), 1), ((2, 1), 2), ((4,), 1)]
)
def test_what_influences_an_output_voxel_is_the_context(factors, axis) -> None:
    """Gradients of output voxels of every phase: the farthest input voxel that has one is the context.

    Pooling hands on the largest voxel; in an image that rises or falls along the axis it is the farthest on one side.
    """
    downsampling = [tuple(factor if a == axis else 1 for a in range(3)) for factor in factors]
    spec = _spec(downsampling, "single")
    network, stride = _of_positive_weights(spec), spec.total_stride[axis]
    shape = _input_shape(spec, tuple(3 if a == axis else 1 for a in range(3)))
    ramp = torch.linspace(0, 1, shape[axis]).reshape([-1 if a == axis else 1 for a in range(3)])
    farthest = 0
    for image in (ramp, 1 - ramp):
        frames = image.expand(1, FRAMES, *shape).clone().requires_grad_()
        output = _all_outputs(network(frames))
        for phase in (
            range(stride) if stride < 8 else (2, 5)
        ):  # a deepest voxel begins at 2, cropping cuts off that much
            chosen = output.narrow(2 + axis, stride + phase, 1).sum()
            (gradient,) = torch.autograd.grad(chosen, frames, retain_graph=True)
            touched = gradient[0].movedim(1 + axis, 0).flatten(1).any(dim=1).nonzero()[:, 0]
            voxel = spec.trim_vox[axis] + stride + phase
            farthest = max(farthest, voxel - int(touched.min()), int(touched.max()) - voxel)
    assert farthest == spec.context_vox[axis]


def test_all_seven_frames_count() -> None:
    spec = _spec()
    frames = _noise(1, FRAMES, *_input_shape(spec)).requires_grad_()
    _all_outputs(_of_positive_weights(spec)(frames)).sum().backward()
    assert (frames.grad[0].abs().sum(dim=(1, 2, 3)) > 0).all()


@torch.inference_mode()
@pytest.mark.parametrize("downsampling", [SHALLOW, MIXED], ids=["shallow", "mixed"])
def test_outputs_move_with_the_image_by_whole_strides(downsampling) -> None:
    """The property that lets tiles fit together; by less than a stride the coarse voxels would lie differently."""
    spec = _spec(downsampling)
    network, frames = _small(spec), _noise(1, FRAMES, *_input_shape(spec, (2, 2, 2)))
    whole = _all_outputs(network(frames))
    for axis, stride in enumerate(spec.total_stride):
        part = _all_outputs(network(frames.narrow(2 + axis, stride, frames.shape[2 + axis] - stride)))
        assert torch.allclose(part, whole.narrow(2 + axis, stride, stride), atol=1e-5)
        assert float(part.std()) > 1e-4


@torch.inference_mode()
def test_crops_of_a_batch_do_not_see_each_other() -> None:
    spec = _spec()
    network, crops = _small(spec), _noise(3, FRAMES, *_input_shape(spec))
    assert torch.allclose(_all_outputs(network(crops))[1:2], _all_outputs(network(crops[1:2])), atol=1e-5)


@pytest.mark.parametrize(("variant", "hears_both"), [("split", False), ("shared", True), ("single", True)])
def test_only_the_first_of_two_split_networks_is_taught_by_the_indicator_alone(variant, hears_both) -> None:
    spec = _spec(variant=variant)
    network = _of_positive_weights(spec)
    said = network(_noise(1, FRAMES, *_input_shape(spec)))
    first = network.encoders[0].firsts[0].weight
    of_vectors = torch.autograd.grad(said.movement_um.sum(), first, retain_graph=True, allow_unused=True)[0]
    assert (of_vectors is not None) == hears_both
    assert torch.autograd.grad(said.indicator.sum(), first)[0].any()


def test_training_lowers_the_loss_of_a_crop() -> None:
    spec = _spec(variant="single")
    network, frames = _small(spec), _noise(1, FRAMES, *_input_shape(spec, (2, 1, 1)))
    target = _noise(1, 4, 2, 2, 2, seed=2)
    losses = []
    for _ in range(5):
        loss = ((_all_outputs(network(frames)) - target) ** 2).mean()
        gradients = torch.autograd.grad(loss, list(network.parameters()))
        with torch.no_grad():
            for weight, gradient in zip(network.parameters(), gradients, strict=True):
                weight -= 0.1 * gradient
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.9 * losses[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"input_frames": 3}, "impossible input frames"),
        ({"variant": None}, "impossible variants"),
        ({"variant": "twice"}, "impossible variants"),
        ({"downsampling": (), "channels": (2,)}, "impossible levels"),
        ({"architecture": "fast"}, "impossible variants"),
    ],
)
def test_a_published_network_that_cannot_be_is_refused(changes, message) -> None:
    with pytest.raises(ModelError, match=message):
        replace(_spec(), **changes)


def test_it_has_no_strided_stem() -> None:
    with pytest.raises(ModelError, match="strides of 1"):
        _ = replace(_spec(), stem_stride=(1, 2, 2)).trim_vox


@pytest.mark.parametrize(
    ("voxel", "first"), [((5.0, 1.0, 1.0), (1, 2, 2)), ((1.6, 1.0, 1.0), (1, 2, 2)), ((1.4, 1.0, 1.0), (2, 2, 2))]
)
def test_a_movie_coarser_along_z_is_not_halved_along_z_at_first(voxel, first) -> None:
    spec = choose_paper_network(np.array(voxel))
    assert spec.downsampling == (first, (2, 2, 2), (2, 2, 2))
    assert (spec.input_frames, spec.variant) == (7, "split")
