"""What the weights of a network need to be used rightly: voxel size, strides, context and intensity rule.

Three grids: input voxels; output voxels (`output_stride` input voxels each), on which the cell indicator lies; and the
voxels of the vectors (`vector_stride`), on which movement and events lie.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from math import floor, isfinite, log2, prod
from typing import Literal, get_args

import numpy as np

from morula.errors import ModelError
from morula.network.reach import Reach, Triple, measure_fast_reach, measure_paper_reach

_FACTORS = {1, 2, 4, 8}
_MOST_CHANNELS = 1024
_MOST_FRAMES = 15
_REACH = {"fast": measure_fast_reach, "paper": measure_paper_reach}
_PAPER_FRAMES = 7
_ANISOTROPIC = 1.5

Variant = Literal["split", "shared", "single"]
_VARIANTS = get_args(Variant)


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """Shape of a network and the world it was trained in. Everything a user of its weights has to respect.

    Parameters
    ----------
    voxel_size_um
        Voxel size of the training movie, order z, y, x.
    stem_stride
        Input voxels per voxel of the first level, which is that of the vectors, order z, y, x; powers of two.
    downsampling
        Factors of the levels below the first, each in the order z, y, x.
    channels
        Feature maps per level, one entry more than `downsampling`.
    output_stride
        Input voxels per voxel of the cell indicator, order z, y, x; divides `stem_stride`.
    architecture
        Name of the network.
    variant
        How many U-Nets the network `paper` is, see `morula.network.paper.PaperNetwork`; None for others.
    input_frames
        Frames seen at once, an odd number; the predicted one is in the middle.
    event_offset
        Added to the logits of `divides` and `born` to make them probabilities: divisions were drawn more often in
        training than they are. None if nothing was learned about them.
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
    output_stride: Triple = (1, 1, 1)
    architecture: Literal["fast", "paper"] = "fast"
    variant: Variant | None = None
    input_frames: int = 3
    event_offset: tuple[float, float] | None = None
    low_percentile: float = 2.0
    high_percentile: float = 99.7

    def __post_init__(self) -> None:
        if self.architecture not in _REACH:
            raise ModelError(
                f"the weights are of the network '{self.architecture}', known are {', '.join(_REACH)}.",
                cause="weights of another version of morula",
                fix="train again, or install the version that wrote them",
            )
        if len(self.channels) != len(self.downsampling) + 1:
            raise ModelError(f"{len(self.channels)} channel counts for {len(self.downsampling) + 1} levels.")
        factors = (self.stem_stride, self.output_stride, *self.downsampling)
        possible = {
            "voxel sizes": len(self.voxel_size_um) == 3 and all(isfinite(v) and v > 0 for v in self.voxel_size_um),
            "levels": self.architecture != "paper" or len(self.channels) > 1,
            "strides": all(len(factor) == 3 and set(factor) <= _FACTORS for factor in factors)
            and all(fine <= coarse for fine, coarse in zip(self.output_stride, self.stem_stride, strict=True)),
            "channels": all(isinstance(c, int) and 1 <= c <= _MOST_CHANNELS for c in self.channels),
            "input frames": self.input_frames in range(3, _MOST_FRAMES + 1, 2)
            and (self.architecture != "paper" or self.input_frames == _PAPER_FRAMES),
            "event offsets": self.event_offset is None
            or (len(self.event_offset) == 2 and all(isfinite(v) for v in self.event_offset)),
            "variants": self.variant in (_VARIANTS if self.architecture == "paper" else (None,)),
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
    def frames_around(self) -> int:
        """Frames seen before the predicted one, and as many after it."""
        return self.input_frames // 2

    @property
    def context_vox(self) -> Triple:
        """Input voxels on each side that can influence an output voxel, order z, y, x."""
        return self._reach.context_vox

    @property
    def trim_vox(self) -> Triple:
        """Input voxels on each side for which there is no output, order z, y, x; zero for a network that pads."""
        return self._reach.trim_vox

    @property
    def _reach(self) -> Reach:
        return _REACH[self.architecture](self.stem_stride, self.downsampling, self.output_stride)

    @property
    def vector_stride(self) -> Triple:
        """Input voxels per voxel of vectors and events, order z, y, x."""
        return self.stem_stride

    @property
    def outputs_per_vector(self) -> Triple:
        """Output voxels per voxel of the vectors, order z, y, x."""
        z, y, x = (coarse // fine for coarse, fine in zip(self.vector_stride, self.output_stride, strict=True))
        return z, y, x

    @property
    def output_voxel_um(self) -> tuple[float, float, float]:
        """Size of an output voxel in µm, order z, y, x."""
        z, y, x = (size * stride for size, stride in zip(self.voxel_size_um, self.output_stride, strict=True))
        return z, y, x

    def output_centre_um(self, index_zyx: np.ndarray, voxel_size_um: np.ndarray) -> np.ndarray:
        """Positions in µm of output voxels given by their (possibly fractional) index, shape (n, 3)."""
        return _centre_um(index_zyx, self.output_stride, voxel_size_um)

    def vector_centre_um(self, index_zyx: np.ndarray, voxel_size_um: np.ndarray) -> np.ndarray:
        """Positions in µm of the voxels of the vectors, given by their index, shape (n, 3)."""
        return _centre_um(index_zyx, self.vector_stride, voxel_size_um)

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


def _centre_um(index_zyx: np.ndarray, stride_zyx: Triple, voxel_size_um: np.ndarray) -> np.ndarray:
    stride = np.array(stride_zyx)
    centre: np.ndarray = (np.asarray(index_zyx) * stride + (stride - 1) / 2) * voxel_size_um
    return centre


def _tupled(value: object) -> object:
    return tuple(_tupled(item) for item in value) if isinstance(value, list) else value


def choose_network(voxel_size_um: np.ndarray, nucleus_radius_um: np.ndarray) -> NetworkSpec:
    """Choose strides so that a nucleus is three to six working voxels across, whatever the voxel size.

    The cell indicator lies on a grid twice as fine, where the voxels of the movie are: daughters just after a division
    are closer than two working voxels.

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
    ratio = np.asarray(nucleus_radius_um) / (1.5 * np.asarray(voxel_size_um))
    stem = _triple([_stride(r) for r in ratio])
    size = np.asarray(voxel_size_um) * stem
    levels = []
    for _ in range(2):
        factor = np.where(size <= 1.5 * size.min(), 2, 1)
        levels.append(_triple(factor))
        size = size * factor
    z, y, x = (float(v) for v in voxel_size_um)
    return NetworkSpec(
        voxel_size_um=(z, y, x),
        stem_stride=stem,
        downsampling=tuple(levels),
        output_stride=_triple([max(1, stride // 2) for stride in stem]),
    )


def _triple(values: Iterable[int]) -> Triple:
    z, y, x = (int(value) for value in values)
    return z, y, x


def choose_paper_network(
    voxel_size_um: np.ndarray, channels: tuple[int, ...] = (12, 36, 108, 324), variant: Variant = "split"
) -> NetworkSpec:
    """Choose the published network: its strides depend on nothing but whether the movie is coarser along z.

    Then the first level is not halved along z (Malin-Mayor et al. 2023; their movies of mouse and fly, 5:1:1).

    Examples
    --------
    >>> choose_paper_network(np.array([5.0, 1.0, 1.0])).downsampling
    ((1, 2, 2), (2, 2, 2), (2, 2, 2))
    """
    z, y, x = (float(v) for v in voxel_size_um)
    first: Triple = (1, 2, 2) if z > _ANISOTROPIC * min(y, x) else (2, 2, 2)
    return NetworkSpec(
        voxel_size_um=(z, y, x),
        stem_stride=(1, 1, 1),
        downsampling=(first, *[(2, 2, 2)] * (len(channels) - 2)),
        channels=channels,
        architecture="paper",
        variant=variant,
        input_frames=_PAPER_FRAMES,
    )


def _stride(ratio: float) -> int:
    return int(min(8, 2 ** max(0, floor(log2(max(ratio, 1e-3))))))
