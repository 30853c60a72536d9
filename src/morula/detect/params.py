"""Settings of detection."""

from __future__ import annotations

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass


@dataclass(
    frozen=True,
    kw_only=True,
    config=ConfigDict(extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False),
)
class DetectParams:
    """How nuclei are found with a trained network."""

    threshold: float = Field(default=0.05, gt=0, lt=1)
    """Lowest cell indicator of a detection. Low on purpose: the optimiser weeds out what does not move like a cell."""
    window_um: float = Field(default=3.0, gt=0)
    """Radius in µm within which a detection must be the highest voxel (at least one output voxel on each axis)."""
    blob_sigma_um: float = Field(default=1.7, ge=0)
    """Scale in µm of the image blobs that are offered as places of nuclei. The network's indicator near a blob is its
    score; peaks of the indicator count where no blob is within the window. 0 offers peaks alone: second daughters are
    then lost beside their sisters."""
    block_frames: int = Field(default=4, ge=1)
    """Frames predicted together; neighbours share their reading."""
    block_megavoxels: float = Field(default=8.0, gt=0)
    """Largest region of one frame seen at once, in millions of voxels, halo included; sets the memory (about 200 MB
    per megavoxel), not the result."""
    mirrored: bool = False
    """Whether the network is also asked about mirror images (along y, x and both) and its answers averaged: four times
    the work for fewer chance detections."""
    threads: int = Field(default=1, ge=1)
    """CPU threads of the network."""
