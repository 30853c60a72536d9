"""Intensities made comparable: constants measured once per movie, never per block, then the same for every voxel."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from morula.core.movie import Movie
from morula.errors import ChunkError, MovieError

_LOG = logging.getLogger(__name__)
_MAX_FRAMES = 8
_MAX_PLANES = 32
_CEILING = 4.0


@dataclass(frozen=True, slots=True)
class IntensityRange:
    """Raw intensities that become 0 and 1."""

    low: float
    high: float

    def normalise(self, raw: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Map raw intensities to about 0..1, as a square root (evens out photon noise); values are clipped at 4."""
        scaled = (raw - np.float32(self.low)) * np.float32(1.0 / (self.high - self.low))
        np.clip(scaled, 0.0, _CEILING, out=scaled)
        np.sqrt(scaled, out=scaled)
        return scaled


def measure_intensity(movie: Movie, low_percentile: float = 2.0, high_percentile: float = 99.7) -> IntensityRange:
    """Measure the intensity range on at most 8 frames and 32 planes each, evenly spread: a movie's constants.

    Raises
    ------
    MovieError
        If the sampled frames are constant or hold values that are not finite.
    ChunkError
        If none of the sampled frames can be read; frames that cannot are otherwise left out with a warning.
    """
    frames = np.unique(np.linspace(0, movie.n_frames - 1, _MAX_FRAMES).round().astype(int))
    planes = np.unique(np.linspace(0, movie.shape[1] - 1, _MAX_PLANES).round().astype(int))
    percentiles = []
    unreadable: list[ChunkError] = []
    for t in frames:
        try:
            sample = np.stack([np.asarray(movie.tzyx[t : t + 1, z : z + 1, :, :])[0, 0] for z in planes])
        except ChunkError as error:
            _LOG.warning("%s: frame %d is left out of the intensity range: %s", movie.name, t, error.what)
            unreadable.append(error)
            continue
        sample = sample.astype(np.float32)
        if not np.isfinite(sample).all():
            raise MovieError(
                f"{movie.name}: frame {t} holds {int((~np.isfinite(sample)).sum())} voxels that are not finite.",
                cause="NaN written by a fusion or deconvolution step",
                fix="replace NaN by the background value and write the movie again",
            )
        low, high = np.percentile(sample, [low_percentile, high_percentile])
        if sample.min() == sample.max():
            _LOG.warning("%s: frame %d is constant (%g), it holds nothing to see", movie.name, t, sample.min())
        else:
            percentiles.append((low, high))
    if len(unreadable) == len(frames):
        raise unreadable[0]
    if not percentiles or max(high - low for low, high in percentiles) <= 0:
        raise MovieError(
            f"{movie.name}: no contrast in any of the {len(frames)} frames looked at.",
            measured=f"percentiles {low_percentile:g} and {high_percentile:g} are equal",
            cause="the wrong channel, or an empty movie",
            fix="check --channel, and look at the movie in a viewer",
        )
    low, high = np.median(np.array(percentiles), axis=0)
    if high <= low:
        low, high = max(percentiles, key=lambda pair: pair[1] - pair[0])
    return IntensityRange(low=float(low), high=float(high))
