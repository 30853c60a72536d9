"""The classical way to find nuclei, as a baseline: blobs above one threshold, nothing learned, a block at a time.

Owns the blobs of a block and how a movie is cut into blocks for them. A block sees so much around it that its blobs are
those of the whole frame, to the last bit. Measures no threshold and links nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from morula.core.blocks import Block, tile_blocks
from morula.core.columns import FloatArray, IntArray
from morula.core.cutting import choose_lengths, list_cuts
from morula.core.detections import Detections
from morula.core.movie import LazyArray, Movie
from morula.peaks.blobs import BALL_RADIUS, choose_cell, coarse_response, reach_of_response
from morula.peaks.maxima import Peaks, find_peaks

_FULL_SCORE_PERCENTILE = 95
"""Responses at this percentile of all blobs get the score 1."""

_BYTES_PER_VOXEL = 24.0
"""Of a frame that is searched: as read, in 32 bits, blurred twice, and compared with its neighbours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobSearch:
    """What is sought.

    Parameters
    ----------
    sigma_um
        Scale of the blobs in µm (`morula.peaks.scale.fit_blob_scale`).
    window_um
        Radius in which a blob must be the strongest, µm; None takes 1.73 sigma, the radius of a ball of this scale.
    threshold
        Least response.
    filling
        Intensity that counts where a voxel is not finite.
    """

    sigma_um: float
    window_um: float | None
    threshold: float
    filling: float

    @property
    def reach_um(self) -> float:
        """The window, whether it was given or not."""
        return BALL_RADIUS * self.sigma_um if self.window_um is None else self.window_um


class FoundBlobs(NamedTuple):
    """What came of a block.

    Parameters
    ----------
    detections
        Its blobs; the score is the response, in units of intensity, and the movement zero.
    not_finite_vox
        Voxels of the write region that are not finite.
    """

    detections: Detections
    not_finite_vox: int


def choose_lengths_for_blobs(movie: Movie, search: BlobSearch, memory_bytes: float) -> tuple[int, int, int]:
    """Choose the write regions that see least around them and fit a memory, or the smallest where none does.

    Returns
    -------
    lengths
        Voxels along z, y, x.
    """
    cell, halo = _find_cell(movie, search), find_halo_vox(movie, search)
    sides = zip(movie.shape[1:], cell.tolist(), halo.tolist(), strict=True)
    axes = [list_cuts(size, step, around) for size, step, around in sides]
    lengths = choose_lengths(axes, memory_bytes / _BYTES_PER_VOXEL / 1e6)
    z, y, x = cell.tolist() if lengths is None else lengths
    return z, y, x


def cut_for_blobs(movie: Movie, search: BlobSearch, write_shape: tuple[int, ...]) -> list[Block]:
    """Cut a movie into blocks of this shape, order t, z, y, x: whole cells of the search, smaller at its far faces."""
    halo = [(int(around), int(around)) for around in find_halo_vox(movie, search)]
    return tile_blocks(movie.shape, write_shape, [(0, 0), *halo])


def project_blob_memory(seen_vox: float) -> float:
    """Return the bytes it takes to search so many voxels of a frame at once, the program not counted."""
    return _BYTES_PER_VOXEL * seen_vox


def find_halo_vox(movie: Movie, search: BlobSearch) -> IntArray:
    """Return how far around a place the image decides about it, in voxels, order z, y, x: whole cells."""
    cell = _find_cell(movie, search)
    window = np.ceil(search.reach_um / (movie.voxel_size_um * cell)) + 1  # and one cell to refine the place in
    return np.asarray((reach_of_response(search.sigma_um, movie.voxel_size_um, cell) + window) * cell, np.int64)


def find_block_blobs(block: Block, *, movie: Movie, search: BlobSearch) -> FoundBlobs:
    """Find the blobs whose strongest cell lies in a block's write region, frame by frame; none outside the mask.

    Parameters
    ----------
    block
        From `cut_for_blobs`.
    movie, search
        Where, and what.

    Raises
    ------
    ChunkError
        If pixels cannot be read.
    ConfigError
        If sigma or window is not positive.

    Notes
    -----
    About 0.1 s per frame of 10 megavoxels; memory is a few times what the block sees of one frame.
    """
    box = tuple(slice(max(s.start, 0), min(s.stop, n)) for s, n in zip(block.read, movie.shape, strict=True))[1:]
    parts, not_finite = [], 0
    for t in range(block.write[0].start, block.write[0].stop):
        pixels = _read(movie.tzyx, t, box)
        if pixels.dtype.kind == "f":
            broken = ~np.isfinite(pixels)
            own = tuple(slice(w.start - b.start, w.stop - b.start) for w, b in zip(block.write[1:], box, strict=True))
            not_finite += int(broken[own].sum())
            pixels = np.where(broken, pixels.dtype.type(search.filling), pixels)
        parts.append(_search_box(pixels, t, box, block, movie, search))
    return FoundBlobs(Detections.concatenated(parts), not_finite)


def rate_blobs(found: Detections) -> Detections:
    """Give blobs scores between 0 and 1: the response over that of a strong one among all of the movie."""
    full = float(np.percentile(found.score, _FULL_SCORE_PERCENTILE)) if found.n else 1.0
    return Detections.sorted(found.t, found.zyx_um, np.clip(found.score / full, 0, 1), found.movement_um)


def _search_box(
    pixels: npt.NDArray[np.generic], t: int, box: tuple[slice, ...], block: Block, movie: Movie, search: BlobSearch
) -> Detections:
    """Find the blobs of a box of one frame that stand in the block's write region."""
    cell, start = _find_cell(movie, search), np.array([side.start for side in box])
    response, _ = coarse_response(pixels, search.sigma_um, movie.voxel_size_um, cell=cell)
    peaks = find_peaks(
        response,
        window_um=search.reach_um,
        voxel_size_um=movie.voxel_size_um * cell,
        threshold=search.threshold,
        origin_vox=(start // cell).tolist(),
    )
    first, last = (np.array([getattr(side, end) for side in block.write[1:]]) for end in ("start", "stop"))
    own = ((peaks.voxel * cell >= first) & (peaks.voxel * cell < last)).all(axis=1)
    peaks = peaks.rows(np.asarray(own))
    zyx_um = _place(peaks, cell, movie)
    if movie.mask_tzyx is not None:
        voxel = np.rint(zyx_um / movie.voxel_size_um).astype(np.int64) - start
        seen = _read(movie.mask_tzyx, t, box)[tuple(voxel.T)] != 0
        peaks, zyx_um = peaks.rows(np.asarray(seen)), zyx_um[seen]
    frame = np.full(peaks.n, t, np.int32)
    return Detections.sorted(frame, zyx_um, peaks.value.astype(np.float64), np.zeros((peaks.n, 3)))


def _place(peaks: Peaks, cell: IntArray, movie: Movie) -> FloatArray:
    """Centres in µm, inside the movie; cell i has its centre at voxel ``i * cell + (cell - 1) / 2``."""
    vox = np.clip(peaks.refined_vox * cell + (cell - 1) / 2, 0, np.array(movie.shape[1:]) - 1)
    zyx_um: FloatArray = vox * movie.voxel_size_um
    return zyx_um


def _find_cell(movie: Movie, search: BlobSearch) -> IntArray:
    return choose_cell(movie.shape[1:], search.sigma_um, movie.voxel_size_um)


def _read(array: LazyArray, t: int, box: tuple[slice, ...]) -> npt.NDArray[np.generic]:
    pixels: npt.NDArray[np.generic] = np.asarray(array[(slice(t, t + 1), *box)])[0]
    return pixels
