"""Bright blobs of one frame: a scale-normalised difference of Gaussians in µm, and its peaks.

Owns what a blob is. Reads no movie and chooses no scale or threshold (see `morula.peaks.scale`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage, special

from morula.core.columns import BoolArray, FloatArray, IntArray, ReadOnlyColumns, column
from morula.errors import ConfigError
from morula.peaks.maxima import Float32Array, find_peaks

SIGMA_RATIO = 1.6
"""Wide over narrow Gaussian: at this ratio their difference comes closest to a Laplacian (Marr and Hildreth 1980)."""

BALL_RADIUS = 3**0.5
"""Radius over scale of the ball that answers most at this scale."""

_FINE_ENOUGH_VOX = 2.5
"""A blob's sigma in voxels that still places its peak to a few hundredths of a voxel; finer grids only cost time."""

_KEPT_VOXELS = 16
"""Axes shorter than this are never coarsened: a movie of a few planes needs them all."""


@dataclass(frozen=True, slots=True, eq=False)
class Blobs(ReadOnlyColumns):
    """Bright blobs of one frame, in the order of their voxels (z, then y, then x).

    Parameters
    ----------
    zyx_um
        Centres in µm, order z, y, x, shape (n, 3).
    response
        Scale-normalised response at the centre in units of image intensity, shape (n,).
    """

    zyx_um: FloatArray
    response: FloatArray

    def __post_init__(self) -> None:
        n = len(self.response)
        object.__setattr__(self, "zyx_um", column(self.zyx_um, np.float64, (n, 3), "zyx_um"))
        object.__setattr__(self, "response", column(self.response, np.float64, (n,), "response"))

    @property
    def n(self) -> int:
        """Number of blobs."""
        return len(self.response)

    def rows(self, keep: BoolArray) -> Blobs:
        """Return the blobs where `keep` is true."""
        return Blobs(zyx_um=self.zyx_um[keep], response=self.response[keep])


def blob_response(
    frame_zyx: npt.NDArray[np.generic],
    sigma_um: float | Sequence[float] | FloatArray,
    voxel_size_um: Sequence[float] | FloatArray,
) -> Float32Array:
    """Return how much each voxel looks like the centre of a bright blob of this size.

    Parameters
    ----------
    frame_zyx
        Intensities, shape (Z, Y, X), any real dtype. Values that are not finite count as the frame's median.
    sigma_um
        Scale in µm, one number or z, y, x: the response is largest for a Gaussian blob of width ``1.22 * sigma_um``,
        or a ball of radius ``1.73 * sigma_um``.
    voxel_size_um
        Voxel size in µm, order z, y, x.

    Returns
    -------
    array
        float32, shape (Z, Y, X), in units of intensity; positive on bright blobs, zero on a constant, and comparable
        between scales. Beyond the frame's faces the outermost voxels repeat.

    Raises
    ------
    ConfigError
        If the frame is not three-dimensional or a length is not positive.

    Notes
    -----
    ``(G(s / sqrt(k)) - G(s * sqrt(k))) * frame / ln k`` with k = 1.6, which tends to ``-s² laplacian(G(s)) * frame``
    as k goes to 1 (Lindeberg 1998). Along each axis the *discrete* Gaussian ``exp(-v) I_n(v)`` of variance v is used
    rather than a sampled one: it stays right where sigma falls below a voxel, as it does along z in coarse stacks.
    """
    variance = _sigma_vox(frame_zyx, sigma_um, voxel_size_um) ** 2
    return _subtract_blurred(finite_frame(frame_zyx), variance / SIGMA_RATIO, variance * SIGMA_RATIO)


