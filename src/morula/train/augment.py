"""Augmentation of coordinates: where each voxel of a crop comes from, and where each point goes.

The image is sampled once through the warp and the points move exactly; targets are drawn afterwards, so vectors stay
right under mirroring, transposition, rotation, scaling, elastic warps and simulated drift.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from morula.core.columns import FloatArray
from morula.train.params import TrainParams

_WAVES = 3
_WAVELENGTH_UM = (30.0, 80.0)
_SCALE = 0.1
_MOST_STRETCH = 0.6  # of an elastic warp: at 1 it would fold, and no place in the crop would be the right one
_INVERSE_STEPS = 12
_ISOTROPIC = 1.3


@dataclass(frozen=True, slots=True, eq=False)
class Warp:
    """A map from crop coordinates to movie coordinates, both µm, order z, y, x.

    movie = centre + matrix · crop + waves(crop) + shift of the frame

    Parameters
    ----------
    centre_um
        Movie position of the crop's centre, shape (3,).
    matrix
        Rotation, mirror and scale, shape (3, 3).
    shift_um
        Simulated drift of each frame of the crop, shape (frames, 3); zero for the middle one.
    wave_vectors, wave_phases, wave_um
        Elastic part: a sum of sine waves; shapes (w, 3), (w,), (w, 3).
    """

    centre_um: FloatArray
    matrix: FloatArray
    shift_um: FloatArray
    wave_vectors: FloatArray
    wave_phases: FloatArray
    wave_um: FloatArray

    @property
    def n_frames(self) -> int:
        """Frames of the crop, the learned one in the middle."""
        return len(self.shift_um)

    @property
    def is_exact(self) -> bool:
        """Whether axes are only exchanged, mirrored and shifted: nothing is turned, stretched or bent."""
        return not len(self.wave_phases) and bool(np.isin(self.matrix, (-1.0, 0.0, 1.0)).all())

    def to_movie(self, crop_um: FloatArray, frame: int) -> FloatArray:
        """Movie positions of crop positions, shape (n, 3); with three frames `frame` is 0 for t−1, 1 for t."""
        moved: FloatArray = crop_um @ self.matrix.T + self._elastic(crop_um) + self.centre_um + self.shift_um[frame]
        return moved

    def to_crop(self, movie_um: FloatArray, frame: int) -> FloatArray:
        """Crop positions of movie positions: the inverse of `to_movie`, by fixed-point iteration."""
        inverse = np.linalg.inv(self.matrix).T
        affine = movie_um - self.centre_um - self.shift_um[frame]
        crop: FloatArray = affine @ inverse
        for _ in range(_INVERSE_STEPS if len(self.wave_phases) else 0):
            crop = (affine - self._elastic(crop)) @ inverse
        return crop

    def reach_um(self, half_um: FloatArray) -> float:
        """Distance from the centre beyond which no movie position lands in a crop of half this size, µm, shape (3,)."""
        stretch = float(np.linalg.norm(self.matrix, axis=0).max())
        waves = float(np.linalg.norm(self.wave_um, axis=1).sum())
        return stretch * float(np.linalg.norm(half_um)) + waves

    def _elastic(self, crop_um: FloatArray) -> FloatArray:
        displaced: FloatArray = np.sin(crop_um @ self.wave_vectors.T + self.wave_phases) @ self.wave_um
        return displaced


def draw_warp(
    rng: np.random.Generator,
    centre_um: FloatArray,
    crop_vox: FloatArray,
    voxel_size_um: FloatArray,
    params: TrainParams,
    n_frames: int = 3,
) -> Warp:
    """Draw a random warp of `n_frames` frames around a movie position.

    Without rotation and waves, crop voxels fall exactly on movie voxels, so that the noise the network will meet in
    prediction is also met in training; `params.warp_share` says how often crops are interpolated instead.
    """
    isotropic = voxel_size_um.max() / voxel_size_um.min() < _ISOTROPIC
    shift = rng.normal(0.0, params.frame_shift_um, (n_frames, 3))
    shift[n_frames // 2] = 0.0
    if rng.random() < params.warp_share:
        matrix = _rotation(rng, isotropic) * rng.choice([-1.0, 1.0], 3) * np.exp(rng.uniform(-_SCALE, _SCALE))
        waves = _draw_waves(rng, params.elastic_um)
    else:
        matrix = _transposition(rng, voxel_size_um) * rng.choice([-1.0, 1.0], 3)
        waves = (np.zeros((0, 3)), np.zeros(0), np.zeros((0, 3)))
        half = (crop_vox[np.abs(matrix).argmax(axis=1)] - 1) / 2 % 1.0
        centre_um = (np.round(centre_um / voxel_size_um - half) + half) * voxel_size_um
        shift = np.round(shift / voxel_size_um) * voxel_size_um
    return Warp(centre_um, matrix, shift, *waves)


def _rotation(rng: np.random.Generator, isotropic: bool) -> FloatArray:
    if isotropic:
        q, r = np.linalg.qr(rng.normal(size=(3, 3)))
        orthogonal: FloatArray = q * np.sign(np.diag(r))
        return orthogonal
    angle = rng.uniform(0, 2 * np.pi)
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])


def _transposition(rng: np.random.Generator, voxel_size_um: FloatArray) -> FloatArray:
    """Draw a permutation among axes of equal voxel size."""
    order = rng.permutation(3)
    same = np.isclose(voxel_size_um[order], voxel_size_um)
    if not same.all():
        order = np.array([0, 2, 1]) if rng.random() < 0.5 and np.isclose(*voxel_size_um[1:]) else np.arange(3)
    return np.eye(3)[order]


def _draw_waves(rng: np.random.Generator, amplitude_um: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    direction = rng.normal(size=(_WAVES, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    vectors = direction * (2 * np.pi / rng.uniform(*_WAVELENGTH_UM, (_WAVES, 1)))
    phases = rng.uniform(0, 2 * np.pi, _WAVES)
    waves = rng.normal(0, amplitude_um / np.sqrt(_WAVES), (_WAVES, 3))
    stretch = float((np.linalg.norm(vectors, axis=1) * np.linalg.norm(waves, axis=1)).sum())
    return vectors, phases, waves * (_MOST_STRETCH / max(stretch, _MOST_STRETCH))


def change_intensity(rng: np.random.Generator, crop: np.ndarray, params: TrainParams) -> np.ndarray:
    """Scale, shift and add noise to normalised intensities, all frames of a crop alike."""
    gain = 1 + rng.uniform(-params.intensity_change, params.intensity_change)
    offset = rng.uniform(-params.intensity_change, params.intensity_change) / 3
    changed: np.ndarray = rng.standard_normal(crop.shape, np.float32)
    changed *= np.float32(rng.uniform(0, params.noise))
    changed += crop * np.float32(gain) + np.float32(offset)
    return changed
