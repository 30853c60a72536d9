"""Settings of training."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from morula.errors import ConfigError


@dataclass(
    frozen=True,
    kw_only=True,
    config=ConfigDict(extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False),
)
class TrainParams:
    """How the network learns from sparse points. The lengths come from `morula init`, which measures the movie."""

    target_sigma_um: tuple[float, float, float] = (1.3, 1.3, 1.3)
    """Width of the Gaussian drawn at a centre, µm, order z, y, x; also sets the strides of the network."""
    mask_radius_um: float = Field(default=3.5, gt=0)
    """The loss looks this far around a centre, µm; small enough not to reach the next nucleus."""
    movement_radius_um: float = Field(default=2.0, gt=0)
    """Movement vectors are learned this far around a centre, µm."""
    blob_sigma_um: float = Field(default=1.7, gt=0)
    """Scale of the difference-of-Gaussians blobs, µm; about the nucleus radius divided by √3."""
    background: Literal["paper", "blobs", "pseudo"] = "pseudo"
    """What voxels away from annotations teach. `paper`: nothing (Malin-Mayor et al. 2023). `blobs`: voxels far from
    every image blob are background, blobs without annotation are ignored. `pseudo`: clear blobs are also taken for
    nuclei."""
    blob_threshold_share: float = Field(default=0.25, gt=0, le=1)
    """A blob counts as clear above this share of a low percentile of the blob response at annotations, and above the
    split between noise and nuclei. Low, because dividing nuclei are dim (0.3 on a real movie) and rarely annotated."""
    iterations: int = Field(default=900, ge=1)
    """Training steps of the first round."""
    second_iterations: int = Field(default=700, ge=0)
    """Steps of a second round, which also learns from the lineages found after the first; 0 for none."""
    second_learning_rate: float = Field(default=1.5e-3, gt=0)
    """Largest learning rate of the second round."""
    second_random_share: float = Field(default=0.5, ge=0, le=1)
    """Share of crops of the second round that are centred on any believed nucleus instead of an annotated one."""
    second_megavoxels: float = Field(default=300.0, gt=0)
    """How much of the movie around annotations is tracked for the second round, in millions of voxels."""
    link_distance_um: float = Field(default=7.0, gt=0)
    """Reach of the links from which the lineages for the second round are chosen, µm."""
    batch_size: int = Field(default=4, ge=1)
    """Crops per step."""
    crop_outputs: tuple[int, int, int] = (12, 24, 24)
    """Size of a crop in output voxels, order z, y, x; rounded up to what the network's strides need."""
    learning_rate: float = Field(default=3e-3, gt=0)
    """Largest learning rate of AdamW; warmed up over 5 % of the run, then lowered along a cosine."""
    weight_decay: float = Field(default=1e-3, ge=0)
    """Weight decay of AdamW."""
    average_decay: float = Field(default=0.995, ge=0, lt=1)
    """Decay per step of the moving average of the weights, which is what prediction uses."""
    indicator_loss: Literal["cross_entropy", "squared"] = "cross_entropy"
    """Loss of the cell indicator; `squared` is the published one."""
    movement_weight: float = Field(default=0.3, ge=0)
    """Weight of the movement loss (smooth L1 in µm) beside the indicator loss."""
    movement_spread: float = Field(default=0.5, ge=0, le=1)
    """Share of the movement loss that stays on the whole mask after the switch to predicted peaks; 0 as published."""
    division_share: float = Field(default=0.25, ge=0, le=1)
    """Share of crops centred on a mother or a daughter of an annotated division."""
    random_share: float = Field(default=0.15, ge=0, le=1)
    """Share of crops centred on any label, clear blobs included, instead of an annotation; none with `paper`."""
    warp_share: float = Field(default=0.5, ge=0, le=1)
    """Share of crops rotated, scaled and elastically warped; the others are only mirrored and transposed."""
    elastic_um: float = Field(default=1.0, ge=0)
    """Amplitude of the elastic warp in µm."""
    frame_shift_um: float = Field(default=0.4, ge=0)
    """Standard deviation of the simulated drift between frames in µm, on each axis. More than the movie has makes the
    task harder than it is: with 1.5 µm on a movie without drift, vectors took three times as long to learn."""
    intensity_change: float = Field(default=0.25, ge=0, lt=1)
    """Largest relative change of brightness, and three times the largest offset, in normalised units."""
    noise: float = Field(default=0.06, ge=0)
    """Largest standard deviation of added noise, in normalised units."""
    validations: int = Field(default=5, ge=1)
    """How many times the held-out annotations are looked at during training."""
    checkpoint_every: int = Field(default=200, ge=1)
    """Steps between checkpoints; a killed run goes on from the last one, bit for bit on a CPU."""
    threads: int = Field(default=1, ge=1)
    """CPU threads. More help little with small crops, and on a busy machine they wait for each other. A setting,
    because sums depend on it in the last bits."""
    seed: int = Field(default=0, ge=0)
    """Seed of weights, crops and augmentation."""

    def __post_init__(self) -> None:
        if min(self.target_sigma_um) <= 0:
            raise ConfigError(
                f"train.target_sigma_um must be positive, not {list(self.target_sigma_um)}.",
                fix="measure it with `morula init`",
            )
        if min(self.crop_outputs) < 1:
            raise ConfigError(f"train.crop_outputs must be positive, not {list(self.crop_outputs)}.")


def settle_second_round(params: TrainParams) -> TrainParams:
    """Return the settings with those of the second round in the place of the first."""
    return replace(
        params,
        iterations=params.second_iterations,
        learning_rate=params.second_learning_rate,
        random_share=params.second_random_share,
    )
