"""How far annotated cells move from frame to frame, and how far the whole image drifts.

Owns displacements only; settings drawn from them are in `morula.measure.settings`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft

from morula.core.columns import FloatArray, FrameArray, IntArray
from morula.core.tracks import Tracks
from morula.peaks.blobs import average_cells, coarse_response
from morula.peaks.maxima import Float32Array, refine_peaks

Pixels = npt.NDArray[np.generic]

_LINKS_FOR_DRIFT = 5
"""The median displacement of fewer links than these says more about the cells than about the stage."""


@dataclass(frozen=True, slots=True)
class Drift:
    """Movement of the whole image between a frame and the next.

    Parameters
    ----------
    t
        The earlier frame.
    shift_um
        Movement in µm, order z, y, x: add it to a position in frame t to find it in frame t + 1.
    """

    t: int
    shift_um: tuple[float, float, float]

    @property
    def length_um(self) -> float:
        """Length of the movement in µm."""
        return float(np.linalg.norm(self.shift_um))


@dataclass(frozen=True, slots=True)
class Motion:
    """Displacements of annotated cells per frame, in µm; zero where there is no link.

    Parameters
    ----------
    median_um, p95_um
        Median and 95th percentile over all links.
    residual_p95_um
        95th percentile after the drift is taken off those frame pairs where that shortens the median link.
    daughters_p90_um
        90th percentile over the links from a dividing cell to its daughters, drift taken off; None without divisions.
    sisters_um
        Distances between two daughters in their first frame, for every annotated division that shows it, ascending.
    largest_jump
        The frame pair whose cells moved most together (at least five links), or None.
    """

    median_um: float
    p95_um: float
    residual_p95_um: float
    daughters_p90_um: float | None
    sisters_um: tuple[float, ...]
    largest_jump: Drift | None


def measure_motion(tracks: Tracks, drifts: list[Drift]) -> Motion:
    """Measure the displacement per frame along annotated links.

    Parameters
    ----------
    tracks
        Annotations in µm. Links over several frames count with their displacement per frame.
    drifts
        Drift of the image for some frame pairs (`measure_drift`); for the others the median displacement of at least
        five links is taken.
    """
    parent, child = tracks.edges.T
    if not len(child):
        return Motion(0.0, 0.0, 0.0, None, (), None)
    gap = (tracks.t[child] - tracks.t[parent]).astype(np.float64)
    step = (tracks.zyx_um[child] - tracks.zyx_um[parent]) / gap[:, None]
    length = np.linalg.norm(step, axis=1)
    shared = _shared_steps(tracks.t[child] - 1, step, gap)
    residual = _without_drift(tracks.t[child] - 1, step, gap, shared, drifts)
    dividing = tracks.n_children[parent] == 2
    jumps = [Drift(t, _as_triple(shift)) for t, shift in shared.items()]
    return Motion(
        median_um=float(np.median(length)),
        p95_um=float(np.percentile(length, 95)),
        residual_p95_um=float(np.percentile(residual, 95)),
        daughters_p90_um=float(np.percentile(residual[dividing], 90)) if dividing.any() else None,
        sisters_um=_measure_sisters(tracks),
        largest_jump=max(jumps, key=lambda jump: jump.length_um, default=None),
    )


def _measure_sisters(tracks: Tracks) -> tuple[float, ...]:
    """Distances between daughters that are both annotated in the frame after their mother's last, ascending."""
    parent, child = tracks.edges.T
    newborn = (tracks.n_children[parent] == 2) & (tracks.t[child] == tracks.t[parent] + 1)
    mothers, born = parent[newborn], child[newborn]
    order = np.argsort(mothers, kind="stable")
    pair = np.flatnonzero(mothers[order][1:] == mothers[order][:-1])
    first, second = born[order][pair], born[order][pair + 1]
    distance = np.linalg.norm(tracks.zyx_um[first] - tracks.zyx_um[second], axis=1)
    return tuple(np.sort(distance).tolist())


