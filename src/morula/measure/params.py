"""Settings of the drift measured from images."""

from __future__ import annotations

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass


@dataclass(
    frozen=True,
    kw_only=True,
    config=ConfigDict(extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False),
)
class DriftParams:
    """How jumps of the stage and drift of the embryo are found in the images (table ``[drift]``)."""

    stabilise: bool = True
    """Whether the network sees neighbouring frames shifted by what the whole image moved. The shift is added back to
    the movement vectors. Where no shift is certain nothing changes."""

    min_shift_um: float = Field(default=1.5, ge=0)
    """Smaller shifts are left to the network, µm; cells move as much on their own."""

    max_shift_um: float = Field(default=40.0, gt=0)
    """Largest shift searched for, µm. Known jumps of the stage are 8 to 24 µm."""

    min_gain: float = Field(default=0.05, ge=0, le=1)
    """A shift is believed if it raises the correlation of the two frames by this much over no shift. On synthetic
    embryos jumps of 8 µm and more raised it by 0.1 and more, frames without a jump by 0.03 at most."""

    frame_megavoxels: float = Field(default=64.0, gt=0)
    """Larger frames are not read whole: boxes spread evenly over the frame, millions of voxels together."""
