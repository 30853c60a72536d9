"""The `fast` network: a small residual 3D U-Net that sees three frames as channels.

A strided stem makes the working grid; three levels of residual blocks follow, without any normalisation whose
statistics span space, so that an output voxel depends on its surroundings alone and never on the tile. All padding
replicates the edge: at the movie's faces this is the same in training and prediction; inside a movie, callers read a
halo of `NetworkSpec.context_vox` and cut it off.

The cell indicator is finer than the working grid: the last 1×1×1 convolution has one channel for each of the output
voxels in a working voxel, which are then laid side by side (sub-pixel convolution) and blurred by 1, 2, 1: channels err
one by one, and without the blur peaks stood where a channel was too high. Vectors and events, which vary little within
a nucleus, stay on the working grid.
"""

from __future__ import annotations

from itertools import pairwise
from math import prod

import torch
from torch import nn

from morula.network.prediction import EVENTS, Prediction
from morula.network.reach import Triple
from morula.network.spec import NetworkSpec

_VECTOR_CHANNELS = 3
_FIRST_SCALE = 0.5
_RARE = -4.0  # logit of the cell indicator before training: nuclei fill few voxels
_SELDOM = -2.0  # of the events: crops around divisions are drawn more often than there are divisions


class ResidualBlock(nn.Module):
    """Two 3×3×3 convolutions added to their input, at first by half, which trains well without normalisation."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _convolution(channels)
        self.second = _convolution(channels)
        self.scale = nn.Parameter(torch.full((1,), _FIRST_SCALE))
        self.activation = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, channels, z, y, x) to the same shape."""
        inner = self.second(self.activation(self.first(self.activation(x))))
        return torch.addcmul(x, inner, self.scale)


class FastNetwork(nn.Module):
    """Cell indicator, movement vector and events of the middle one of some consecutive frames.

    Parameters
    ----------
    spec
        Strides and channels, see `NetworkSpec`.
    """

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        widths = spec.channels
        self.factor: Triple = spec.outputs_per_vector
        self.stem = nn.Conv3d(spec.input_frames, widths[0], spec.stem_stride, spec.stem_stride)
        self.encoders = nn.ModuleList(ResidualBlock(width) for width in widths)
        self.downs = nn.ModuleList(
            nn.Conv3d(a, b, factor, factor)
            for a, b, factor in zip(widths[:-1], widths[1:], spec.downsampling, strict=True)
        )
        self.laterals = nn.ModuleList(nn.Conv3d(b, a, 1) for a, b in pairwise(widths))
        self.ups = nn.ModuleList(nn.Upsample(scale_factor=_floats(factor)) for factor in spec.downsampling)
        self.decoders = nn.ModuleList(ResidualBlock(width) for width in widths[:-1])
        answers = _VECTOR_CHANNELS + len(EVENTS) + prod(self.factor)
        self.head = nn.Sequential(
            nn.ReLU(), nn.Conv3d(widths[0], 2 * widths[0], 1), nn.ReLU(), nn.Conv3d(2 * widths[0], answers, 1)
        )
        self._initialise()

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]
        last = self.head[-1]
        nn.init.normal_(last.weight, std=0.01)  # type: ignore[arg-type]
        with torch.no_grad():
            last.bias[_VECTOR_CHANNELS:] = _SELDOM  # type: ignore[operator]
            last.bias[_VECTOR_CHANNELS + len(EVENTS) :] = _RARE  # type: ignore[operator]

    def forward(self, frames: torch.Tensor) -> Prediction:
        """Predict the middle frame.

        Parameters
        ----------
        frames
            Normalised intensities, shape (batch, frames, z, y, x), sizes multiples of `NetworkSpec.total_stride`.
        """
        x = self.encoders[0](self.stem(frames))
        skips = []
        for down, encoder in zip(self.downs, list(self.encoders)[1:], strict=True):
            skips.append(x)
            x = encoder(down(x))
        for lateral, up, decoder, skip in reversed(
            list(zip(self.laterals, self.ups, self.decoders, skips, strict=True))
        ):
            x = decoder(skip + up(lateral(x)))
        answer = self.head(x)
        movement, events, fine = answer.split([_VECTOR_CHANNELS, len(EVENTS), prod(self.factor)], dim=1)
        return Prediction(_blur(_interleave(fine, self.factor), self.factor), movement, events)


def _interleave(channels: torch.Tensor, factor: Triple) -> torch.Tensor:
    """Lay the channels of each voxel side by side: (batch, fz·fy·fx, z, y, x) to (batch, z·fz, y·fy, x·fx)."""
    batch, _, z, y, x = channels.shape
    fz, fy, fx = factor
    split = channels.reshape(batch, fz, fy, fx, z, y, x).permute(0, 4, 1, 5, 2, 6, 3)
    return split.reshape(batch, z * fz, y * fy, x * fx)


def _blur(volume: torch.Tensor, factor: Triple) -> torch.Tensor:
    """Weigh neighbours 1, 2, 1 along the axes that were refined, edges repeated; shape (batch, z, y, x)."""
    for axis, refined in enumerate(factor, start=1):
        if refined > 1:
            first, last = volume.narrow(axis, 0, 1), volume.narrow(axis, -1, 1)
            size = volume.shape[axis]
            wide = torch.cat([first, volume, last], dim=axis)
            pairs = wide.narrow(axis, 0, size + 1) + wide.narrow(axis, 1, size + 1)
            volume = (pairs.narrow(axis, 0, size) + pairs.narrow(axis, 1, size)) * 0.25
    return volume


def _convolution(channels: int) -> nn.Conv3d:
    return nn.Conv3d(channels, channels, 3, padding=1, padding_mode="replicate")


def _floats(factor: Triple) -> tuple[float, float, float]:
    return float(factor[0]), float(factor[1]), float(factor[2])
