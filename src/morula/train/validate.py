"""Validation on held-out annotations: is the nucleus found, and does the movement vector beat predicting no motion?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from morula.core.tracks import Tracks
from morula.errors import ChunkError
from morula.network.fast import FastNetwork
from morula.network.spec import NetworkSpec
from morula.peaks.maxima import find_peaks
from morula.train.params import TrainParams
from morula.train.sampling import FrameReader, Geometry

_MAX_POINTS = 60
_THRESHOLD = 0.3
_FOUND = 0.85  # of the mask radius


@dataclass(frozen=True, slots=True)
class ValidationResult:
    """Outcome on the held-out points.

    Parameters
    ----------
    recall
        Share of points with a predicted peak within 0.85 mask radii; NaN without points.
    movement_um
        Median error of the movement vector at the true centre, µm; NaN without links.
    no_motion_um
        Median length of the true movement, µm: the error of predicting none.
    """

    recall: float
    movement_um: float
    no_motion_um: float


@torch.inference_mode()
def validate_network(
    network: FastNetwork, spec: NetworkSpec, reader: FrameReader, held_out: Tracks, params: TrainParams
) -> ValidationResult:
    """Run the network around at most 60 evenly chosen held-out points."""
    rows = (
        np.unique(np.linspace(0, held_out.n - 1, _MAX_POINTS).round().astype(int)) if held_out.n else np.zeros(0, int)
    )
    geometry = Geometry.of(reader.movie, spec, params.crop_outputs)
    found, error, length = [], [], []
    for row in rows:
        point, t = held_out.zyx_um[row], int(held_out.t[row])
        try:
            start, output = _predict_around(network, spec, reader, geometry, point, t)
        except ChunkError:  # said when training met the same pixels
            continue
        found.append(_is_found(output[0], start, point, spec, reader, params))
        parent = held_out.parent_row[row]
        if parent >= 0 and held_out.t[parent] == t - 1:
            movement = held_out.zyx_um[parent] - point
            error.append(np.linalg.norm(_vector_at(output, start, point, spec, reader) - movement))
            length.append(np.linalg.norm(movement))
    nan = float("nan")
    return ValidationResult(
        recall=float(np.mean(found)) if found else nan,
        movement_um=float(np.median(error)) if error else nan,
        no_motion_um=float(np.median(length)) if length else nan,
    )


def _predict_around(
    network: FastNetwork, spec: NetworkSpec, reader: FrameReader, geometry: Geometry, point: np.ndarray, t: int
) -> tuple[np.ndarray, np.ndarray]:
    """Predict a crop around a point; returns its first voxel (a multiple of the total stride) and the four outputs."""
    total, crop = np.array(spec.total_stride), np.array(geometry.crop_vox)
    last = np.maximum(-(-np.array(reader.movie.shape[1:]) // total) * total - crop, 0)
    start = np.clip(np.round((point / reader.movie.voxel_size_um - crop / 2) / total) * total, 0, last).astype(int)
    frames = np.stack([reader.read(t + f - 1, start, start + crop) for f in range(3)])
    output = network(torch.from_numpy(np.ascontiguousarray(frames))[None].to(next(network.parameters()).device))[0]
    output[0] = torch.sigmoid(output[0])
    return start, output.cpu().numpy()


def _is_found(
    indicator: np.ndarray,
    start: np.ndarray,
    point: np.ndarray,
    spec: NetworkSpec,
    reader: FrameReader,
    params: TrainParams,
) -> bool:
    radius = _FOUND * params.mask_radius_um
    peaks = find_peaks(
        indicator,
        window_um=np.maximum(radius, 1.01 * np.array(spec.output_voxel_um)),
        voxel_size_um=np.array(spec.output_voxel_um),
        threshold=_THRESHOLD,
        origin_vox=tuple(start // np.array(spec.stem_stride)),
    )
    where = spec.output_centre_um(peaks.refined_vox, reader.movie.voxel_size_um)
    return bool((np.linalg.norm(where - point, axis=1) < radius).any())


def _vector_at(
    output: np.ndarray, start: np.ndarray, point: np.ndarray, spec: NetworkSpec, reader: FrameReader
) -> np.ndarray:
    stride, voxel = np.array(spec.stem_stride), reader.movie.voxel_size_um
    index = np.round((point / voxel - start - (stride - 1) / 2) / stride).astype(int)
    index = np.clip(index, 0, np.array(output.shape[1:]) - 1)
    centre = spec.output_centre_um(index + start // stride, voxel)
    vector: np.ndarray = output[1:, index[0], index[1], index[2]] + centre - point
    return vector
