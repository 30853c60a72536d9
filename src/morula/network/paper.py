"""The `paper` network: the 4D U-Net of Malin-Mayor et al. 2023, as published. Not fast; here to compare with.

Seven frames go in. Convolutions are valid, and four-dimensional as long as there is more than one frame: two on the
first level and one on the second leave 5, 3 and 1 of 7 frames. What the Methods leave open is taken from the code and
configuration published with the paper (funkelab/linajea_experiments, funkelab/funlib.learn.tensorflow): rectifiers
after every convolution; pooling keeps the largest voxel; "constant upsampling" maps the channels linearly, without
bias, rectifies and repeats over the finer voxels; the first level's skip connection hands on the middle frame alone;
and the output is cropped so that tiles fit together (`morula.network.valid_reach`).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod

import torch
from torch import nn
from torch.nn import functional

from morula.network.convolution4d import Convolution4d, fold_frames, unfold_frames
from morula.network.prediction import Prediction
from morula.network.reach import Triple
from morula.network.spec import NetworkSpec


class PaperNetwork(nn.Module):
    """Cell indicator (logit) and movement vector (µm) from seven consecutive frames.

    Parameters
    ----------
    spec
        Downsampling, channels and variant; two levels at least. ``split``: two U-Nets, one for the indicator and one
        for the vectors (published default). ``shared``: one way down, two ways up. ``single``: one U-Net, whose last
        feature maps give both.
    """

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        encoders, decoders = {"split": (2, 2), "shared": (1, 2), "single": (1, 1)}[spec.variant or "split"]
        channels, downsampling = spec.channels, spec.downsampling
        self.encoders = nn.ModuleList(_Encoder(channels, downsampling) for _ in range(encoders))
        self.decoders = nn.ModuleList(_Decoder(channels, downsampling) for _ in range(decoders))
        self.indicator = nn.Conv3d(channels[0], 1, 1)
        self.movement = nn.Conv3d(channels[0], 3, 1)
        self._initialise()

    def _initialise(self) -> None:
        """He for what is rectified, Glorot for the two outputs, no biases: as in the published code for torch."""
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for head in (self.indicator, self.movement):
            nn.init.xavier_uniform_(head.weight)

    def forward(self, frames: torch.Tensor) -> Prediction:
        """Predict the middle frame.

        Parameters
        ----------
        frames
            Normalised intensities, shape (batch, 7, z, y, x), sizes multiples of `NetworkSpec.total_stride` plus twice
            `NetworkSpec.trim_vox`; the prediction has the sizes without the trim. It says nothing about events.
        """
        ways_down = [encoder(frames) for encoder in self.encoders]
        seen = [decoder(ways_down[i % len(ways_down)]) for i, decoder in enumerate(self.decoders)]
        return Prediction(self.indicator(seen[0])[:, 0], self.movement(seen[-1]), None)


class _Encoder(nn.Module):
    """The way down: feature maps of every level, each of one frame, shape (batch, channels, z, y, x)."""

    def __init__(self, channels: Sequence[int], downsampling: Sequence[Triple]) -> None:
        super().__init__()
        self.factors = tuple(downsampling)
        sizes = list(pairwise((1, *channels)))
        self.firsts = nn.ModuleList(_convolution(a, b, level < 2) for level, (a, b) in enumerate(sizes))
        self.seconds = nn.ModuleList(_convolution(b, b, level < 1) for level, (_, b) in enumerate(sizes))

    def forward(self, frames: torch.Tensor) -> list[torch.Tensor]:
        x, levels = frames[:, None], []
        for level, (first, second) in enumerate(zip(self.firsts, self.seconds, strict=True)):
            if level:
                x = _pool(x, self.factors[level - 1])
            x = functional.relu_(first(x))
            x = x[:, :, 0] if level == 1 else x  # one frame is left
            x = functional.relu_(second(x))
            levels.append(x[:, :, x.shape[2] // 2] if level == 0 else x)
        return levels


class _Decoder(nn.Module):
    """The way up, from the feature maps of every level to those of the finest."""

    def __init__(self, channels: Sequence[int], downsampling: Sequence[Triple]) -> None:
        super().__init__()
        self.factors = tuple(downsampling)
        self.stride = [prod(axis) for axis in zip(*downsampling, strict=True)]
        self.ups = nn.ModuleList(nn.Conv3d(b, a, 1, bias=False) for a, b in pairwise(channels))
        self.firsts = nn.ModuleList(nn.Conv3d(2 * n, n, 3) for n in channels[:-1])
        self.seconds = nn.ModuleList(nn.Conv3d(n, n, 3) for n in channels[:-1])

    def forward(self, levels: list[torch.Tensor]) -> torch.Tensor:
        x = levels[-1]
        for level in reversed(range(len(self.factors))):
            factor: list[float] = [float(f) for f in self.factors[level]]
            x = functional.interpolate(functional.relu_(self.ups[level](x)), scale_factor=factor)
            if level == 0:  # whole strides, and the four voxels that two convolutions take
                x = _crop(
                    x, [(n - 4) // stride * stride + 4 for n, stride in zip(x.shape[2:], self.stride, strict=True)]
                )
            x = torch.cat([_crop(levels[level], x.shape[2:]), x], dim=1)
            x = functional.relu_(self.firsts[level](x))
            x = functional.relu_(self.seconds[level](x))
        return x


def _convolution(inputs: int, outputs: int, in_time: bool) -> nn.Module:
    return Convolution4d(inputs, outputs) if in_time else nn.Conv3d(inputs, outputs, 3)


def _pool(x: torch.Tensor, factor: Triple) -> torch.Tensor:
    """Keep the largest of each group of voxels, of every frame by itself."""
    if x.dim() == 5:
        return functional.max_pool3d(x, factor)
    return unfold_frames(functional.max_pool3d(fold_frames(x), factor), x.shape[2])


def _crop(x: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """Cut out the middle."""
    margins = [(have - want) // 2 for have, want in zip(x.shape[2:], shape, strict=True)]
    return x[:, :, *(slice(first, first + want) for first, want in zip(margins, shape, strict=True))]
