"""Drawing training crops: where, how warped, and with which targets. Step i always draws the same batch."""

from __future__ import annotations

import logging
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from morula.core.columns import FloatArray
from morula.core.movie import Movie
from morula.errors import ChunkError, MovieError
from morula.network.intensity import IntensityRange
from morula.network.spec import NetworkSpec
from morula.train.augment import Warp, change_intensity, draw_warp
from morula.train.labels import LabelKind, Labels
from morula.train.params import TrainParams
from morula.train.targets import CropPoints, Targets, draw_targets

_LOG = logging.getLogger(__name__)
_CACHE_BYTES = 256 * 2**20
_REACH = 2.0  # mask radii beyond the crop from where points still matter
_MOST_DRAWS = 50  # per crop, where pixels cannot be read


class FrameReader:
    """Reads boxes of normalised intensities; whole frames are kept while they fit a fixed budget."""

    def __init__(self, movie: Movie, intensity: IntensityRange) -> None:
        self.movie, self.intensity = movie, intensity
        self._frames: OrderedDict[int, np.ndarray] = OrderedDict()
        self._unreadable: dict[int, ChunkError] = {}
        frame_bytes = 4 * int(np.prod(movie.shape[1:]))
        self._capacity = _CACHE_BYTES // frame_bytes

    def read(self, t: int, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
        """Read a box of frame `t` (clamped to the movie's frames), replicated beyond the edges, float32 (z, y, x).

        Raises
        ------
        ChunkError
            If pixels cannot be read.
        MovieError
            If pixels are not finite.
        """
        t = min(max(t, 0), self.movie.n_frames - 1)
        if self._capacity < 3:
            return self._normalise(self.movie.read((t, *start.tolist()), (t + 1, *stop.tolist()))[0], t)
        if t not in self._frames:
            self._frames[t] = self._normalise(self._read_frame(t), t)
            if len(self._frames) > self._capacity:
                self._frames.popitem(last=False)
        self._frames.move_to_end(t)
        frame = self._frames[t]
        index = [np.clip(np.arange(a, b), 0, size - 1) for a, b, size in zip(start, stop, frame.shape, strict=True)]
        box: np.ndarray = frame[np.ix_(*index)]
        return box

    def _read_frame(self, t: int) -> np.ndarray:
        if t in self._unreadable:
            raise self._unreadable[t].with_traceback(None)
        try:
            return self.movie.frame(t).astype(np.float32)
        except ChunkError as error:
            self._unreadable[t] = error
            raise

    def _normalise(self, raw: np.ndarray, t: int) -> np.ndarray:
        if self.movie.tzyx.dtype.kind == "f" and not np.isfinite(raw).all():
            raise MovieError(
                f"{self.movie.name}: frame {t} holds {int((~np.isfinite(raw)).sum())} voxels that are not finite.",
                cause="NaN written by a fusion or deconvolution step",
                fix="replace NaN by the background value and write the movie again",
            )
        return self.intensity.normalise(raw)


@dataclass(frozen=True, slots=True)
class Geometry:
    """Grids of a crop: input voxels and output voxels, centred at zero, in µm."""

    crop_vox: tuple[int, int, int]
    input_um: np.ndarray
    output_um: np.ndarray

    @classmethod
    def of(cls, movie: Movie, spec: NetworkSpec, crop_outputs: tuple[int, int, int]) -> Geometry:
        """Lay out a crop of about this many output voxels; no larger than the movie needs."""
        total, stem = np.array(spec.total_stride), np.array(spec.stem_stride)
        wanted = np.minimum(np.array(crop_outputs) * stem, movie.shape[1:])
        vox = np.ceil(wanted / total).astype(int) * total
        size = movie.voxel_size_um
        fine = [(np.arange(n) - (n - 1) / 2) * s for n, s in zip(vox, size, strict=True)]
        coarse = [axis.reshape(-1, step).mean(axis=1) for axis, step in zip(fine, stem, strict=True)]
        grids = [np.stack(np.meshgrid(*axes, indexing="ij"), -1).astype(np.float32) for axes in (fine, coarse)]
        z, y, x = (int(n) for n in vox)
        return cls((z, y, x), *grids)


class CropSampler:
    """Draws batches of crops with targets.

    Parameters
    ----------
    reader
        Where pixels come from.
    labels
        Label points.
    spec, params
        The network's geometry and the settings of training.
    """

    def __init__(self, reader: FrameReader, labels: Labels, spec: NetworkSpec, params: TrainParams) -> None:
        self.reader, self.labels, self.params = reader, labels, params
        self.geometry = Geometry.of(reader.movie, spec, params.crop_outputs)
        annotated = labels.kind == LabelKind.ANNOTATION
        self._annotated = np.flatnonzero(annotated)
        self._dividing = np.flatnonzero(annotated & (labels.divides == 1))
        self._clear = np.flatnonzero(labels.kind != LabelKind.WEAK_BLOB)
        self._left_out: set[str] = set()

    def draw_batch(self, iteration: int) -> tuple[torch.Tensor, list[Targets]]:
        """Return input crops, shape (batch, 3, z, y, x), and their targets: a function of seed and iteration alone.

        Crops that cannot be read are drawn again elsewhere, with a warning; `ChunkError` if 50 in a row cannot.
        """
        rng = np.random.default_rng([self.params.seed, iteration])
        drawn = [self._draw_readable(rng) for _ in range(self.params.batch_size)]
        crops, targets = zip(*drawn, strict=True)
        return torch.from_numpy(np.stack(crops).astype(np.float32)), list(targets)

    def _draw_readable(self, rng: np.random.Generator) -> tuple[np.ndarray, Targets]:
        for _ in range(_MOST_DRAWS - 1):
            try:
                return self._draw_crop(rng)
            except ChunkError as error:
                if error.what not in self._left_out:
                    self._left_out.add(error.what)
                    _LOG.warning("left out of training: %s", error.what)
        return self._draw_crop(rng)

    def _draw_crop(self, rng: np.random.Generator) -> tuple[np.ndarray, Targets]:
        row = self._draw_row(rng)
        warp = self._draw_warp(rng, row)
        t = int(self.labels.t[row])
        crop = change_intensity(rng, sample_warped(self.reader, t, warp, self.geometry), self.params)
        return crop, draw_targets(self._points(t, warp), self.geometry.output_um, self.params)

    def _draw_row(self, rng: np.random.Generator) -> int:
        lot = rng.random()
        if lot < self.params.division_share and len(self._dividing):
            return int(rng.choice(self._dividing))
        if self.params.background != "paper" and lot > 1 - self.params.random_share:
            return int(rng.choice(self._clear))
        return int(rng.choice(self._annotated))

    def _draw_warp(self, rng: np.random.Generator, row: int) -> Warp:
        voxel = self.reader.movie.voxel_size_um
        crop_vox = np.array(self.geometry.crop_vox)
        jitter = rng.uniform(-0.3, 0.3, 3) * crop_vox * voxel
        extent = self.reader.movie.extent_um
        half = np.minimum(crop_vox * voxel, extent) / 2
        centre = np.clip(self.labels.zyx_um[row] + jitter, half, np.maximum(extent - half, half))
        return draw_warp(rng, centre, crop_vox, voxel, self.params)

    def _points(self, t: int, warp: Warp) -> CropPoints:
        rows = self.labels.frame(t)
        crop = warp.to_crop(self.labels.zyx_um[rows], 1)
        reach = np.abs(self.geometry.output_um.reshape(-1, 3)).max(axis=0)
        margin = _REACH * self.params.mask_radius_um
        inside = (np.abs(crop) <= reach + margin).all(axis=1)
        mother = warp.to_crop(self.labels.mother_um[rows][inside], 0)
        return CropPoints(
            crop[inside], mother, self.labels.kind[rows][inside], self.labels.has_mother[rows][inside].astype(bool)
        )


def sample_warped(reader: FrameReader, t: int, warp: Warp, geometry: Geometry) -> np.ndarray:
    """Sample frames t−1, t, t+1 through a warp by linear interpolation, shape (3, *geometry.crop_vox), float32."""
    voxel = reader.movie.voxel_size_um
    middle = warp.to_movie(geometry.input_um.reshape(-1, 3), 1) / voxel
    by_axis = np.ascontiguousarray(middle.T)
    lowest, highest = by_axis.min(axis=1), by_axis.max(axis=1)
    frames = []
    for frame in range(3):
        shift = (warp.shift_um[frame] - warp.shift_um[1]) / voxel
        where: FloatArray = middle + shift
        start = np.floor(lowest + shift).astype(int)
        stop = np.ceil(highest + shift).astype(int) + 2
        box = torch.from_numpy(np.ascontiguousarray(reader.read(t + frame - 1, start, stop)))[None, None]
        scaled = (where - start) * (2 / (np.array(box.shape[2:]) - 1)) - 1
        grid = torch.from_numpy(scaled[:, ::-1].astype(np.float32)).reshape(1, *geometry.crop_vox, 3)
        frames.append(functional.grid_sample(box, grid, align_corners=True, padding_mode="border")[0, 0].numpy())
    return np.stack(frames)
