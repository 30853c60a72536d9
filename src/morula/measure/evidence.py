"""Do the annotated points lie on nuclei of this movie, and if not, would they under another reading of the numbers?

Owns the readings (unit and axis order) and the evidence for each; `morula.measure.check` turns it into messages.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from morula.core.columns import FloatArray
from morula.core.movie import Movie
from morula.core.tracks import Tracks
from morula.errors import AnnotationError
from morula.measure.samples import Sample, choose_frames, find_inside, read_samples
from morula.peaks.blobs import coarse_response
from morula.peaks.scale import fit_blob_scale, sample_response

BRIGHT_SHARE = 0.1
"""A point lies on a blob if its response belongs to the highest tenth of its frame: chance alone gives this share."""

_FRAMES = 4
_SQUEEZED_SHARE = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """One way to read the numbers of an annotation file.

    Parameters
    ----------
    name
        In words: ``µm in the order z, y, x``.
    fix
        What to do if this is the true one.
    zyx_um
        The positions read this way, µm, order z, y, x, shape (n, 3).
    """

    name: str
    fix: str
    zyx_um: FloatArray


def list_readings(movie: Movie, tracks: Tracks) -> list[Reading]:
    """List the readings that differ for this movie; the first is the one the rest of the program takes.

    Readings that squeeze all points into the movie's first corner are left out: they fit any movie.
    """
    given, voxel = tracks.zyx_um, movie.voxel_size_um
    reverse = np.ascontiguousarray(given[:, ::-1])
    multiply = f"multiply z, y, x by the voxel size {tuple(voxel.tolist())} µm"
    readings = [
        Reading("µm in the order z, y, x", "", given),
        Reading("voxels in the order z, y, x", multiply, given * voxel),
        Reading("µm in the order x, y, z", "exchange the columns z and x", reverse),
        Reading("voxels in the order x, y, z", f"exchange the columns z and x, then {multiply}", reverse * voxel),
        Reading("nanometres", "divide the positions by 1000", given / 1000),
    ]
    different = readings[:1]
    for reading in readings[1:]:
        if reading.zyx_um.max(initial=0) < _SQUEEZED_SHARE * movie.extent_um.max():
            continue
        if all(np.abs(reading.zyx_um - other.zyx_um).max(initial=0) > voxel.max() for other in different):
            different.append(reading)
    return different


def measure_fit(movie: Movie, tracks: Tracks, reading: Reading) -> float:
    """Return the share of points on blobs of the image under this reading, 0 to 1; chance alone gives about 0.1.

    Points outside the movie count as misses. Four frames are read, one at a time.
    """
    inside = find_inside(movie, tracks.t, reading.zyx_um)
    if not inside.any():
        return 0.0
    frames = choose_frames(tracks.t[inside], _FRAMES)

    def samples() -> Iterator[Sample]:
        return read_samples(movie, tracks.t[inside], reading.zyx_um[inside], frames)

    low, high = scale_range(movie)
    pairs = ((sample.pixels, sample.points_um) for sample in samples())
    try:
        sigma = fit_blob_scale(pairs, voxel_size_um=movie.voxel_size_um, min_sigma_um=low, max_sigma_um=high).sigma_um
    except AnnotationError:
        return 0.0  # the boxes read hold no point
    hits = 0
    looked_at = []
    for sample in samples():
        looked_at.append(sample.t)
        response, _ = coarse_response(sample.pixels, sigma, movie.voxel_size_um)
        bright = max(float(np.quantile(response, 1 - BRIGHT_SHARE)), 0.0)
        hits += int((sample_response(sample.pixels, sample.points_um, sigma, movie.voxel_size_um) > bright).sum())
    return hits / int(np.isin(tracks.t, looked_at).sum())


def scale_range(movie: Movie) -> tuple[float, float]:
    """Return the smallest and largest blob scale worth trying, µm: a voxel; a sixth of the view, at most 64 voxels.

    Examples
    --------
    >>> scale_range(Movie(np.zeros((1, 5, 61, 61)), np.array([1.0, 0.5, 0.5])))
    (0.5, 5.0)
    """
    voxel = float(movie.voxel_size_um[1:].min())
    return voxel, max(min(float(movie.extent_um.max()) / 6, 64 * voxel), voxel)