def find_blobs(
    frame_zyx: npt.NDArray[np.generic],
    *,
    sigma_um: float | Sequence[float] | FloatArray,
    voxel_size_um: Sequence[float] | FloatArray,
    threshold: float,
    window_um: float | Sequence[float] | FloatArray,
) -> Blobs:
    """Find the bright blobs of a frame: peaks of `blob_response`, refined between voxels.

    Parameters
    ----------
    frame_zyx
        Intensities, shape (Z, Y, X).
    sigma_um
        Scale of the blobs, as for `blob_response`.
    voxel_size_um
        Voxel size in µm, order z, y, x.
    threshold
        Least response of a blob; 0 keeps every maximum.
    window_um
        A blob has the largest response within this radius (or semi-axes z, y, x), in µm.

    Returns
    -------
    Blobs
        Centres in µm inside the frame.

    Raises
    ------
    ConfigError
        As for `blob_response` and `find_peaks`.

    Notes
    -----
    Where sigma spans many voxels the frame is first averaged over cells of up to ``sigma / 2.5``, which changes the
    response by a percent or two and the time by the volume of such a cell.
    """
    voxel = np.asarray(voxel_size_um, np.float64)
    response, cell = coarse_response(frame_zyx, sigma_um, voxel)
    peaks = find_peaks(response, window_um=window_um, voxel_size_um=voxel * cell, threshold=threshold)
    last = np.array(frame_zyx.shape) - 1
    vox = np.clip(peaks.refined_vox * cell + (cell - 1) / 2, 0, last)
    return Blobs(zyx_um=vox * voxel, response=peaks.value.astype(np.float64))


def choose_cell(
    shape_zyx: Sequence[int],
    sigma_um: float | Sequence[float] | FloatArray,
    voxel_size_um: Sequence[float] | FloatArray,
) -> IntArray:
    """Choose how many voxels of a frame of this shape are averaged before blobs of this scale are sought in it.

    Returns
    -------
    cell
        Voxels per cell, order z, y, x, shape (3,): as many as the scale allows; 1 along axes of few voxels.
    """
    sigma = np.broadcast_to(np.asarray(sigma_um, np.float64), 3) / np.asarray(voxel_size_um, np.float64)
    cell = np.maximum(np.floor(sigma / _FINE_ENOUGH_VOX), 1).astype(np.int64)
    cell[np.asarray(shape_zyx) < _KEPT_VOXELS] = 1
    chosen: IntArray = cell
    return chosen


def reach_of_response(
    sigma_um: float | Sequence[float] | FloatArray, voxel_size_um: Sequence[float] | FloatArray, cell: IntArray
) -> IntArray:
    """Return how many cells around a cell its response depends on, order z, y, x, shape (3,)."""
    sigma = np.broadcast_to(np.asarray(sigma_um, np.float64), 3) / np.asarray(voxel_size_um, np.float64)
    _, wide = _variances(sigma, cell)
    return np.array([_reach(variance) for variance in wide], np.int64)


def coarse_response(
    frame_zyx: npt.NDArray[np.generic],
    sigma_um: float | Sequence[float] | FloatArray,
    voxel_size_um: Sequence[float] | FloatArray,
    *,
    cell: IntArray | None = None,
) -> tuple[Float32Array, IntArray]:
    """Compute `blob_response` on cells of several voxels, as coarse as the scale allows.

    Parameters
    ----------
    frame_zyx, sigma_um, voxel_size_um
        As for `blob_response`.
    cell
        Voxels per cell, order z, y, x; None takes those of `choose_cell` for this frame.

    Returns
    -------
    tuple
        The response (float32; the last cells are completed by repeating the frame's face) and the voxels per cell,
        order z, y, x; cell i has its centre at voxel ``i * cell + (cell - 1) / 2``.

    Raises
    ------
    ConfigError
        As for `blob_response`.
    """
    sigma_vox = _sigma_vox(frame_zyx, sigma_um, voxel_size_um)
    if cell is None:
        cell = choose_cell(frame_zyx.shape, sigma_um, voxel_size_um)
    narrow, wide = _variances(sigma_vox, cell)
    return _subtract_blurred(average_cells(finite_frame(frame_zyx), cell), narrow, wide), cell


