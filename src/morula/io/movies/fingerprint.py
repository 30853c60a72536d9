"""The identity of a movie, for resuming a run. Owns a cheap answer to: is this the movie the run began with?"""

from __future__ import annotations

import hashlib
import json

import numpy as np

from morula.core.movie import LazyArray, Movie
from morula.errors import ChunkError

_N_SAMPLES = 16
_SAMPLE_ZYX = (2, 64, 64)
_UNREADABLE = "-"


def fingerprint_movie(movie: Movie) -> str:
    """Summarise geometry and sampled pixels of a movie.

    Hashed are shape, dtype, voxel size and frame interval, and the pixels of 16 small boxes in the middle of frames
    spread over the movie (with the mask there, if any). The answer is the same for a moved or copied movie, for other
    chunks, compression or file format with equal pixels and dtype; it changes with another movie, channel, level, crop
    or processing. A change of a few voxels elsewhere is not seen: hashing everything would cost a read of the movie.

    Returns
    -------
    str
        ``<16 hex digits of geometry>:<8 hex digits per sample, joined by dots>``; a sample that cannot be decoded is
        ``-``, so that a repaired chunk does not make a new movie (see `is_same_movie`).

    Notes
    -----
    Cost: up to 16 reads of 2×64×64 voxels.
    """
    geometry = {
        "shape": movie.shape,
        "dtype": movie.tzyx.dtype.newbyteorder("=").str,
        "voxel_size_um": movie.voxel_size_um.tolist(),
        "frame_interval_s": float(movie.frame_interval_s),
        "mask": None if movie.mask_tzyx is None else movie.mask_tzyx.dtype.newbyteorder("=").str,
    }
    head = hashlib.sha256(json.dumps(geometry, sort_keys=True).encode()).hexdigest()[:16]
    return f"{head}:{'.'.join(_hash_samples(movie))}"


def is_same_movie(first: str, second: str) -> bool:
    """Whether two fingerprints may belong to one movie: all samples equal that could be read both times.

    Examples
    --------
    >>> is_same_movie("a1:01.-.03", "a1:01.02.03"), is_same_movie("a1:01.02", "a1:01.03")
    (True, False)
    """
    (head, samples), (other_head, other_samples) = (text.partition(":")[::2] for text in (first, second))
    pairs = list(zip(samples.split("."), other_samples.split("."), strict=False))
    return head == other_head and all(a == b or _UNREADABLE in (a, b) for a, b in pairs)


def _hash_samples(movie: Movie) -> list[str]:
    shape = np.array(movie.shape)
    size = np.minimum(shape[1:], _SAMPLE_ZYX)
    frames = np.unique(np.linspace(0, shape[0] - 1, _N_SAMPLES).round().astype(np.int64))
    # corners within the middle half: the embryo lies there, and a background of zeros would look alike in any movie
    places = np.random.default_rng(0).uniform(0.25, 0.75, (len(frames), 3))
    hashes = []
    for t, place in zip(frames.tolist(), places, strict=True):
        start = np.clip((shape[1:] * place).astype(np.int64) - size // 2, 0, shape[1:] - size)
        box = (slice(t, t + 1), *(slice(int(a), int(a + n)) for a, n in zip(start, size, strict=True)))
        hashes.append(_hash_box([movie.tzyx] if movie.mask_tzyx is None else [movie.tzyx, movie.mask_tzyx], box))
    return hashes


def _hash_box(arrays: list[LazyArray], box: tuple[slice, ...]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        try:
            pixels = np.asarray(array[box])
        except ChunkError:
            return _UNREADABLE
        digest.update(np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()[:8]
