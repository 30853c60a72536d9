"""Where nuclei may stand in a frame: at the blobs of the image, and at peaks of the network's indicator that are none.

The network says how probable a nucleus is, the image where it is. Peaks of the indicator alone lose a nucleus beside a
brighter one, most of all the second of two daughters: their hills grow together long before their blobs do. Owns which
places are offered and what their score is; refuses nothing but places with a score below the threshold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy.spatial import cKDTree

from morula.core.columns import BoolArray, FloatArray, IntArray
from morula.detect.device_peaks import find_device_peaks
from morula.detect.params import DetectParams
from morula.network.spec import NetworkSpec
from morula.peaks.blobs import choose_cell, coarse_response, reach_of_response
from morula.peaks.maxima import Peaks, find_peaks, window_offsets

_ONE_VOXEL = 1.01  # a little more than one, so that rounding does not lose the neighbour
_NEAR_PER_WINDOW = 0.4
"""The score of a blob is the highest indicator within this part of the peak window."""


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Possible nuclei of one frame.

    Parameters
    ----------
    voxel
        Voxel of the movie each stands in, order z, y, x, shape (n, 3): decides which block it belongs to.
    zyx_um
        Position in µm, shape (n, 3).
    score
        Cell indicator, shape (n,).
    """

    voxel: IntArray
    zyx_um: FloatArray
    score: FloatArray

    def rows(self, keep: BoolArray) -> Places:
        """Return the places where `keep` is true."""
        return Places(self.voxel[keep], self.zyx_um[keep], self.score[keep])


