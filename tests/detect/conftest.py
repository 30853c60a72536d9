"""Networks that see plenty everywhere, and networks that are known functions of the image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from morula.network.fast import FastNetwork
from morula.network.intensity import IntensityRange
from morula.network.model import Model
from morula.network.prediction import Prediction
from morula.network.spec import NetworkSpec

_SHALLOW = NetworkSpec(
    voxel_size_um=(2.0, 1.0, 1.0),
    stem_stride=(1, 2, 2),
    downsampling=((1, 2, 2),),
    channels=(4, 4),
    event_offset=(-1.0, 0.5),
)


@pytest.fixture(scope="session")
def shallow() -> NetworkSpec:
    """One level below the first: its small context leaves room for many blocks in a small movie."""
    return _SHALLOW


@pytest.fixture(scope="session")
def deep() -> NetworkSpec:
    """As deep as the real network, with few channels."""
    return replace(_SHALLOW, downsampling=((1, 2, 2), (2, 2, 2)), channels=(2, 2, 2))


@pytest.fixture(scope="session")
def random_model():
    """Build a network of random weights whose indicator spreads around one half: noise is full of peaks then."""

    def build(spec: NetworkSpec, seed: int = 0) -> Model:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = FastNetwork(spec)
            nn.init.normal_(network.head[-1].weight, std=1.0)
        with torch.no_grad():
            network.head[-1].bias.zero_()
        return Model(network.eval(), spec)

    return build


class PooledImage(nn.Module):
    """Calls the brightness of the middle frame the indicator; movement as a function of its grid's shape."""

    def __init__(self, spec: NetworkSpec, movement=None) -> None:
        super().__init__()
        self.spec, self.movement = spec, movement
        self.nothing = nn.Parameter(torch.zeros(1))

    def forward(self, frames: torch.Tensor) -> Prediction:
        raw = frames[:, 1:2] ** 2  # intensities come as square roots
        indicator = functional.avg_pool3d(raw, self.spec.output_stride).clamp(1e-6, 1 - 1e-6)
        shape = [n // s for n, s in zip(frames.shape[2:], self.spec.vector_stride, strict=True)]
        movement = torch.zeros(1, 3, *shape) if self.movement is None else self.movement(shape)
        return Prediction(torch.logit(indicator)[:, 0], movement, None)


@pytest.fixture(scope="session")
def pooled_model():
    """Build a network that is a known function of the image, see `PooledImage`."""
    return lambda spec, movement=None: Model(PooledImage(spec, movement), spec)


@pytest.fixture(scope="session")
def draw_gaussians():
    """Draw a frame of Gaussians of height 0.9 at positions in µm."""

    def draw(shape_zyx, voxel_um, centres_um, sigma_um=3.0) -> np.ndarray:
        axes = (np.arange(n) * v for n, v in zip(shape_zyx, voxel_um, strict=True))
        grid = np.stack(np.meshgrid(*axes, indexing="ij"))
        frame = np.zeros(shape_zyx)
        for centre in centres_um:
            squared = ((grid - np.reshape(centre, (3, 1, 1, 1))) ** 2).sum(axis=0)
            frame = np.maximum(frame, 0.9 * np.exp(-squared / (2 * sigma_um**2)))
        return frame.astype(np.float32)

    return draw


@pytest.fixture(scope="session")
def unit_range() -> IntensityRange:
    """Intensities from 0 to 1 as they are."""
    return IntensityRange(0.0, 1.0)
