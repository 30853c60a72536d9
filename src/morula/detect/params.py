"""Settings of detection."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

BLOCK_SETTINGS = ("block_frames", "block_megavoxels", "memory_gib")
"""Settings that say how a movie is cut; the detections do not depend on them."""


@dataclass(
    frozen=True,
    kw_only=True,
    config=ConfigDict(extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False),
)
class DetectParams:
    """How nuclei are found with a trained network."""

    threshold: float = Field(default=0.03, gt=0, lt=1)
    """Lowest cell indicator of a detection. Low on purpose: the optimiser weeds out what does not move like a cell."""
    window_um: float = Field(default=3.0, gt=0)
    """Radius in µm within which a detection must be the highest voxel (at least one output voxel on each axis)."""
    blob_sigma_um: float = Field(default=1.7, ge=0)
    """Scale in µm of the image blobs that are offered as places of nuclei. The network's indicator near a blob is its
    score; peaks of the indicator count where no blob is within the window. 0 offers peaks alone: second daughters are
    then lost beside their sisters."""
    block_frames: int = Field(default=4, ge=1)
    """Frames of a block; neighbours share their reading. Memory does not depend on it: frames are read one by one."""
    block_megavoxels: float | None = Field(default=None, gt=0)
    """Largest region of one frame seen at once, in millions of voxels, halo included. By default what fits the memory
    of a worker: the larger a block, the less of its work is halo."""
    memory_gib: float | None = Field(default=None, gt=0)
    """Memory in GiB that a worker may use for a block, the program itself included. By default three fifths of this
    machine's memory per core, and of a graphics card's memory."""
    skip_contrast: float = Field(default=0.0, ge=0, le=0.5)
    """Where the smoothed image varies by less than this share of the movie's range of intensities, nothing is looked
    for: frames of blocks that are empty in this way are not shown to the network. 0.1 is cautious (rendered embryos
    lose nuclei above 0.3 only); 0 looks everywhere. Set it where much of the movie is empty."""
    mirrored: bool = False
    """Whether the network is also asked about mirror images (along y, x and both) and its answers averaged: four times
    the work for fewer chance detections."""
    threads: int = Field(default=1, ge=1)
    """CPU threads of the network."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """How convolutions are computed: in 16 bits on a graphics card made for it, in 32 elsewhere, with `auto`. On
    processors made for it "bfloat16" takes half the time; scores then differ by about a hundredth."""