def measure_drift(before_zyx: Pixels, after_zyx: Pixels, t: int, sigma_um: float, voxel_size_um: FloatArray) -> Drift:
    """Find the shift that lays a frame best over the next one, by cross-correlation of their blob responses.

    Parameters
    ----------
    before_zyx, after_zyx
        The same box of frames t and t + 1, shape (Z, Y, X).
    t
        The earlier frame.
    sigma_um
        Blob scale in µm; the shift is found to about a fifth of it.
    voxel_size_um
        Voxel size in µm, order z, y, x.

    Notes
    -----
    The negative response is cut off and strong blobs are capped, so that every nucleus has the same say. Boxes are
    padded by half their size: longer shifts are not found.
    """
    before, cell = _drawn_blobs(before_zyx, sigma_um, voxel_size_um)
    after, _ = _drawn_blobs(after_zyx, sigma_um, voxel_size_um)
    padded = [fft.next_fast_len(n + n // 2, real=True) for n in before.shape]
    spectrum = np.conj(fft.rfftn(before, padded)) * fft.rfftn(after, padded)
    correlation = fft.fftshift(fft.irfftn(spectrum, padded)).astype(np.float32)
    if not correlation.any():
        return Drift(t, (0.0, 0.0, 0.0))
    peak = np.array(np.unravel_index(int(np.argmax(correlation)), correlation.shape), np.int64)[None]
    place = (peak + refine_peaks(correlation, peak))[0] - np.array(padded) // 2
    return Drift(t, _as_triple(place * cell * voxel_size_um))


def _drawn_blobs(frame_zyx: Pixels, sigma_um: float, voxel_size_um: FloatArray) -> tuple[Float32Array, IntArray]:
    """Capped positive response on cells of about sigma, and the voxels per cell."""
    response, cell = coarse_response(frame_zyx, sigma_um, voxel_size_um)
    positive = np.maximum(response, 0)
    bright = positive[positive > 0]
    cap = np.percentile(bright, 90) if len(bright) else np.float32(1)
    more = np.clip(sigma_um / (cell * voxel_size_um), 1, np.maximum(np.array(response.shape) // 8, 1)).astype(np.int64)
    return average_cells(np.minimum(positive, cap), more), cell * more


def _shared_steps(t: FrameArray, step_um: FloatArray, gap: FloatArray) -> dict[int, FloatArray]:
    """Median displacement of the frame pairs with enough links over one frame."""
    shared = {}
    for frame in np.unique(t[gap == 1]):
        steps = step_um[(t == frame) & (gap == 1)]
        if len(steps) >= _LINKS_FOR_DRIFT:
            shared[int(frame)] = np.median(steps, axis=0)
    return shared


def _without_drift(
    t: FrameArray, step_um: FloatArray, gap: FloatArray, shared: dict[int, FloatArray], drifts: list[Drift]
) -> FloatArray:
    """Lengths of the steps, less the drift of their frame pair where that shortens the pair's median step.

    The raw lengths where this does not bring the 95th percentile down: then motion differs too much from cell to cell.
    """
    shifts = shared | {drift.t: np.array(drift.shift_um) for drift in drifts}
    length: FloatArray = np.linalg.norm(step_um, axis=1)
    for frame in np.unique(t[gap == 1]):
        rows = np.flatnonzero((t == frame) & (gap == 1))
        rest = np.linalg.norm(step_um[rows] - shifts.get(int(frame), np.zeros(3)), axis=1)
        if np.median(rest) < np.median(length[rows]):
            length[rows] = rest
    raw: FloatArray = np.linalg.norm(step_um, axis=1)
    return length if np.percentile(length, 95) < np.percentile(raw, 95) else raw


def _as_triple(vector: FloatArray) -> tuple[float, float, float]:
    return float(vector[0]), float(vector[1]), float(vector[2])
