"""What blobs are sought by: one threshold for a movie, from samples of a few frames, annotations or not."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from morula.core.movie import Movie
from morula.measure.samples import MOST_FRAMES, Sample, read_samples
from morula.peaks.blobs import Blobs, find_blobs
from morula.peaks.classical import BlobSearch
from morula.peaks.scale import split_blob_responses


def measure_blob_search(movie: Movie, *, sigma_um: float, window_um: float | None) -> BlobSearch:
    """Measure the response that parts nuclei from noise in eight frames, of frames above 16 megavoxels in their middle.

    Parameters
    ----------
    movie
        The movie; blobs outside its mask do not count.
    sigma_um, window_um
        As for `BlobSearch`.

    Returns
    -------
    search
        With the split of all responses (`morula.peaks.scale.split_blob_responses`) as threshold, and the median of all
        finite voxels sampled for those that are not finite.

    Raises
    ------
    ChunkError
        If none of the frames can be read.
    ConfigError
        If sigma or window is not positive.
    """
    search = BlobSearch(sigma_um=sigma_um, window_um=window_um, threshold=0.0, filling=0.0)
    responses, medians = [], []
    for sample, blobs in find_sampled_blobs(movie, sigma_um=sigma_um, window_um=search.reach_um):
        responses.append(_drop_masked(blobs, sample, movie).response)
        finite = sample.pixels[np.isfinite(sample.pixels)]
        if finite.size:
            medians.append(float(np.median(finite)))
    return BlobSearch(
        sigma_um=sigma_um,
        window_um=window_um,
        threshold=split_blob_responses(np.concatenate(responses)),
        filling=float(np.median(medians)) if medians else 0.0,
    )


def find_sampled_blobs(movie: Movie, *, sigma_um: float, window_um: float) -> Iterator[tuple[Sample, Blobs]]:
    """Yield samples of eight frames, spread evenly over the movie, with all blobs in them, however weak.

    Raises
    ------
    ChunkError
        If none of the frames can be read.
    """
    frames = np.unique(np.linspace(0, movie.n_frames - 1, MOST_FRAMES).round().astype(int)).tolist()
    look = partial(find_blobs, sigma_um=sigma_um, voxel_size_um=movie.voxel_size_um, threshold=0.0, window_um=window_um)
    for sample in read_samples(movie, np.zeros(0, np.int32), np.zeros((0, 3)), frames):
        yield sample, look(sample.pixels)


def _drop_masked(blobs: Blobs, sample: Sample, movie: Movie) -> Blobs:
    """Leave out blobs outside the mask."""
    if movie.mask_tzyx is None or not blobs.n:
        return blobs
    box = tuple(slice(int(a), int(a + n)) for a, n in zip(sample.start_vox, sample.pixels.shape, strict=True))
    seen = np.asarray(movie.mask_tzyx[(slice(sample.t, sample.t + 1), *box)])[0]
    voxel = np.rint(blobs.zyx_um / movie.voxel_size_um).astype(np.int64)
    return blobs.rows(np.asarray(seen[tuple(voxel.T)] != 0))
