"""Settings of a synthetic movie: how the embryo grows, where the camera looks, how it is imaged, what is clicked."""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

Difficulty = Literal["easy", "medium", "hard"]

_STRICT = ConfigDict(extra="forbid", use_attribute_docstrings=True)


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class EmbryoParams:
    """How cells are packed, move, divide and die."""

    cells: int = Field(default=120, ge=2)
    """Cells inside the movie in the first frame."""
    frames: int = Field(default=32, ge=1)
    """Frames."""
    spacing_um: float = Field(default=9.0, gt=0)
    """Distance in µm at which neighbouring cells stop pushing each other; 8–10 µm is usual in whole embryos."""
    flatness: float = Field(default=0.7, gt=0, le=1)
    """Height of the embryo in z over its width; most embryos lie flat on the stage."""
    flow_um: float = Field(default=3.0, ge=0)
    """Root mean square of the collective movement in µm per frame; a third of the spacing misleads some links."""
    jitter_um: float = Field(default=0.5, ge=0)
    """Standard deviation in µm per frame and axis of each cell's own movement."""
    cycle_frames: float = Field(default=95.0, gt=2)
    """Mean length of the cell cycle in frames; 95 gives about 40 divisions among 130 cells in 32 frames."""
    cycle_spread: float = Field(default=0.35, gt=0, le=1)
    """Standard deviation of the cycle length over its mean; makes divisions asynchronous."""
    daughter_gap_um: float = Field(default=5.0, gt=0)
    """Distance in µm of two daughters in the first frame after the division."""
    growth_frames: int = Field(default=3, ge=1)
    """Frames until a daughter takes the room of a grown cell."""
    death_rate: float = Field(default=0.0008, ge=0, le=1)
    """Share of the cells dying per frame."""


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class MovieParams:
    """Where the camera looks, and how finely."""

    voxel_size_um: tuple[float, float, float] = Field(default=(2.0, 0.8, 0.8))
    """Voxel size in µm, z, y, x; a light sheet's z step is usually two to five times its pixel."""
    frame_interval_s: float = Field(default=90.0, gt=0)
    """Seconds between frames; written beside the movie, changes nothing else."""
    margin_um: float = Field(default=5.0, ge=0)
    """Empty space in µm between the embryo and the movie's faces."""
    outside_share: float = Field(default=0.1, ge=0, lt=0.9)
    """Share of the cells beyond the movie's x = 0 face in the first frame; cells enter and leave through it."""
    stage_jumps: int = Field(default=0, ge=0)
    """Number of sudden shifts of the whole scene; every second one leads back."""
    stage_jump_um: float = Field(default=12.0, ge=0)
    """Length of a shift in µm, mostly within the yx plane; 8–24 µm have been seen in published movies."""


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class RenderParams:
    """How nuclei look and how the microscope sees them."""

    nucleus_radius: float = Field(default=0.34, gt=0, lt=1)
    """Mean radius of a nucleus over the spacing of cells; 0.34 × 9 µm is about 3 µm."""
    radius_spread: float = Field(default=0.07, ge=0, lt=0.5)
    """Relative standard deviation of the radius between cells."""
    elongation: float = Field(default=0.15, ge=0, lt=0.5)
    """Relative standard deviation of the three axes of one nucleus."""
    brightness_spread: float = Field(default=0.25, ge=0, lt=1)
    """Relative standard deviation of the brightness between cells."""
    texture: float = Field(default=0.25, ge=0, lt=1)
    """Relative standard deviation of the brightness within a nucleus."""
    photons: float = Field(default=90.0, gt=0)
    """Photons per voxel inside an average nucleus before blurring; 90 gives a signal-to-noise ratio of about 7."""
    background_photons: float = Field(default=8.0, ge=0)
    """Photons per voxel everywhere."""
    haze: float = Field(default=0.25, ge=0)
    """Out-of-focus light and autofluorescence around nuclei, as a share of their widely blurred brightness."""
    psf_sigma_um: tuple[float, float, float] = Field(default=(1.4, 0.55, 0.55))
    """Width (standard deviation) of the point spread function in µm, z, y, x; z two to three times yx."""
    depth_blur: float = Field(default=0.5, ge=0)
    """How much wider the point spread function is at the far face than at the near one, as a share."""
    attenuation_um: float = Field(default=120.0, gt=0)
    """Depth in µm over which the signal falls to 1/e."""
    gain: float = Field(default=4.0, gt=0)
    """Camera counts per photon."""
    offset: float = Field(default=100.0, ge=0)
    """Camera counts without light."""
    read_noise: float = Field(default=6.0, ge=0)
    """Standard deviation of the camera's own noise in counts."""
    noise: bool = True
    """Whether photon and camera noise are drawn; without it the movie is what an infinite exposure would show."""


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class AnnotateParams:
    """How many cells a person clicks."""

    share: float = Field(default=0.1, gt=0, le=1)
    """Largest share of all points that is annotated, validation included."""
    val_share: float = Field(default=0.03, ge=0, lt=1)
    """Largest share of all points kept for validation; part of `share`."""
    jitter_um: float = Field(default=0.3, ge=0)
    """Standard deviation in µm per axis of the click around the true centre."""


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class SyntheticParams:
    """A synthetic movie with its truth and its annotations."""

    seed: int = Field(default=0, ge=0)
    """Seed of everything random; the same seed gives the same movie."""
    embryo: EmbryoParams = field(default_factory=EmbryoParams)
    """How cells are packed, move, divide and die; unused where lineages come from a table."""
    movie: MovieParams = field(default_factory=MovieParams)
    """Where the camera looks."""
    render: RenderParams = field(default_factory=RenderParams)
    """How the movie looks."""
    annotate: AnnotateParams = field(default_factory=AnnotateParams)
    """How many cells are clicked."""


def preset_params(
    difficulty: Difficulty = "medium", *, seed: int = 0, cells: int = 120, frames: int = 32
) -> SyntheticParams:
    """Return the settings of an embryo of named difficulty.

    Parameters
    ----------
    difficulty
        ``medium`` is the embryo of ``morula demo``; ``easy`` moves slowly and is bright; ``hard`` has little signal,
        twice the time between frames (so twice the motion, and divisions twice as often) and stage jumps.
    seed
        Seed of everything random.
    cells, frames
        Cells in the first frame; number of frames.
    """
    size = {"cells": cells, "frames": frames}
    if difficulty == "easy":
        return SyntheticParams(
            seed=seed,
            embryo=EmbryoParams(**size, flow_um=1.2, jitter_um=0.25),
            render=RenderParams(photons=300.0, haze=0.15),
        )
    if difficulty == "hard":
        return SyntheticParams(
            seed=seed,
            embryo=EmbryoParams(**size, flow_um=6.0, jitter_um=0.7, cycle_frames=47.5, growth_frames=2),
            movie=MovieParams(frame_interval_s=180.0, stage_jumps=2),
            render=RenderParams(photons=30.0, haze=0.35),
        )
    return SyntheticParams(seed=seed, embryo=EmbryoParams(**size))
