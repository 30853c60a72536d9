"""Maximum projections of a few frames as PNG data URIs, and the canvas that maps µm to the page.

Frames are read one at a time and in slabs, so that memory does not grow with the movie; nothing is ever resampled in z:
the page stretches the side view to its true height.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from morula.core.columns import FloatArray, ReadOnlyColumns
from morula.core.movie import Movie
from morula.core.progress import Progress, ProgressSink, ignore_progress

Pixels = npt.NDArray[np.float32]

WIDTH_UNITS = 1000.0
"""Width of the canvas in drawing units, whatever the movie's size: coordinates stay short."""

GAP_UNITS = 14.0
"""Space between the view from above and the view from the side."""

_SLAB_VOXELS = 64 * 1024**2 // 4
_READ_VOXELS = 4_000_000_000
_PAGE_PIXELS = 6_000_000
_PAGE_CELLS = 12_000
_USUAL_FRAMES, _SMALL_FRAMES = 12, 60
_LAST_FRAMES = 6
_CONTRAST_PERCENTILES = (2.0, 99.8)
_GAMMA = 0.8


@dataclass(frozen=True, slots=True, eq=False)
class Canvas(ReadOnlyColumns):
    """Where a position in µm lies on the page: the view from above (y, x), below it the view from the side (z, x).

    Parameters
    ----------
    voxel_size_um
        Size of a voxel, order z, y, x, shape (3,).
    size_um
        Full size of the movie (voxels × voxel size), order z, y, x, shape (3,).
    """

    voxel_size_um: FloatArray
    size_um: FloatArray

    @classmethod
    def of_movie(cls, movie: Movie) -> Canvas:
        """Return the canvas of a movie."""
        return cls(movie.voxel_size_um, np.array(movie.shape[1:]) * movie.voxel_size_um)

    @property
    def units_per_um(self) -> float:
        """Drawing units per µm, the same on every axis."""
        return float(WIDTH_UNITS / self.size_um[2])

    @property
    def top_height(self) -> float:
        """Height of the view from above in drawing units."""
        return float(self.size_um[1] * self.units_per_um)

    @property
    def side_height(self) -> float:
        """Height of the view from the side in drawing units."""
        return float(self.size_um[0] * self.units_per_um)

    @property
    def side_top(self) -> float:
        """Upper edge of the view from the side."""
        return self.top_height + GAP_UNITS

    @property
    def height(self) -> float:
        """Height of both views and the gap."""
        return self.side_top + self.side_height

    def place_top(self, zyx_um: FloatArray) -> FloatArray:
        """Return drawing coordinates (horizontal, vertical) in the view from above, shape (n, 2)."""
        return self._place(zyx_um)[:, [2, 1]]

    def place_side(self, zyx_um: FloatArray) -> FloatArray:
        """Return drawing coordinates (horizontal, vertical) in the view from the side, shape (n, 2)."""
        return self._place(zyx_um)[:, [2, 0]] + [0.0, self.side_top]

    def _place(self, zyx_um: FloatArray) -> FloatArray:
        # voxel i has its centre at i × voxel size, its edges half a voxel before and after: the image begins at −½
        centred: FloatArray = (np.asarray(zyx_um).reshape(-1, 3) + self.voxel_size_um / 2) * self.units_per_um
        return centred


@dataclass(frozen=True, slots=True)
class Projection:
    """The two maximum projections of one frame, as data URIs of PNG images.

    Parameters
    ----------
    t
        Frame.
    top_png, side_png
        View from above (rows y, columns x) and from the side (rows z, columns x).
    """

    t: int
    top_png: str
    side_png: str


