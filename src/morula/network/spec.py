"""What the weights of a network need to be used rightly: voxel size, strides, context and intensity rule."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import floor, isfinite, log2, prod
from typing import Literal

import numpy as np

from morula.errors import ModelError

Triple = tuple[int, int, int]
_SUPPORTED = ("fast",)
_FACTORS = {1, 2, 4, 8}
_MOST_CHANNELS = 1024
_INPUT_FRAMES = 3


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """Shape of a network and the world it was trained in. Everything a user of its weights has to respect.

    Parameters
    ----------
    voxel_size_um
        Voxel size of the training movie, order z, y, x.
    stem_stride
        Input voxels per output voxel, order z, y, x; powers of two.
    downsampling
        Factors of the levels below the first, each in the order z, y, x.
    channels
        Feature maps per level, one entry more than `downsampling`.
    architecture
        Name of the network.
    input_frames
        Frames seen at once, the predicted one in the middle.
    low_percentile, high_percentile
        Intensities at these percentiles of the whole movie become 0 and 1 before the square root.

    Raises
    ------
    ModelError
        If the network is unknown or a number is impossible.
    """

    voxel_size_um: tuple[float, float, float]
    stem_stride: Triple
    downsampling: tuple[Triple, ...]
    channels: tuple[int, ...] = (16, 32, 64)
    architecture: Literal["fast"] = "fast"
    input_frames: int = 3
    low_percentile: float = 2.0
    high_percentile: float = 99.7

    def __post_init__(self) -> None:
        if self.architecture not in _SUPPORTED:
            raise ModelError(
                f"the weights are of the network '{self.architecture}', known are {', '.join(_SUPPORTED)}.",
                cause="weights of another version of morula",
                fix="train again, or install the version that wrote them",
            )
        if len(self.channels) != len(self.downsampling) + 1:
            raise ModelError(f"{len(self.channels)} channel counts for {len(self.downsampling) + 1} levels.")
        factors = (self.stem_stride, *self.downsampling)
        possible = {
            "voxel sizes": len(self.voxel_size_um) == 3 and all(isfinite(v) and v > 0 for v in self.voxel_size_um),
            "strides": all(len(factor) == 3 and set(factor) <= _FACTORS for factor in factors),
            "channels": all(isinstance(c, int) and 1 <= c <= _MOST_CHANNELS for c in self.channels),
            "input frames": self.input_frames == _INPUT_FRAMES,
            "percentiles": 0 <= self.low_percentile < self.high_percentile <= 100,
        }
        wrong = [name for name, good in possible.items() if not good]
        if wrong:
            raise ModelError(
                f"a network with impossible {', '.join(wrong)}.",
                measured=str(self),
                cause="a damaged model file",
                fix="train again",
            )

    @property
    def total_stride(self) -> Triple:
        """Input voxels per voxel of the deepest level: blocks start at multiples of it, order z, y, x."""
        z, y, x = (self.stem_stride[axis] * prod(level[axis] for level in self.downsampling) for axis in range(3))
        return z, y, x

    @property
    def context_vox(self) -> Triple:
        """Input voxels on each side that can influence an output voxel, order z, y, x.

        Each level has a residual block of two 3×3×3 convolutions on the way down and one on the way up (the deepest
        has one); going up and down can shift the view by up to one voxel less than the total stride.
        """
        reach = []
        for axis in range(3):
            stride, total = self.stem_stride[axis], 0
            for depth in range(len(self.channels)):
                convolutions = 2 if depth == len(self.downsampling) else 4
                total += convolutions * stride
                if depth < len(self.downsampling):
                    stride *= self.downsampling[depth][axis]
            reach.append(total + self.total_stride[axis] - 1)
        z, y, x = reach
        return z, y, x

    @property
    def output_voxel_um(self) -> tuple[float, float, float]:
        """Size of an output voxel in µm, order z, y, x."""
        z, y, x = (size * stride for size, stride in zip(self.voxel_size_um, self.stem_stride, strict=True))
        return z, y, x

    def output_centre_um(self, index_zyx: np.ndarray, voxel_size_um: np.ndarray) -> np.ndarray:
        """Positions in µm of output voxels given by their (possibly fractional) index, shape (n, 3)."""
        stride = np.array(self.stem_stride)
        centre: np.ndarray = (np.asarray(index_zyx) * stride + (stride - 1) / 2) * voxel_size_um
        return centre

    def to_dict(self) -> dict[str, object]:
        """Return plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, object]) -> NetworkSpec:
        """Rebuild from JSON values.

        Raises
        ------
        ModelError
            If a field is missing, unknown or has an impossible value.
        """
        try:
            plain = {key: _tupled(value) for key, value in values.items()}
            return cls(**plain)  # type: ignore[arg-type]
        except ModelError:
            raise
        except (AttributeError, TypeError, ValueError, OverflowError) as error:
            raise ModelError(
                f"the model's description cannot be read: {error}.",
                cause="weights of another version of morula, or a damaged file",
                fix="train again, or install the version that wrote them",
            ) from None


def _tupled(value: object) -> object:
    return tuple(_tupled(item) for item in value) if isinstance(value, list) else value


def choose_network(voxel_size_um: np.ndarray, nucleus_radius_um: np.ndarray) -> NetworkSpec:
    """Choose strides so that a nucleus is about three output voxels across, whatever the voxel size.

    Parameters
    ----------
    voxel_size_um
        Voxel size, order z, y, x, shape (3,).
    nucleus_radius_um
        Radius of a typical nucleus, order z, y, x, shape (3,).

    Examples
    --------
    >>> choose_network(np.array([2.0, 0.8, 0.8]), np.array([3.0, 3.0, 3.0])).stem_stride
    (1, 2, 2)
    """
    stem = [_stride(radius / (1.5 * size)) for size, radius in zip(voxel_size_um, nucleus_radius_um, strict=True)]
    size = np.asarray(voxel_size_um) * stem
    levels = []
    for _ in range(2):
        factor = np.where(size <= 1.5 * size.min(), 2, 1)
        levels.append(tuple(int(f) for f in factor))
        size = size * factor
    z, y, x = (float(v) for v in voxel_size_um)
    return NetworkSpec(voxel_size_um=(z, y, x), stem_stride=tuple(stem), downsampling=tuple(levels))  # type: ignore[arg-type]


def _stride(ratio: float) -> int:
    return int(min(8, 2 ** max(0, floor(log2(max(ratio, 1e-3))))))
