"""Validation on held-out annotations: is the nucleus found, and does the movement vector beat predicting no motion?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from morula.core.tracks import Tracks
from morula.errors import ChunkError
from morula.network.prediction import Prediction
from morula.network.spec import NetworkSpec
from morula.peaks.maxima import find_peaks
from morula.train.grids import Geometry
from morula.train.params import TrainParams
from morula.train.sampling import FrameReader

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
    network: nn.Module, spec: NetworkSpec, reader: FrameReader, held_out: Tracks, params: TrainParams
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
            start, indicator, movement_um = _predict_around(network, spec, reader, geometry, point, t)
        except ChunkError:  # said when training met the same pixels
            continue
        found.append(_is_found(indicator, start, point, spec, reader, params))
        parent = held_out.parent_row[row]
        if parent >= 0 and held_out.t[parent] == t - 1:
            movement = held_out.zyx_um[parent] - point
            predicted = _vector_at(movement_um, start, point, spec, reader) - reader.movie.drift_um(t)
            error.append(np.linalg.norm(predicted - movement))
            length.append(np.linalg.norm(movement))
    nan = float("nan")
    return ValidationResult(
        recall=float(np.mean(found)) if found else nan,
        movement_um=float(np.median(error)) if error else nan,
        no_motion_um=float(np.median(length)) if length else nan,
    )


def _predict_around(
    network: nn.Module, spec: NetworkSpec, reader: FrameReader, geometry: Geometry, point: np.ndarray, t: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predict a crop around a point: its first voxel (a multiple of the total stride), indicator and movement."""
    total, crop, trim = np.array(spec.total_stride), np.array(geometry.crop_vox), np.array(spec.trim_vox)
    last = np.maximum(-(-np.array(reader.movie.shape[1:]) // total) * total - crop, 0)
    start = np.clip(np.round((point / reader.movie.voxel_size_um - crop / 2) / total) * total, 0, last).astype(int)
    around, steady = range(-spec.frames_around, spec.frames_around + 1), reader.around(t)
    frames = np.stack([steady.read(t + offset, start - trim, start + crop + trim) for offset in around])
    said: Prediction = network(torch.from_numpy(frames)[None].to(next(network.parameters()).device))
    return start, torch.sigmoid(said.indicator[0]).cpu().numpy(), said.movement_um[0].cpu().numpy()


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
        origin_vox=tuple(start // np.array(spec.output_stride)),
    )
    where = spec.output_centre_um(peaks.refined_vox, reader.movie.voxel_size_um)
    return bool((np.linalg.norm(where - point, axis=1) < radius).any())


def _vector_at(
    movement_um: np.ndarray, start: np.ndarray, point: np.ndarray, spec: NetworkSpec, reader: FrameReader
) -> np.ndarray:
    stride, voxel = np.array(spec.vector_stride), reader.movie.voxel_size_um
    index = np.round((point / voxel - start - (stride - 1) / 2) / stride).astype(int)
    index = np.clip(index, 0, np.array(movement_um.shape[1:]) - 1)
    centre = spec.vector_centre_um(index + start // stride, voxel)
    vector: np.ndarray = movement_um[:, index[0], index[1], index[2]] + centre - point
    return vector
