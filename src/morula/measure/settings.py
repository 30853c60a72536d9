"""From measurements to the settings `morula init` writes, each with its reason in words.

Owns the formulas. They rest on the size and spacing of nuclei in the image and on annotated motion, never on distances
between annotations, which are sparse. The factors come from movies rendered with 8–10 µm between nuclei of 2.1 to
2.5 µm half-width, on which target width 1.1 µm, mask 3.5 to 3.9 µm and peaks at least 2.8 µm apart worked best.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from morula.core.columns import FloatArray
from morula.measure.measurements import Measurements, Triple

_RADIUS_PER_HALF_WIDTH = 1.4
_TARGET_PER_RADIUS, _TARGET_PER_SPACING, _LEAST_TARGET_VOX = 0.45, 0.13, 0.7
_MASK_PER_RADIUS, _MASK_PER_SPACING = 1.65, 0.45
_WINDOW_PER_WIDTH, _WINDOW_PER_DEPTH, _WINDOW_PER_SPACING = 0.9, 0.95, 0.45
_MATCH_PER_SPACING = 0.5
_REACH_PER_MOTION, _REACH_PER_DAUGHTERS = 1.5, 1.2
_LEAST_REACH_PER_SPACING, _MOST_REACH_PER_SPACING = 0.6, 1.5
_SISTERS_BELOW, _LEAST_SPREAD, _BEYOND_SISTERS = 0.975, 0.1, 0.4
"""Part of the daughters below what is called their largest distance; the least standard deviation, as a part of the
typical distance; and by how much, over the square root of their number, the largest annotated is exceeded at most."""

_SPACING_PER_RADIUS = 4.0
"""Spacing assumed where no frame has two nuclei: as in the movies above."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedSettings:
    """Settings that follow from a movie and its annotations; all lengths in µm.

    Parameters
    ----------
    nucleus_radius_um
        Radius of a nucleus with its blur, order z, y, x: sets the strides of the network.
    target_sigma_um
        Width of the Gaussian drawn at an annotated centre as training target, order z, y, x.
    mask_radius_um
        Radius around an annotation within which the training loss counts.
    peak_window_um
        A detection has the highest indicator within this radius. Too small, and a nucleus blurred along z is found
        twice; too large, and a dim nucleus is lost beside a bright one, or two daughters are found as one.
    match_distance_um
        A cell counts as found within this distance of the truth.
    blob_sigma_um, blob_threshold
        Scale and least response of nuclei as blobs: background in training, and the baseline.
    max_distance_um
        Candidate links reach this far from a cell's predicted earlier position.
    sister_distance_um
        How far daughters lie apart in their first frame, typically and at most; None where no division is annotated.
    reasons
        For each of these names, one sentence with the figures it comes from.
    warnings
        Sentences about the movie a person should know before starting.
    """

    nucleus_radius_um: Triple
    target_sigma_um: Triple
    mask_radius_um: float
    peak_window_um: float
    match_distance_um: float
    blob_sigma_um: float
    blob_threshold: float
    max_distance_um: float
    sister_distance_um: tuple[float, float] | None
    reasons: Mapping[str, str]
    warnings: tuple[str, ...]


def derive_settings(measured: Measurements, voxel_size_um: Sequence[float] | FloatArray) -> DerivedSettings:
    """Derive settings from measurements.

    Parameters
    ----------
    measured
        From `morula.measure.movie.measure_movie`.
    voxel_size_um
        Voxel size in µm, order z, y, x.
    """
    voxel = np.asarray(voxel_size_um, np.float64)
    deep, wide, _ = measured.nucleus_radius_um
    spacing = measured.spacing_um or _SPACING_PER_RADIUS * wide
    size = f"half-width of nuclei {wide:.1f} µm, spacing {spacing:.1f} µm"
    target = [
        max(min(_TARGET_PER_RADIUS * radius, _TARGET_PER_SPACING * spacing), _LEAST_TARGET_VOX * step)
        for radius, step in zip((deep, wide, wide), voxel, strict=True)
    ]
    reach, reach_reason = _derive_reach(measured, spacing)
    sisters = measured.motion.sisters_um
    radius = [_rounded(_RADIUS_PER_HALF_WIDTH * half_width) for half_width in (deep, wide)]
    return DerivedSettings(
        nucleus_radius_um=(radius[0], radius[1], radius[1]),
        target_sigma_um=(_rounded(target[0]), _rounded(target[1]), _rounded(target[2])),
        mask_radius_um=_rounded(min(_MASK_PER_RADIUS * wide, _MASK_PER_SPACING * spacing)),
        peak_window_um=_rounded(
            min(max(_WINDOW_PER_WIDTH * wide, _WINDOW_PER_DEPTH * deep), _WINDOW_PER_SPACING * spacing)
        ),
        match_distance_um=_rounded(_MATCH_PER_SPACING * spacing),
        blob_sigma_um=_rounded(measured.blob_sigma_um),
        blob_threshold=_rounded(measured.blob_threshold),
        max_distance_um=_rounded(reach),
        sister_distance_um=_derive_sisters(sisters),
        reasons={
            "nucleus_radius_um": f"1.4 half-widths ({deep:.1f} µm along z, {wide:.1f} µm across)",
            "target_sigma_um": f"0.45 of the half-width ({deep:.1f} µm along z, {wide:.1f} µm across), at most 0.13 of "
            f"the spacing {spacing:.1f} µm so that daughters just born are two peaks, at least 0.7 voxels",
            "mask_radius_um": f"1.65 half-widths, at most 0.45 of the spacing so that it does not reach the neighbour "
            f"({size})",
            "peak_window_um": f"0.9 of the half-width across, at least 0.95 of that along z ({deep:.1f} µm): so none "
            f"is found twice, at most 0.45 of the spacing so that daughters stay two ({size})",
            "match_distance_um": f"half the spacing of nuclei ({spacing:.1f} µm)",
            "blob_sigma_um": f"scale at which the annotated nuclei answer most, a ball of radius "
            f"{3**0.5 * measured.blob_sigma_um:.1f} µm",
            "blob_threshold": "from the response at annotated points and the split between noise and nuclei, "
            f"{measured.nuclei_per_frame:.0f} nuclei per frame",
            "max_distance_um": reach_reason,
            "sister_distance_um": f"median of {len(sisters)} annotated pairs of daughters just born (the largest: "
            f"{max(sisters, default=0):.1f} µm), and what hardly any pair exceeds; the fewer pairs, the more is added",
        },
        warnings=_list_warnings(measured, reach),
    )


