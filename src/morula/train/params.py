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

    network: Literal["fast", "paper"] = "fast"
    """The network to train. `paper`: the published one (Malin-Mayor et al. 2023), a 4D U-Net that sees seven frames.
    Far slower and without division scores; to compare with."""
    paper_variant: Literal["split", "shared", "single"] = "split"
    """The network `paper` as two U-Nets, one for the indicator and one for the vectors; as one with two ways up; or as
    one with all outputs."""
    channels: tuple[int, ...] | None = None
    """Feature maps per level, from the finest. Not set: 16, 32, 64 with `fast`; 12, 36, 108, 324 with `paper`, as
    published, which also takes two or three."""
    target_sigma_um: tuple[float, float, float] = (1.3, 1.3, 1.3)
    """Width of the Gaussian drawn at a centre, µm, order z, y, x. Narrow, so that two daughters are two peaks."""
    nucleus_radius_um: tuple[float, float, float] = (3.0, 3.0, 3.0)
    """Radius of a nucleus with its blur, µm, order z, y, x; sets the strides of the network."""
    mask_radius_um: float = Field(default=3.5, gt=0)
    """The loss looks this far around a centre, µm; small enough not to reach the next nucleus."""
    follow_radius: bool = False
    """Whether Gaussian, mask and movement radius of an annotation grow and shrink with its nucleus, where the tracks
    carry radii: in proportion to the median annotated radius, from a half to twice. Worth it where someone fitted the
    radii; harmful where they are what the annotation tool happened to draw."""
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
    """Size of a crop in voxels of the network's first level (those of the movement vectors), order z, y, x; rounded up
    to what the network's strides need."""
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
    event_weight: float = Field(default=0.3, ge=0)
    """Weight of the cross-entropy of the division head: does this nucleus divide, was it just born?"""
    division_share: float = Field(default=0.25, ge=0, le=1)
    """Share of crops centred on a mother or a daughter of an annotated division."""
    random_share: float = Field(default=0.15, ge=0, le=1)
    """Share of crops centred on any label, clear blobs included, instead of an annotation; none with `paper`."""
    density_balance: float = Field(default=0.0, ge=0, le=1)
    """How much less often crops are centred in crowded places: 0, every annotation alike; 1, every region alike. The
    crowd is counted in labels, clear blobs included."""
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
    patience: int = Field(default=0, ge=0)
    """Stop after this many validations without a better one, and keep the best weights; 0 trains to the end and keeps
    the last. Better means more of the held-out nuclei found, less the error of their vectors in mask radii. With the
    default number of steps the last weights are the best, since the learning rate has come down by then."""
    checkpoint_every: int = Field(default=200, ge=1)
    """Steps between checkpoints; a killed run goes on from the last one, bit for bit on a CPU."""
    threads: int = Field(default=1, ge=1)
    """CPU threads. More help little with small crops, and on a busy machine they wait for each other. A setting,
    because sums depend on it in the last bits."""
    devices: int = Field(default=1, ge=1)
    """Graphics cards that share each batch; without any, processes on the CPU. The batches are the same for any number,
    and the weights but for rounding."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """How convolutions are computed: in 16 bits on a graphics card made for it, in 32 elsewhere, with `auto`. Weights,
    losses and steps are always kept in 32 bits."""
    seed: int = Field(default=0, ge=0)
    """Seed of weights, crops and augmentation."""

    def __post_init__(self) -> None:
        if min(self.target_sigma_um) <= 0:
            raise ConfigError(
                f"train.target_sigma_um must be positive, not {list(self.target_sigma_um)}.",
                fix="measure it with `morula init`",
            )
        if min(self.nucleus_radius_um) <= 0:
            raise ConfigError(
                f"train.nucleus_radius_um must be positive, not {list(self.nucleus_radius_um)}.",
                fix="measure it with `morula init`",
            )
        if self.channels is not None:
            self._check_channels(self.channels)
        if min(self.crop_outputs) < 1:
            raise ConfigError(f"train.crop_outputs must be positive, not {list(self.crop_outputs)}.")
        if self.devices > self.batch_size:
            raise ConfigError(
                f"train.devices = {self.devices} cannot share a batch of {self.batch_size} crops.",
                fix=f"set train.batch_size to at least {self.devices}",
            )

    def _check_channels(self, channels: tuple[int, ...]) -> None:
        levels = (3,) if self.network == "fast" else (2, 3, 4)
        if len(channels) not in levels or min(channels) < 1:
            raise ConfigError(
                f"train.channels = {list(channels)} is no width for each level of the network `{self.network}`.",
                measured=f"it has {' or '.join(map(str, levels))} levels",
                fix=f"give {levels[-1]} positive numbers, or leave train.channels out",
            )


def settle_second_round(params: TrainParams) -> TrainParams:
    """Return the settings with those of the second round in the place of the first."""
    return replace(
        params,
        iterations=params.second_iterations,
        learning_rate=params.second_learning_rate,
        random_share=params.second_random_share,
    )
