"""Drawing training crops: where, how warped, and with which targets. Step i always draws the same batch."""

from __future__ import annotations

import logging
from collections import OrderedDict

import numpy as np
import torch

from morula.core.columns import FloatArray
from morula.core.movie import Movie
from morula.errors import ChunkError, MovieError
from morula.network.intensity import IntensityRange
from morula.network.spec import NetworkSpec
from morula.train.augment import Warp, change_intensity, draw_warp
from morula.train.crowds import CROWD_PER_MASK, Pool, balance_crowds
from morula.train.grids import Geometry
from morula.train.labels import LabelKind, Labels
from morula.train.params import TrainParams
from morula.train.targets import CropPoints, Targets, draw_targets
from morula.train.warping import sample_warped

_LOG = logging.getLogger(__name__)
_CACHE_BYTES = 256 * 2**20
_REACH = 2.0  # mask radii beyond the crop from where points still matter
_EVENTS, _EVENT_DRAWS = 2**31, 500  # the first sets these draws apart from those of any step
_SINGLE_VALUE = 1e-5  # of normalised intensities: what interpolation makes of one
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
        if (start >= 0).all() and (stop <= frame.shape).all():
            return frame[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))]
        index = [np.clip(np.arange(a, b), 0, size - 1) for a, b, size in zip(start, stop, frame.shape, strict=True)]
        box: np.ndarray = frame[np.ix_(*index)]
        return box

    def around(self, t: int) -> SteadyReader:
        """Return a reader of the frames around `t` that takes off what the whole image moved between them."""
        return SteadyReader(self, t)

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


