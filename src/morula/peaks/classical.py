"""The classical way to find nuclei, as a baseline: blobs of every frame above one threshold, nothing learned.

Owns the baseline's detections; they are linked elsewhere. Holds one frame at a time.
"""

from __future__ import annotations

import logging

import numpy as np
import numpy.typing as npt

from morula.core.columns import BoolArray, FloatArray
from morula.core.detections import Detections
from morula.core.movie import Movie
from morula.core.progress import Progress, ProgressSink, ignore_progress
from morula.peaks.blobs import BALL_RADIUS, Blobs, find_blobs
from morula.peaks.scale import split_blob_responses

_log = logging.getLogger(__name__)

_FRAMES_FOR_THRESHOLD = 8
_FULL_SCORE_PERCENTILE = 95
"""Responses at this percentile of the kept blobs get the score 1."""


def detect_blobs(
    movie: Movie,
    *,
    sigma_um: float,
    threshold: float | None = None,
    window_um: float | None = None,
    progress: ProgressSink = ignore_progress,
) -> Detections:
    """Find the bright blobs of every frame.

    Parameters
    ----------
    movie
        The movie; blobs outside its mask are left out.
    sigma_um
        Scale of the blobs in µm (`morula.peaks.scale.fit_blob_scale`).
    threshold
        Least response; None splits the responses of eight frames into noise and nuclei
        (`morula.peaks.scale.split_blob_responses`).
    window_um
        Radius in which a blob must be the strongest, µm; None takes 1.73 sigma, the radius of a ball of this scale.
    progress
        Told after every frame.

    Returns
    -------
    Detections
        Sorted; the score is the response over that of a strong blob, at most 1; the movement is zero.

    Raises
    ------
    ConfigError
        If sigma or window is not positive.

    Notes
    -----
    About 0.1 s per frame of 10 megavoxels; memory is a few times one frame.
    """
    window = BALL_RADIUS * sigma_um if window_um is None else window_um
    if threshold is None:
        threshold = split_blob_responses(_sample_responses(movie, sigma_um, window))
    found = []
    for t in range(movie.n_frames):
        found.append(_find_in_frame(movie, t, sigma_um, window, threshold))
        progress(Progress("blobs", t + 1, movie.n_frames, "frames"))
    response = np.concatenate([blobs.response for blobs in found])
    full = float(np.percentile(response, _FULL_SCORE_PERCENTILE)) if len(response) else 1.0
    return Detections.sorted(
        t=np.repeat(np.arange(movie.n_frames, dtype=np.int32), [blobs.n for blobs in found]),
        zyx_um=np.concatenate([blobs.zyx_um for blobs in found]),
        score=np.clip(response / full, 0, 1),
        movement_um=np.zeros((len(response), 3)),
    )


def _sample_responses(movie: Movie, sigma_um: float, window_um: float) -> FloatArray:
    frames = np.unique(np.linspace(0, movie.n_frames - 1, _FRAMES_FOR_THRESHOLD).round().astype(int))
    return np.concatenate([_find_in_frame(movie, int(t), sigma_um, window_um, 0.0).response for t in frames])


def _find_in_frame(movie: Movie, t: int, sigma_um: float, window_um: float, threshold: float) -> Blobs:
    frame = movie.frame(t)
    if frame.dtype.kind == "f" and not np.isfinite(frame).all():
        _log.warning("frame %d: %d voxels are not finite and are ignored", t, int((~np.isfinite(frame)).sum()))
    blobs = find_blobs(
        frame, sigma_um=sigma_um, voxel_size_um=movie.voxel_size_um, threshold=threshold, window_um=window_um
    )
    if movie.mask_tzyx is None or not blobs.n:
        return blobs
    return blobs.rows(_inside_mask(np.asarray(movie.mask_tzyx[t : t + 1, :, :, :])[0], blobs, movie.voxel_size_um))


def _inside_mask(mask_zyx: npt.NDArray[np.generic], blobs: Blobs, voxel_size_um: FloatArray) -> BoolArray:
    voxel = np.rint(blobs.zyx_um / voxel_size_um).astype(np.int64)
    inside: BoolArray = np.asarray(mask_zyx[tuple(voxel.T)] != 0)
    return inside
