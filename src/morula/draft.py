"""Drafting a configuration: what `morula init` does. The movie and its annotations are measured, settings follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from morula.config import AnnotationsConfig, MovieConfig, RunConfig
from morula.core.progress import ProgressSink, ignore_progress
from morula.inputs import open_inputs
from morula.measure.measurements import Measurements
from morula.measure.movie import measure_movie
from morula.measure.settings import DerivedSettings, derive_settings


@dataclass(frozen=True, slots=True)
class Draft:
    """A configuration with measured values.

    Parameters
    ----------
    config
        The configuration.
    reasons
        Where values come from, by key (`detect.window_um`).
    measured
        What was measured.
    warnings
        What a person should know before starting.
    """

    config: RunConfig
    reasons: Mapping[str, str]
    measured: Measurements
    warnings: tuple[str, ...]

    def describe(self) -> str:
        """Say in one sentence what was found in the movie and its annotations."""
        measured = self.measured
        spacing = "unknown" if measured.spacing_um is None else f"{measured.spacing_um:.1f} µm"
        return (
            f"about {measured.nuclei_per_frame:.0f} nuclei a frame, spacing {spacing}, "
            f"{measured.n_points} annotated points with {measured.n_divisions} divisions."
        )


def draft_config(
    movie: MovieConfig, annotations: AnnotationsConfig, *, progress: ProgressSink = ignore_progress
) -> Draft:
    """Measure a movie at its annotations and derive a configuration.

    Raises
    ------
    MovieError, TracksError, AnnotationError
        If an input cannot be read, or the annotations do not fit the movie.
    """
    config = RunConfig(movie=movie, annotations=annotations)
    inputs = open_inputs(config)
    measured = measure_movie(inputs.movie, inputs.train, progress=progress)
    derived = derive_settings(measured, inputs.movie.voxel_size_um)
    drafted = replace(
        config,
        train=replace(
            config.train,
            nucleus_radius_um=derived.nucleus_radius_um,
            target_sigma_um=derived.target_sigma_um,
            mask_radius_um=derived.mask_radius_um,
            movement_radius_um=_movement_radius(derived),
            blob_sigma_um=derived.blob_sigma_um,
            link_distance_um=derived.max_distance_um,
        ),
        detect=replace(config.detect, window_um=derived.peak_window_um, blob_sigma_um=derived.blob_sigma_um),
        candidates=replace(config.candidates, max_distance_um=derived.max_distance_um),
        solve=replace(config.solve, sister_distance_um=derived.sister_distance_um),
        evaluate=replace(config.evaluate, max_distance_um=derived.match_distance_um),
    )
    reasons = {
        "train.nucleus_radius_um": derived.reasons["nucleus_radius_um"],
        "train.target_sigma_um": derived.reasons["target_sigma_um"],
        "train.mask_radius_um": derived.reasons["mask_radius_um"],
        "train.movement_radius_um": "0.6 mask radii: the inner part of a nucleus",
        "train.blob_sigma_um": derived.reasons["blob_sigma_um"],
        "train.link_distance_um": derived.reasons["max_distance_um"],
        "detect.window_um": derived.reasons["peak_window_um"],
        "detect.blob_sigma_um": "as in training",
        "candidates.max_distance_um": derived.reasons["max_distance_um"],
        "evaluate.max_distance_um": derived.reasons["match_distance_um"],
    }
    if derived.sister_distance_um is not None:
        reasons["solve.sister_distance_um"] = derived.reasons["sister_distance_um"]
    return Draft(drafted, reasons, measured, derived.warnings)


def _movement_radius(derived: DerivedSettings) -> float:
    return round(0.6 * derived.mask_radius_um, 2)
