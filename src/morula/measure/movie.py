"""Measuring a movie at its annotations: size and spacing of nuclei, motion, drift, contrast.

Owns the order of the measurements and their summary; one frame is measured in `morula.measure.frame`. Reads eight
annotated frames twice and some pairs of frames for the drift, one or two at a time, and of very large frames a part.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from morula.core.columns import BoolArray, FloatArray, FrameArray, IntArray
from morula.core.movie import Movie
from morula.core.progress import Progress, ProgressSink, ignore_progress
from morula.core.tracks import Tracks
from morula.errors import AnnotationError, ChunkError, MovieError
from morula.measure.evidence import scale_range
from morula.measure.frame import (
    BACKGROUND_PERCENTILE,
    PERCENTILES,
    FrameFigures,
    has_image,
    measure_frame,
    nearest_other,
    nearest_place,
    summarise_radii,
)
from morula.measure.measurements import Measurements
from morula.measure.motion import Drift, measure_drift, measure_motion
from morula.measure.samples import choose_box, choose_frames, find_inside, read_box, read_samples
from morula.peaks.blobs import BALL_RADIUS
from morula.peaks.scale import BlobScale, fit_blob_scale, pick_blob_threshold

_log = logging.getLogger(__name__)

_LEAST_DRIFT_PAIRS, _DRIFT_VOXELS = 4, 128_000_000


def measure_movie(movie: Movie, annotations: Tracks, *, progress: ProgressSink = ignore_progress) -> Measurements:
    """Measure what settings are derived from.

    Parameters
    ----------
    movie
        The movie.
    annotations
        Training (and validation) points in µm; they should have passed `morula.measure.check.check_annotations`.
    progress
        Told after every frame.

    Returns
    -------
    Measurements
        Sizes and spacing come from the image, never from distances between annotations, which are sparse.

    Raises
    ------
    AnnotationError
        If no point lies inside the movie, or the points do not lie on bright blobs.
    MovieError
        If all frames looked at are constant or not finite.
    """
    inside = find_inside(movie, annotations.t, annotations.zyx_um, tolerance_vox=1.0)
    if not inside.any():
        raise AnnotationError(
            f"none of {annotations.n} annotated points lies inside {movie.name}.",
            measured=f"the movie has {movie.n_frames} frames and reaches to {movie.extent_um.round(2).tolist()} µm",
            cause="positions in voxels instead of µm, or annotations of another movie",
            fix="check the unit of the annotations and the movie's voxel size",
        )
    t, zyx_um = annotations.t[inside], annotations.zyx_um[inside]
    scale, frames = _fit_scale(movie, t, zyx_um, choose_frames(t))
    figures = []
    for sample in read_samples(movie, t, zyx_um, frames):
        figures.append(measure_frame(sample, scale.sigma_um, movie.voxel_size_um))
        progress(Progress("measure", len(figures), len(frames), "frames"))
    threshold = pick_blob_threshold(scale.response, np.concatenate([f.blobs.response for f in figures]))
    drifts = _measure_drifts(movie, zyx_um, scale.sigma_um, progress)
    return _summarise(annotations, inside, frames, scale, threshold, figures, drifts)


def _fit_scale(movie: Movie, t: FrameArray, zyx_um: FloatArray, frames: list[int]) -> tuple[BlobScale, list[int]]:
    """Fit the blob scale at the annotations, capped by half the distance between annotated neighbours.

    That distance is at least the spacing of nuclei, whatever was left unannotated, so the cap is safe; it is far from
    tight where annotations are sparse, and the first maximum over scales decides. Also returns the frames that hold
    an image.
    """
    low, high = scale_range(movie)
    nearest = [nearest_other(zyx_um[t == frame]) for frame in frames]
    between = np.concatenate(nearest)
    if len(between):
        high = float(np.clip(np.median(between) / 2, min(2 * low, high), high))
    usable: list[int] = []

    def pairs() -> Iterator[tuple[npt.NDArray[np.generic], FloatArray]]:
        for sample in read_samples(movie, t, zyx_um, frames):
            if has_image(sample):
                usable.append(sample.t)
                yield sample.pixels, sample.points_um

    try:
        scale = fit_blob_scale(pairs(), voxel_size_um=movie.voxel_size_um, min_sigma_um=low, max_sigma_um=high)
    except AnnotationError:
        if usable:
            raise
        raise MovieError(
            f"{movie.name}: none of the {len(frames)} frames looked at holds an image.",
            measured=f"frames {frames} are constant or not finite",
            cause="another channel, a movie that was never written, or a path to an empty level",
            fix="look at the movie in a viewer, and check --channel and --level",
        ) from None
    return scale, usable


def _measure_drifts(movie: Movie, zyx_um: FloatArray, sigma_um: float, progress: ProgressSink) -> list[Drift]:
    """Measure as many pairs of consecutive frames, spread over the movie, as 128 megavoxels allow; at least four."""
    start, size = choose_box(movie, zyx_um)
    most = movie.n_frames - 1
    pairs = int(np.clip(_DRIFT_VOXELS // (2 * int(np.prod(size))), min(_LEAST_DRIFT_PAIRS, most), most))
    frames: IntArray = np.unique(np.linspace(0, most - 1, pairs).round().astype(np.int64))
    drifts = []
    for t in frames.tolist():
        try:
            before, after = (read_box(movie, frame, start, size) for frame in (t, t + 1))
        except ChunkError as error:
            _log.warning("the drift between frames %d and %d is not measured: %s", t, t + 1, error.what)
            continue
        drifts.append(measure_drift(before, after, t, sigma_um, movie.voxel_size_um))
        progress(Progress("measure drift", len(drifts), len(frames), "frame pairs"))
    return drifts


def _summarise(
    annotations: Tracks,
    inside: BoolArray,
    frames: list[int],
    scale: BlobScale,
    threshold: float,
    figures: list[FrameFigures],
    drifts: list[Drift],
) -> Measurements:
    radius = BALL_RADIUS * scale.sigma_um
    kept = [figure.blobs.rows(figure.blobs.response > threshold) for figure in figures]
    spacing = np.concatenate([nearest_other(blobs.zyx_um) for blobs in kept])
    on_blobs = np.concatenate(
        [nearest_place(blobs.zyx_um, figure.points_um) <= radius for blobs, figure in zip(kept, figures, strict=True)]
    )
    bright = np.concatenate([f.intensity_at_blobs[f.blobs.response > threshold] for f in figures])
    percentiles = np.median([figure.percentiles for figure in figures], axis=0)
    background = float(percentiles[PERCENTILES.index(BACKGROUND_PERCENTILE)])
    return Measurements(
        frames=tuple(frames),
        n_points=annotations.n,
        n_links=len(annotations.edges),
        n_divisions=int((annotations.n_children == 2).sum()),
        n_outside=int((~inside).sum()),
        share_on_blobs=float(on_blobs.mean()),
        blob_sigma_um=scale.sigma_um,
        blob_threshold=threshold,
        nucleus_radius_um=summarise_radii(np.concatenate([f.radii_um for f in figures]), scale.sigma_um),
        spacing_um=float(np.median(spacing)) if len(spacing) else None,
        nuclei_per_frame=float(np.median([b.n / f.share for b, f in zip(kept, figures, strict=True)])),
        motion=measure_motion(annotations.rows(inside), drifts),
        drifts=tuple(drifts),
        signal=float(np.median(bright)) if len(bright) else background,
        background=background,
        noise=float(np.median([figure.noise for figure in figures])),
        intensity_percentiles=tuple(zip(PERCENTILES, (float(p) for p in percentiles), strict=True)),
    )
