"""The frames of one block as the network shall see them, read one ahead of it, each place once.

Owns reading pixels and mask of a block and the thread that does so while the network computes; knows no network. Where
the image moved as a whole, frames are shifted back. A shift is a whole number of voxels and is *read*, never cut from
what was read before, so that blocks see the same pixels however the movie is cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from morula.core.blocks import Block
from morula.core.columns import BoolArray
from morula.core.movie import LazyArray, Movie, read_replicated
from morula.errors import ChunkError
from morula.network.intensity import IntensityRange

Pixels = npt.NDArray[np.float32]
Corner = tuple[int, ...]


class Window(NamedTuple):
    """A frame and those around it.

    Parameters
    ----------
    t
        The frame in the middle.
    shown
        Normalised intensities, shape (frames, z, y, x), frames innermost in memory; 0 outside the mask.
    seen
        The mask of the frame in the middle, shape (z, y, x); None without one.
    """

    t: int
    shown: Pixels
    seen: BoolArray | None


class _Frame(NamedTuple):
    shown: Pixels
    seen: BoolArray | None


class _Place(NamedTuple):
    """Which frame to read, and from which first to which last voxel, order t, z, y, x."""

    first: Corner
    last: Corner


@dataclass(frozen=True, slots=True, eq=False)
class BlockFrames:
    """What a block sees of a movie.

    Parameters
    ----------
    movie, block
        What is read, and for which block.
    start, stop
        First and one-past-last voxel, order z, y, x; may lie outside the movie, where the outermost voxels repeat.
    intensity
        Constants of the movie.
    reach
        Frames seen before and after the one in the middle.
    """

    movie: Movie
    block: Block
    start: Corner
    stop: Corner
    intensity: IntensityRange
    reach: int

    def windows(self) -> Iterator[Window]:
        """Give each frame of the write region with those around it, while the one after the next is being read.

        Never more than one frame is read ahead, and one that is needed no more is let go. What is shown lies in the
        same memory each time, and is good until the next is asked for.

        Raises
        ------
        ChunkError
            If pixels cannot be read or are not finite; what lies before them is given first.
        """
        frames = range(self.block.write[0].start, self.block.write[0].stop)
        places = [self._places(t) for t in frames]
        sizes = [b - a for a, b in zip(self.start, self.stop, strict=True)]
        laid = np.empty((*sizes, 2 * self.reach + 1), np.float32)
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="morula-reads") as reader:
            under_way: dict[_Place, Future[_Frame]] = {}
            for t, here, next_ones in zip(frames, places, [*places[1:], []], strict=True):
                for place in (*here, *next_ones):
                    if place not in under_way:
                        under_way[place] = reader.submit(self._read, place)
                yield _lay_together(t, [under_way[place].result() for place in here], laid)
                under_way = {place: under_way[place] for place in next_ones}

    def _places(self, t: int) -> list[_Place]:
        """Where what lies around frame `t` is to be read, the earliest first."""
        places = []
        for steps in range(-self.reach, self.reach + 1):
            other = min(max(t + steps, 0), self.movie.n_frames - 1)
            offset = self.movie.offset_vox(t, steps).tolist()
            first, last = ([a + b for a, b in zip(end, offset, strict=True)] for end in (self.start, self.stop))
            places.append(_Place((other, *first), (other + 1, *last)))
        return places

    def _read(self, place: _Place) -> _Frame:
        shown = self.intensity.normalise(read_box(self.movie.tzyx, self.block, *place)[0])
        if self.movie.mask_tzyx is None:
            return _Frame(shown, None)
        seen = read_box(self.movie.mask_tzyx, self.block, *place)[0] > 0
        shown[~seen] = 0.0
        return _Frame(shown, seen)


def read_box(array: LazyArray, block: Block, first: Corner, last: Corner) -> Pixels:
    """Read a box of pixels or mask, float32 (t, z, y, x), the outermost voxels repeated beyond the movie.

    Raises
    ------
    ChunkError
        If voxels cannot be read or are not finite; the message names the block.
    """
    try:
        pixels = read_replicated(array, first, last)
    except ChunkError as error:
        raise ChunkError(
            f"{block.name}: {error.what}", measured=error.measured, cause=error.cause, fix=error.fix
        ) from error
    bad = ~np.isfinite(pixels)
    if bad.any():
        raise ChunkError(
            f"{block.name}: {int(bad.sum())} voxels are not finite.",
            measured=f"first in frame {first[0] + int(np.argwhere(bad)[0][0])}",
            cause="NaN written by a fusion or deconvolution step",
            fix="replace NaN by the background value and run again: only this block is repeated",
        )
    return pixels


def _lay_together(t: int, frames: list[_Frame], laid: Pixels) -> Window:
    """Lay frames side by side, those of a voxel beside each other in memory, as the network wants them."""
    np.stack([frame.shown for frame in frames], axis=-1, out=laid)
    return Window(t, np.moveaxis(laid, -1, 0), frames[len(frames) // 2].seen)
