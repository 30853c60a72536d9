from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from morula.network.convolution4d import Convolution4d, convolve_4d, fold_frames, unfold_frames

CHANNELS = st.integers(1, 3)
KERNEL = st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(1, 3))
BEYOND = st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 2), st.integers(0, 2))


def _convolve_plainly(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """The definition, one kernel voxel after the other: slow, and without any folding."""
    kernel = weight.shape[2:]
    sizes = [n - k + 1 for n, k in zip(x.shape[2:], kernel, strict=True)]
    out = np.zeros((x.shape[0], weight.shape[0], *sizes)) + bias[:, None, None, None, None]
    for offset in product(*map(range, kernel)):
        seen = x[:, :, *(slice(a, a + n) for a, n in zip(offset, sizes, strict=True))]
        out += np.einsum("oi,bitzyx->botzyx", weight[:, :, *offset], seen)
    return out


def _draw(seed: int, batch: int, inputs: int, outputs: int, kernel, beyond) -> list[torch.Tensor]:
    rng = np.random.default_rng(seed)
    sizes = [k + more for k, more in zip(kernel, beyond, strict=True)]
    drawn = [rng.normal(size=s) for s in ((batch, inputs, *sizes), (outputs, inputs, *kernel), (outputs,))]
    return [torch.from_numpy(array) for array in drawn]


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 99), batch=CHANNELS, inputs=CHANNELS, outputs=CHANNELS, kernel=KERNEL, beyond=BEYOND)
def test_the_folded_convolution_is_the_plain_one(seed, batch, inputs, outputs, kernel, beyond) -> None:
    x, weight, bias = _draw(seed, batch, inputs, outputs, kernel, beyond)
    plain = _convolve_plainly(x.numpy(), weight.numpy(), bias.numpy())
    folded = convolve_4d(x, weight, bias)
    assert folded.shape == plain.shape
    assert np.allclose(folded.numpy(), plain, rtol=0, atol=1e-11)


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 99), batch=CHANNELS, inputs=CHANNELS, outputs=CHANNELS, kernel=KERNEL, beyond=BEYOND)
def test_its_gradients_are_those_of_the_plain_one(seed, batch, inputs, outputs, kernel, beyond) -> None:
    """A sum of outputs, each weighted, is linear in input, kernel and bias: gradients follow from the definition."""
    drawn = _draw(seed, batch, inputs, outputs, kernel, beyond)
    leaves = [tensor.requires_grad_() for tensor in drawn]
    out = convolve_4d(*leaves)
    weighting = np.random.default_rng(seed + 1).normal(size=tuple(out.shape))
    (out * torch.from_numpy(weighting)).sum().backward()
    x, weight = (tensor.detach().numpy() for tensor in drawn[:2])
    grads = [np.zeros_like(x), np.zeros_like(weight), weighting.sum(axis=(0, 2, 3, 4, 5))]
    for offset in product(*map(range, kernel)):
        seen = (slice(None), slice(None), *(slice(a, a + n) for a, n in zip(offset, out.shape[2:], strict=True)))
        grads[0][seen] += np.einsum("oi,botzyx->bitzyx", weight[:, :, *offset], weighting)
        grads[1][:, :, *offset] = np.einsum("botzyx,bitzyx->oi", weighting, x[seen])
    for leaf, expected in zip(leaves, grads, strict=True):
        assert leaf.grad is not None
        assert np.allclose(leaf.grad.numpy(), expected, rtol=0, atol=1e-10)


def test_a_kernel_of_one_frame_is_a_3d_convolution_of_every_frame() -> None:
    x, weight, bias = _draw(0, 2, 3, 4, (1, 3, 3, 3), (4, 2, 1, 3))
    for t, frame in enumerate(convolve_4d(x, weight, bias).unbind(2)):
        assert torch.allclose(frame, functional.conv3d(x[:, :, t], weight[:, :, 0], bias), atol=1e-12)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last_3d])
def test_single_precision_and_the_layout_of_the_input_cost_little(layout) -> None:
    """As measured when the folding was chosen: 1e-4 of outputs of about 10."""
    layer = Convolution4d(12, 12)
    frames = torch.randn(5, 12, 6, 7, 8, generator=torch.Generator().manual_seed(0)).to(memory_format=layout)
    x = unfold_frames(frames, 5)
    exact = _convolve_plainly(*(tensor.detach().double().numpy() for tensor in (x, layer.weight, layer.bias)))
    assert np.abs(layer(x).detach().numpy() - exact).max() < 1e-4


def test_a_layer_starts_without_bias_and_keeps_the_spread_of_what_goes_through() -> None:
    torch.manual_seed(0)
    layer = Convolution4d(8, 16)
    assert layer.weight.shape == (16, 8, 3, 3, 3, 3)
    assert not layer.bias.any()
    out = functional.relu(layer(torch.randn(1, 8, 3, 9, 9, 9)))
    assert float((out**2).mean().detach()) == pytest.approx(1.0, rel=0.2)


def test_frames_folded_into_the_batch_come_back() -> None:
    x = torch.arange(2 * 3 * 4.0).reshape(2, 3, 4, 1, 1, 1)
    folded = fold_frames(x)
    assert folded.shape == (8, 3, 1, 1, 1)
    assert torch.equal(unfold_frames(folded, 4), x)