@dataclass(frozen=True, slots=True, eq=False)
class Seeker:
    """Finds the places of a movie's frames, the same however the movie is cut.

    Parameters
    ----------
    shape_zyx
        Voxels of the movie's frames, order z, y, x.
    voxel_size_um
        Voxel size in µm, order z, y, x.
    spec
        The network's geometry.
    params
        Threshold, peak window and scale of the blobs.
    """

    shape_zyx: tuple[int, ...]
    voxel_size_um: FloatArray
    spec: NetworkSpec
    params: DetectParams

    @property
    def _outputs_um(self) -> FloatArray:
        size: FloatArray = self.voxel_size_um * np.array(self.spec.output_stride)
        return size

    @property
    def _cell(self) -> IntArray:
        return choose_cell(self.shape_zyx, self.params.blob_sigma_um, self.voxel_size_um)

    @property
    def peak_window_um(self) -> FloatArray:
        """Radii of the peak window in µm, order z, y, x: as set, and at least one output voxel on each axis."""
        window: FloatArray = np.maximum(self.params.window_um, _ONE_VOXEL * self._outputs_um)
        return window

    @property
    def _near_um(self) -> FloatArray:
        near: FloatArray = np.maximum(_NEAR_PER_WINDOW * self.params.window_um, _ONE_VOXEL * self._outputs_um)
        return near

    @property
    def indicator_reach_vox(self) -> IntArray:
        """Voxels around a place within which the indicator decides about it, order z, y, x."""
        stride = np.array(self.spec.output_stride)
        reach = self.peak_window_um
        if self.params.blob_sigma_um > 0:  # a peak gives way to a blob, which is judged by what lies near it
            reach = np.maximum(reach, self.params.window_um + self._near_um)
        return np.asarray((np.ceil(reach / self._outputs_um) + 1) * stride, np.int64)

    @property
    def image_reach_vox(self) -> IntArray:
        """Voxels around a place within which the image itself decides about it, order z, y, x; zeros without blobs."""
        if not self.params.blob_sigma_um > 0:
            return np.zeros(3, np.int64)
        cell = self._cell
        window = np.ceil(self._blob_window_um / (self.voxel_size_um * cell))
        other = np.ceil(self.params.window_um / (self.voxel_size_um * cell))
        blur = reach_of_response(self.params.blob_sigma_um, self.voxel_size_um, cell)
        return np.asarray((blur + window + other + 3) * cell, np.int64)

    @property
    def _blob_window_um(self) -> FloatArray:
        window: FloatArray = np.maximum(self.params.window_um, _ONE_VOXEL * self.voxel_size_um * self._cell)
        return window

    def find_places(self, indicator: torch.Tensor, pixels: npt.NDArray[np.generic], start: IntArray) -> Places:
        """Find the places of a region.

        Parameters
        ----------
        indicator
            Probability of a nucleus centre on the grid of the outputs, shape (z, y, x), float32, on any device.
        pixels
            The frame itself as the network was shown it, shape (Z, Y, X): the region inside the movie.
        start
            First voxel of the region, a multiple of the network's strides.

        Returns
        -------
        places
            Those with a score above the threshold: blobs first, then peaks further from any of them than the peak
            window. Right where the region reaches far enough around them, see the two reaches.
        """
        peaks = self._find_peaks(indicator, start)
        if not self.params.blob_sigma_um > 0:
            return peaks
        blobs = self._find_blobs(indicator, pixels, start)
        if len(blobs.score) and len(peaks.score):
            distance, _ = cKDTree(blobs.zyx_um).query(peaks.zyx_um)
            peaks = peaks.rows(np.asarray(distance) > self.params.window_um)
        return Places(
            np.concatenate([blobs.voxel, peaks.voxel]),
            np.concatenate([blobs.zyx_um, peaks.zyx_um]),
            np.concatenate([blobs.score, peaks.score]),
        )

    def _find_peaks(self, indicator: torch.Tensor, start: IntArray) -> Places:
        stride = np.array(self.spec.output_stride)
        peaks = _seek_peaks(
            indicator, start // stride, self.peak_window_um, self._outputs_um, threshold=self.params.threshold
        )
        zyx_um = self.spec.output_centre_um(peaks.refined_vox, self.voxel_size_um)
        return Places(peaks.voxel * stride, zyx_um, peaks.value.astype(np.float64))

    def _find_blobs(self, indicator: torch.Tensor, pixels: npt.NDArray[np.generic], start: IntArray) -> Places:
        """Every blob, however faint, near which the indicator says that there is a nucleus."""
        cell, last = self._cell, np.array(self.shape_zyx) - 1
        first = -(-start // cell)  # whole cells of the movie, and at its end what is left
        end = start + pixels.shape
        stop = np.where(end > last, end, end // cell * cell)
        if (stop <= first * cell).any():
            return Places(np.zeros((0, 3), np.int64), np.zeros((0, 3)), np.zeros(0))
        inner = tuple(
            slice(a, b) for a, b in zip((first * cell - start).tolist(), (stop - start).tolist(), strict=True)
        )
        response, _ = coarse_response(pixels[inner], self.params.blob_sigma_um, self.voxel_size_um, cell=cell)
        found = find_peaks(
            response,
            window_um=self._blob_window_um,
            voxel_size_um=self.voxel_size_um * cell,
            threshold=0.0,
            origin_vox=tuple(first.tolist()),
        )
        vox = np.clip(found.refined_vox * cell + (cell - 1) / 2, 0, last)
        score = self._read_indicator(indicator, vox, start)
        blobs = Places(np.floor(vox + 0.5).astype(np.int64), vox * self.voxel_size_um, score)
        return blobs.rows(score > self.params.threshold)

    def _read_indicator(self, indicator: torch.Tensor, vox: FloatArray, start: IntArray) -> FloatArray:
        """Highest indicator near each voxel position, shape (n,)."""
        stride = np.array(self.spec.output_stride)
        around = np.concatenate([np.zeros((1, 3), np.int64), window_offsets(self._near_um, self._outputs_um)])
        nearest = np.rint((vox - (stride - 1) / 2) / stride).astype(np.int64) - start // stride
        index = np.clip(nearest[:, None] + around, 0, np.array(indicator.shape) - 1)
        z, y, x = torch.from_numpy(np.ascontiguousarray(np.moveaxis(index, 2, 0))).to(indicator.device)
        highest: FloatArray = indicator[z, y, x].amax(dim=1).cpu().numpy().astype(np.float64)
        return highest


def _seek_peaks(
    indicator: torch.Tensor, origin: IntArray, window_um: FloatArray, voxel_um: FloatArray, *, threshold: float
) -> Peaks:
    """Find the peaks where the volume lies: on a graphics card by `device_peaks`, on a CPU by `morula.peaks`."""
    origin_vox = tuple(origin.tolist())
    if indicator.device.type != "cpu":
        return find_device_peaks(
            indicator, window_um=window_um, voxel_size_um=voxel_um, threshold=threshold, origin_vox=origin_vox
        )
    volume = indicator.contiguous().numpy()
    return find_peaks(volume, window_um=window_um, voxel_size_um=voxel_um, threshold=threshold, origin_vox=origin_vox)
