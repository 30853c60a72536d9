"""Settings of the evaluation."""

from __future__ import annotations

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass


@dataclass(
    frozen=True,
    kw_only=True,
    config=ConfigDict(extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False),
)
class EvaluateParams:
    """How a reconstruction is held against the truth."""

    max_distance_um: float = Field(default=6.0, gt=0, allow_inf_nan=False)
    """Largest distance of a true and a reconstructed point taken for the same cell, µm; the threshold of the command
    line. The default is the paper's 15 units at 0.406 µm each; take about half the distance of neighbouring nuclei."""

    window_frames: int = Field(default=10, ge=1)
    """Longest lineage segment W of the error-free curve, frames; the curve runs from 1 to W."""

    division_tolerance_frames: int = Field(default=1, ge=0)
    """How many frames early or late a division may be found, frames; annotators differ by about one."""

    dense: bool = False
    """Whether the truth names every cell. With sparse truth nothing is counted where the annotations are silent."""

    jaccard_distance_um: float = Field(default=7.0, gt=0, allow_inf_nan=False)
    """Largest distance of matched points in the adjusted edge Jaccard, µm; 7 in the 2026 Biohub benchmark."""

    true_points: int | None = Field(default=None, ge=1)
    """Estimate of the true number of points in all frames together, for the adjusted edge Jaccard. By default the
    number of truth points if the truth is dense, and unknown otherwise."""