def _variances(sigma_vox: FloatArray, cell: IntArray) -> tuple[FloatArray, FloatArray]:
    """Variances of the narrow and the wide Gaussian in cells; averaging over a cell is a blur, too."""
    variance, averaged = sigma_vox**2, (cell**2 - 1) / 12
    narrow = np.maximum(variance / SIGMA_RATIO - averaged, 0) / cell**2
    wide = np.maximum(variance * SIGMA_RATIO - averaged, 0) / cell**2
    return narrow, wide


def average_cells(frame: Float32Array, cell: IntArray) -> Float32Array:
    """Average over cells of this many voxels, order z, y, x; incomplete cells are filled by repeating the face.

    Parameters
    ----------
    frame
        float32, shape (Z, Y, X).
    cell
        Voxels per cell, order z, y, x, shape (3,).
    """
    for axis, size in enumerate(cell):
        if size > 1:
            missing = -frame.shape[axis] % size
            if missing:
                frame = np.pad(frame, [(0, missing if a == axis else 0) for a in range(3)], mode="edge")
            shape = (*frame.shape[:axis], frame.shape[axis] // size, size, *frame.shape[axis + 1 :])
            frame = frame.reshape(shape).mean(axis=axis + 1, dtype=np.float32)
    return frame


def finite_frame(frame_zyx: npt.NDArray[np.generic]) -> Float32Array:
    """Return the frame as float32; values that are not finite become the median of the others (0 if there are none)."""
    frame = np.asarray(frame_zyx).astype(np.float32)
    if np.asarray(frame_zyx).dtype.kind == "f":
        finite = np.isfinite(frame)
        if not finite.all():
            frame[~finite] = np.median(frame[finite]) if finite.any() else 0
    return frame


def _sigma_vox(
    frame_zyx: npt.NDArray[np.generic],
    sigma_um: float | Sequence[float] | FloatArray,
    voxel_size_um: Sequence[float] | FloatArray,
) -> FloatArray:
    if np.ndim(frame_zyx) != 3:
        raise ConfigError(f"blobs are sought in a frame with axes z, y, x, not in shape {np.shape(frame_zyx)}.")
    sigma = np.broadcast_to(np.asarray(sigma_um, np.float64), 3)
    voxel = np.broadcast_to(np.asarray(voxel_size_um, np.float64), 3)
    if not ((voxel > 0).all() and (sigma >= 0).all() and sigma.any() and np.isfinite(sigma / voxel).all()):
        raise ConfigError(f"no blob has a scale of {sigma_um} µm on voxels of {voxel.tolist()} µm.")
    return sigma / voxel


def _subtract_blurred(frame: Float32Array, narrow_vox: FloatArray, wide_vox: FloatArray) -> Float32Array:
    """Narrow minus wide Gaussian of these variances, over ln k."""
    narrow = _blur(frame, narrow_vox)
    narrow -= _blur(frame, wide_vox)
    narrow *= np.float32(1 / np.log(SIGMA_RATIO))
    return narrow


def _reach(variance_vox: float) -> int:
    """Half the length of the kernel of a Gaussian of this variance."""
    return int(np.ceil(3.5 * np.sqrt(variance_vox))) + 1 if variance_vox > 0 else 0


def _blur(frame: Float32Array, variance_vox: FloatArray) -> Float32Array:
    """Convolve with the discrete Gaussian of these variances; always returns a new array."""
    blurred = frame
    for axis, variance in enumerate(variance_vox):
        if variance > 0 and frame.shape[axis] > 1:
            reach = _reach(variance)
            kernel = special.ive(np.abs(np.arange(-reach, reach + 1)), variance)
            blurred = ndimage.correlate1d(blurred, kernel / kernel.sum(), axis=axis, mode="nearest")
    return frame.copy() if blurred is frame else blurred