class SteadyReader:
    """Reads boxes of the frames around `middle`, each where what lies in the box in that frame is then."""

    def __init__(self, reader: FrameReader, middle: int) -> None:
        self.movie = reader.movie
        self._reader, self._middle = reader, middle

    def read(self, t: int, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
        """Read a box of frame `t`, moved by the movie's drift since the middle frame; as `FrameReader.read`."""
        offset = self.movie.offset_vox(self._middle, t - self._middle)
        return self._reader.read(t, start + offset, stop + offset)


class _BlankCropError(MovieError):
    """A crop around a label that shows nothing."""


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
        self._n_frames = spec.input_frames
        self._half_um = self.geometry.outputs.reach_um + _REACH * params.mask_radius_um
        annotated = labels.kind == LabelKind.ANNOTATION
        crowd = balance_crowds(labels, CROWD_PER_MASK * params.mask_radius_um, params.density_balance)
        self._annotated = Pool.of(annotated, crowd)
        self._dividing = Pool.of(labels.at_division, crowd)
        self._clear = Pool.of(labels.kind != LabelKind.WEAK_BLOB, crowd)
        self._left_out: set[str] = set()

    def draw_batch(self, iteration: int, *, rank: int = 0, ranks: int = 1) -> tuple[torch.Tensor, list[Targets]]:
        """Return input crops, shape (batch, frames, z, y, x), and their targets.

        Each crop is a function of the seed, the iteration and its number in the batch, so that several processes
        together draw what one alone draws. Crops that cannot be read, or show a single value, are drawn again
        elsewhere, with a warning; `MovieError` if 50 in a row are so.

        Parameters
        ----------
        iteration
            Step of the training.
        rank, ranks
            Every `ranks`-th crop of the batch is drawn, from number `rank`.
        """
        numbers = range(rank, self.params.batch_size, ranks)
        drawn = [self._draw_readable(np.random.default_rng([self.params.seed, iteration, i])) for i in numbers]
        crops, targets = zip(*drawn, strict=True)
        return torch.from_numpy(np.stack(crops).astype(np.float32)), list(targets)

    def measure_event_shares(self) -> FloatArray:
        """Share of mothers in their last frame, and of daughters in their first, among the points of the crops drawn.

        Counted over 500 draws of their own, without reading a pixel, where it is known; shape (2,), NaN where nobody
        knows.
        """
        rng = np.random.default_rng([self.params.seed, _EVENTS])
        drawn = []
        for _ in range(_EVENT_DRAWS):
            row = self._draw_row(rng)
            drawn.append(self._points(int(self.labels.t[row]), self._draw_warp(rng, row)).events)
        events = np.concatenate(drawn)
        known = (events >= 0).sum(axis=0)
        shares: FloatArray = np.where(known > 0, (events == 1).sum(axis=0) / np.maximum(known, 1), np.nan)
        return shares

    def _draw_readable(self, rng: np.random.Generator) -> tuple[np.ndarray, Targets]:
        for _ in range(_MOST_DRAWS - 1):
            try:
                return self._draw_crop(rng)
            except (ChunkError, _BlankCropError) as error:
                if error.what not in self._left_out:
                    self._left_out.add(error.what)
                    _LOG.warning("left out of training: %s", error.what)
        return self._draw_crop(rng)

    def _draw_crop(self, rng: np.random.Generator) -> tuple[np.ndarray, Targets]:
        row = self._draw_row(rng)
        warp = self._draw_warp(rng, row)
        t = int(self.labels.t[row])
        pixels = sample_warped(self.reader.around(t), t, warp, self.geometry)
        self._check_blank(pixels, t)
        crop = change_intensity(rng, pixels, self.params)
        points = self._points(t, warp)
        return crop, draw_targets(points, self.geometry.outputs, self.geometry.vectors, self.params)

    def _check_blank(self, pixels: np.ndarray, t: int) -> None:
        """Refuse a crop without an image, or beside a saturated one; a black frame before or after is an input too."""
        low, high = pixels.min(axis=(1, 2, 3)), pixels.max(axis=(1, 2, 3))
        single, middle = high - low < _SINGLE_VALUE, len(pixels) // 2
        refused = single & ((low > 1.0) | (np.arange(len(pixels)) == middle))
        if refused.any():
            frame = min(max(t + int(refused.argmax()) - middle, 0), self.reader.movie.n_frames - 1)
            raise _BlankCropError(
                f"{self.reader.movie.name}: frame {frame} is constant around an annotation.",
                cause="blank or saturated frames, or annotations of another movie",
                fix="look at the movie there, and annotate frames that show nuclei",
            )

    def _draw_row(self, rng: np.random.Generator) -> int:
        lot = rng.random()
        if lot < self.params.division_share and len(self._dividing.rows):
            return self._dividing.draw(rng)
        if self.params.background != "paper" and lot > 1 - self.params.random_share:
            return self._clear.draw(rng)
        return self._annotated.draw(rng)

    def _draw_warp(self, rng: np.random.Generator, row: int) -> Warp:
        voxel = self.reader.movie.voxel_size_um
        crop_vox = np.array(self.geometry.crop_vox)
        jitter = rng.uniform(-0.3, 0.3, 3) * crop_vox * voxel
        extent = self.reader.movie.extent_um
        half = np.minimum(crop_vox * voxel, extent) / 2
        centre = np.clip(self.labels.zyx_um[row] + jitter, half, np.maximum(extent - half, half))
        shown = np.array(self.geometry.inputs.shape)
        return draw_warp(rng, centre, shown, voxel, self.params, self._n_frames)

    def _points(self, t: int, warp: Warp) -> CropPoints:
        middle = warp.n_frames // 2
        around = self.labels.frame(t)
        offset = self.labels.zyx_um[around] - warp.centre_um
        rows = around.start + np.flatnonzero((offset**2).sum(axis=1) <= warp.reach_um(self._half_um) ** 2)
        crop = warp.to_crop(self.labels.zyx_um[rows], middle)
        inside = (np.abs(crop) <= self._half_um).all(axis=1)
        near = self.labels.rows(rows[inside])
        mother = warp.to_crop(near.mother_um + self.reader.movie.drift_um(t), middle - 1)
        events = np.stack([near.divides, near.born], axis=1)
        size = near.size if self.params.follow_radius else np.ones(len(near.t))
        return CropPoints(crop[inside], mother, near.kind, near.has_mother.astype(bool), events, size)
