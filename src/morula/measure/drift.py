"""How far the whole image moved between frames: phase correlation, and whether to believe it.

Owns the estimate for one pair of frames. Which parts of a movie are read is decided in `morula.measure.stabilise`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

from morula.core.columns import FloatArray, IntArray
from morula.measure.params import DriftParams
from morula.peaks.blobs import average_cells, finite_frame
from morula.peaks.maxima import Float32Array, refine_peaks

Pixels = npt.NDArray[np.generic]

_FEWEST_CELLS = 8  # along an axis; coarser says nothing
_DARK_PERCENTILE = 2.0
_SURROUNDINGS = 5.0  # width of the Gaussian neighbourhood, in blob scales: about a nucleus and those around it
_SMOOTHING = 2.2  # of the correlation, in blob scales: nuclei move against each other, and the peak is as wide as that
_TAPER = 0.1  # of an axis, at each face
_LEAST_OVERLAP = 0.2
_STANDARD_ERRORS = 5.0
_BLUR = 1.58  # width of a blurred nucleus in blob scales: √(1 + 1.22²)


@dataclass(frozen=True, slots=True, eq=False)
class CoarseBox:
    """A box of a frame made small and comparable: local contrast on cells of about a blob scale.

    Parameters
    ----------
    pixels
        float32, shape (z, y, x), about zero on average; all zeros where there was no contrast.
    cell_um
        Size of a cell in µm, order z, y, x.
    """

    pixels: Float32Array
    cell_um: FloatArray


def coarsen_box(box_zyx: Pixels, sigma_um: float, voxel_size_um: FloatArray) -> CoarseBox:
    """Make a box of a frame small and comparable.

    Parameters
    ----------
    box_zyx
        Intensities, shape (Z, Y, X), any real dtype.
    sigma_um
        Blob scale of a nucleus, µm.
    voxel_size_um
        Voxel size in µm, order z, y, x.

    Notes
    -----
    Square root (evens out photon noise), less the mean of the surroundings, over their standard deviation: neither the
    outline of the embryo nor a few saturated voxels decide.
    """
    shape = np.array(box_zyx.shape)
    wanted = np.rint(sigma_um / voxel_size_um).astype(np.int64)
    cell = np.clip(wanted, 1, np.maximum(shape // _FEWEST_CELLS, 1))
    coarse = average_cells(finite_frame(box_zyx), cell)
    cell_um = cell * voxel_size_um
    root = np.sqrt(np.maximum(coarse - np.percentile(coarse, _DARK_PERCENTILE), 0))
    width = _SURROUNDINGS * sigma_um / cell_um
    contrast = root - ndimage.gaussian_filter(root, width)
    spread = np.sqrt(np.maximum(ndimage.gaussian_filter(contrast**2, width), 0))
    typical = float(np.median(spread))
    if not typical > 0:
        return CoarseBox(np.zeros_like(root), cell_um)
    return CoarseBox((contrast / np.maximum(spread, typical)).astype(np.float32), cell_um)


def estimate_shift_um(
    before: Sequence[CoarseBox], after: Sequence[CoarseBox], sigma_um: float, params: DriftParams
) -> FloatArray:
    """Estimate how far a frame lies shifted against the one before; zeros where that is not certain.

    Parameters
    ----------
    before, after
        The same boxes of two consecutive frames, all of one shape.
    sigma_um
        Blob scale of a nucleus, µm.
    params
        Limits, and what is believed.

    Returns
    -------
    array
        Shift in µm, order z, y, x, shape (3,): add it to a place in the earlier frame to find it in the later one.

    Notes
    -----
    Phase correlation (Kuglin and Hines 1975) of the tapered boxes, its surfaces smoothed by 2.2 blob scales and added
    up over the boxes. The best shift is believed if it is at least `params.min_shift_um` long, if the overlapping parts
    correlate beyond chance (five standard errors), and by `params.min_gain` more than without a shift.
    """
    shift = find_peak_um(before, after, sigma_um, params.max_shift_um)
    if np.linalg.norm(shift) < params.min_shift_um:
        return np.zeros(3)
    at_shift, standard_error = _correlate(before, after, shift, sigma_um)
    at_rest, _ = _correlate(before, after, np.zeros(3), sigma_um)
    believed = at_shift > _STANDARD_ERRORS * standard_error and at_shift >= at_rest + params.min_gain
    return shift if believed else np.zeros(3)


def find_peak_um(
    before: Sequence[CoarseBox], after: Sequence[CoarseBox], sigma_um: float, max_shift_um: float
) -> FloatArray:
    """Return the best shift of two frames, certain or not; arguments as for `estimate_shift_um`."""
    cell_um = before[0].cell_um
    shape = before[0].pixels.shape
    padded = [fft.next_fast_len(n + n // 2, real=True) for n in shape]
    surface = np.zeros(padded, np.float32)
    for one, other in zip(before, after, strict=True):
        if one.pixels.any() and other.pixels.any():
            surface += _phase_correlation(one.pixels, other.pixels, padded, _SMOOTHING * sigma_um / cell_um)
    middle = np.array(padded) // 2
    reach = np.minimum(np.maximum(np.floor(max_shift_um / cell_um), 1), np.array(shape) // 2).astype(np.int64)
    part = fft.fftshift(surface)[tuple(slice(m - r, m + r + 1) for m, r in zip(middle, reach, strict=True))]
    if not part.any():
        return np.zeros(3)
    peak = np.array(np.unravel_index(int(np.argmax(part)), part.shape), np.int64)[None]
    shift: FloatArray = ((peak + refine_peaks(np.ascontiguousarray(part), peak))[0] - reach) * cell_um
    return shift if np.linalg.norm(shift) <= max_shift_um else np.zeros(3)


def _phase_correlation(
    before: Float32Array, after: Float32Array, padded: list[int], smoothing_vox: FloatArray
) -> Float32Array:
    """Inverse transform of the phases of the cross spectrum, smoothed; shift zero at the first voxel."""
    window = _taper(before.shape)
    spectrum = np.conj(fft.rfftn(before * window, padded)) * fft.rfftn(after * window, padded)
    size = np.abs(spectrum)
    spectrum /= np.maximum(size, 1e-6 * size.max())
    for axis, (n, width) in enumerate(zip(padded, smoothing_vox, strict=True)):
        frequency = fft.rfftfreq(n) if axis == 2 else fft.fftfreq(n)
        gaussian = np.exp(-2 * (np.pi * width * frequency) ** 2).astype(np.float32)
        spectrum *= gaussian.reshape([-1 if a == axis else 1 for a in range(3)])
    return np.asarray(fft.irfftn(spectrum, padded), np.float32)


def _taper(shape: tuple[int, ...]) -> Float32Array:
    """Weights that fall to zero over a tenth of each axis at its faces."""
    window = np.ones((1, 1, 1), np.float32)
    for axis, n in enumerate(shape):
        inside = np.minimum(np.arange(n) + 1, n - np.arange(n)) / max(1.0, _TAPER * n)
        window = window * np.minimum(inside, 1).astype(np.float32).reshape([-1 if a == axis else 1 for a in range(3)])
    return window


def _correlate(
    before: Sequence[CoarseBox], after: Sequence[CoarseBox], shift_um: FloatArray, sigma_um: float
) -> tuple[float, float]:
    """Correlation of the overlapping parts at a shift, and its standard error for frames that have nothing in common.

    Zero, and infinite, where the overlap is too small.
    """
    cell_um = before[0].cell_um
    shift = np.rint(shift_um / cell_um).astype(np.int64)
    earlier, later = zip(
        *(_overlap(one, other, shift, sigma_um) for one, other in zip(before, after, strict=True)), strict=True
    )
    x, y = np.concatenate(earlier), np.concatenate(later)
    if len(x) < _LEAST_OVERLAP * sum(one.pixels.size for one in before):
        return 0.0, np.inf
    size = float(np.sqrt((x @ x) * (y @ y)))
    independent = len(x) * float(np.prod(cell_um)) / (np.sqrt(2 * np.pi) * _BLUR * sigma_um) ** 3
    return (float(x @ y) / size if size > 0 else 0.0), float(1 / np.sqrt(independent))


def _overlap(one: CoarseBox, other: CoarseBox, shift: IntArray, sigma_um: float) -> tuple[FloatArray, FloatArray]:
    """Return the blurred voxels that lie on each other at a shift, in a row, zero mean."""
    first = tuple(slice(max(0, -s), max(0, n - max(0, s))) for n, s in zip(one.pixels.shape, shift, strict=True))
    second = tuple(slice(max(0, s), max(0, n + min(0, s))) for n, s in zip(one.pixels.shape, shift, strict=True))
    width = sigma_um / one.cell_um
    parts = []
    for box, region in ((one, first), (other, second)):
        part = ndimage.gaussian_filter(box.pixels, width)[region].astype(np.float64).ravel()
        parts.append(part - part.mean() if len(part) else part)
    return parts[0], parts[1]