def _derive_reach(measured: Measurements, spacing: float) -> tuple[float, str]:
    """Far enough for fast cells and daughters, not so far that most candidates are neighbours.

    A learned movement vector makes the true parent lie much nearer than the raw motion; where vectors fail, the reach
    covers the raw motion itself. Sparse annotations show the tail of the motion badly, hence the factor and the floor.
    """
    motion = measured.motion
    wanted = max(_REACH_PER_MOTION * motion.residual_p95_um, _REACH_PER_DAUGHTERS * (motion.daughters_p90_um or 0.0))
    least, most = _LEAST_REACH_PER_SPACING * spacing, _MOST_REACH_PER_SPACING * spacing
    daughters = f", daughters {motion.daughters_p90_um:.1f} µm" if motion.daughters_p90_um is not None else ""
    reason = (
        f"1.5 times the 95th percentile of annotated motion ({motion.residual_p95_um:.1f} µm per frame without "
        f"drift{daughters}), at least {least:.2g} and at most {most:.2g} µm: 0.6 and 1.5 times the spacing of nuclei"
    )
    return float(np.clip(wanted, least, most)), reason


def _derive_sisters(distances_um: Sequence[float]) -> tuple[float, float] | None:
    """The median, and what hardly any further pair exceeds: the upper end of a 95 % prediction interval.

    It is that of normal distances. Of few pairs that would be very far, of pairs alike by chance too near: hence the
    limits and the least spread.
    """
    n = len(distances_um)
    if not n:
        return None
    typical, largest = float(np.median(distances_um)), max(distances_um)
    most = largest * (1 + _BEYOND_SISTERS / n**0.5)
    if n > 1:
        spread = max(float(np.std(distances_um, ddof=1)), _LEAST_SPREAD * typical)
        beyond = float(stdtrit(n - 1, _SISTERS_BELOW)) * spread * (1 + 1 / n) ** 0.5
        most = min(most, max(largest, float(np.mean(distances_um)) + beyond))
    return _rounded(typical), _rounded(most)


def _list_warnings(measured: Measurements, reach: float) -> tuple[str, ...]:
    warnings = []
    jump = measured.largest_jump
    if jump is not None and jump.length_um > reach:
        warnings.append(
            f"the image jumps by {jump.length_um:.1f} µm between frames {jump.t} and {jump.t + 1}, further than "
            f"candidate links reach ({reach:.1f} µm): leave drift correction on"
        )
    if measured.motion.residual_p95_um > _MOST_REACH_PER_SPACING * (measured.spacing_um or np.inf):
        warnings.append(
            f"annotated cells move {measured.motion.residual_p95_um:.1f} µm per frame, more than 1.5 times the spacing "
            f"of nuclei ({measured.spacing_um:.1f} µm): a shorter frame interval would help more than any setting"
        )
    if measured.signal_to_noise < 2:
        warnings.append(
            f"nuclei stand out from the background by only {measured.signal_to_noise:.1f} times the noise of a voxel"
        )
    if measured.share_on_blobs < 0.6:
        warnings.append(
            f"only {measured.share_on_blobs:.0%} of the annotated points lie on a bright blob of the image: "
            "check channel, voxel size and axis order"
        )
    if measured.n_outside:
        warnings.append(f"{measured.n_outside} annotated points lie outside the movie and were left out")
    return tuple(warnings)


def _rounded(value: float) -> float:
    """Two significant digits: what was measured allows no more."""
    return float(f"{value:.2g}")
