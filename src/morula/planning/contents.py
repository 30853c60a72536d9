"""How many detections a movie will give: told, counted in another run, or guessed from the blobs of a few frames."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from morula.core.movie import Movie
from morula.detect.params import DetectParams
from morula.measure.blobs import find_sampled_blobs
from morula.peaks.scale import split_blob_responses


@dataclass(frozen=True, slots=True)
class Contents:
    """How much there is to see in a movie.

    Parameters
    ----------
    detections
        Number of detections in all frames.
    source
        How that is known, for people.
    counted
        Whether a network found so many; otherwise it is the number of nuclei, and an unsure network finds more.
    """

    detections: float
    source: str
    counted: bool = False


def scale_contents(counted: Contents, counted_in: Movie, movie: Movie) -> Contents:
    """Return the contents of a movie as crowded as one whose detections were counted."""
    ratio = prod(movie.shape) * np.prod(movie.voxel_size_um)
    ratio /= prod(counted_in.shape) * np.prod(counted_in.voxel_size_um)
    if abs(ratio - 1) < 1e-9:
        return counted
    return Contents(
        counted.detections * float(ratio),
        f"{counted.source}, scaled by {ratio:.3g} to this movie's size",
        counted.counted,
    )


def guess_contents(movie: Movie, sigma_um: float, params: DetectParams) -> Contents:
    """Guess from the bright blobs in at most 8 frames, of very large ones a part.

    Parameters
    ----------
    movie
        The movie.
    sigma_um
        Blob scale of a nucleus, µm.
    params
        How close two detections may be.

    Raises
    ------
    ChunkError
        If none of the frames can be read.
    """
    found, share = [], []
    for sample, blobs in find_sampled_blobs(movie, sigma_um=sigma_um, window_um=params.window_um):
        found.append(np.asarray(blobs.response, np.float64))
        share.append(sample.share)
    threshold = split_blob_responses(np.concatenate(found))
    per_frame = np.mean([(response > threshold).sum() / part for response, part in zip(found, share, strict=True)])
    source = f"{per_frame:.0f} bright blobs a frame in {len(found)} of them, and a detection for each"
    return Contents(float(per_frame) * movie.n_frames, source)