def choose_frames(movie: Movie, wanted: Sequence[int] = (), *, cells_per_frame: float = 0.0) -> list[int]:
    """Choose the frames to show: all of a small movie, else first, last, those wanted most, the last six, and a spread.

    Parameters
    ----------
    movie
        The movie: about a dozen frames are shown, more (up to 60) where they are small, fewer where reading them would
        mean more than 4e9 voxels.
    wanted
        Frames worth seeing, most important first; about a third of the places is theirs.
    cells_per_frame
        Cells drawn over a frame; many of them make the choice smaller too.
    """
    room = _count_room(movie, cells_per_frame)
    n_frames = movie.n_frames
    if n_frames <= room:
        return list(range(n_frames))
    chosen = {0, n_frames - 1}
    chosen.update([t for t in dict.fromkeys(wanted) if 0 <= t < n_frames][: room // 3])
    last = [n_frames - 1 - k for k in range(_LAST_FRAMES)][: room // 2]
    spread = np.linspace(0, n_frames - 1, room).round().astype(int).tolist()
    halves = np.linspace(0, n_frames - 1, 2 * room).round().astype(int).tolist()
    for t in [*last, *spread[::2], *spread[1::2], *halves]:
        if len(chosen) >= room:
            break
        chosen.add(t)
    return sorted(chosen)


def _count_room(movie: Movie, cells_per_frame: float) -> int:
    _, depth, height, width = movie.shape
    small = min(
        _SMALL_FRAMES, _PAGE_PIXELS // ((depth + height) * width), int(_PAGE_CELLS // max(cells_per_frame, 1.0))
    )
    return max(2, min(max(small, _USUAL_FRAMES), _READ_VOXELS // (depth * height * width)))


def project_frame(movie: Movie, t: int) -> tuple[Pixels, Pixels]:
    """Project one frame by its maximum along z and along y, reading it in slabs of at most 64 MB.

    Returns
    -------
    top, side
        float32, shapes (Y, X) and (Z, X); values that are not finite count as 0.
    """
    _, depth, height, width = movie.shape
    step = max(1, _SLAB_VOXELS // (height * width))
    top, sides = np.full((height, width), -np.inf, np.float32), []
    for z in range(0, depth, step):
        raw = np.asarray(movie.tzyx[t : t + 1, z : min(z + step, depth), :, :])[0]
        slab = np.nan_to_num(raw.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
        np.maximum(top, slab.max(axis=0), out=top)
        sides.append(slab.max(axis=1))
    return top, np.concatenate(sides)


def project_frames(
    movie: Movie,
    frames: Sequence[int],
    *,
    max_side_px: int = 640,
    max_bytes: int = 6_000_000,
    progress: ProgressSink = ignore_progress,
) -> list[Projection]:
    """Project frames, stretch their contrast alike, and encode them as PNG data URIs.

    Parameters
    ----------
    movie
        The movie.
    frames
        Frames to project.
    max_side_px
        Longest side of an image; larger projections are shrunk by averaging.
    max_bytes
        Bound on all data URIs together; where it is passed, every image is shrunk further.
    """
    raw: list[tuple[Pixels, Pixels]] = []
    for done, t in enumerate(frames):
        top, side = project_frame(movie, t)
        raw.append((_shrink(top, max_side_px), _shrink(side, max_side_px)))
        progress(Progress("report", done + 1, len(frames), "frames"))
    if not raw:
        return []
    low, high = _find_contrast([top for top, _ in raw])
    side_px = max_side_px
    while True:
        encoded = [[_encode_png(_shrink(image, side_px), low, high) for image in pair] for pair in raw]
        size = sum(len(uri) for pair in encoded for uri in pair)
        if size <= max_bytes or side_px <= 32:
            return [Projection(t, top, side) for t, (top, side) in zip(frames, encoded, strict=True)]
        side_px = max(32, int(side_px * min(0.9, math.sqrt(max_bytes / size))))


def _shrink(image: Pixels, max_side_px: int) -> Pixels:
    height, width = image.shape
    factor = max_side_px / max(height, width)
    if factor >= 1:
        return image
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX), np.float32)


def _find_contrast(images: Sequence[Pixels]) -> tuple[float, float]:
    """Return one pair of limits for all frames, so that fading and missing frames stay visible."""
    low, high = np.median([np.percentile(image, _CONTRAST_PERCENTILES) for image in images], axis=0)
    return float(low), float(high)


def _encode_png(image: Pixels, low: float, high: float) -> str:
    bright = np.clip((image - low) / max(high - low, 1e-9), 0.0, 1.0) ** _GAMMA
    grey = (np.round(bright * 63) * 4).astype(np.uint8)  # 64 greys: noise costs bytes and shows nothing
    buffer = io.BytesIO()
    Image.fromarray(grey).save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
