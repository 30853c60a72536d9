"""The frames of one block as the network shall see them: read once, and where the image moved as a whole, shifted back.

Owns reading pixels and mask of a block; knows no network. A shift is a whole number of voxels and is *read*, never cut
from what was read before, so that blocks see the same pixels however the movie is cut.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from morula.core.blocks import Block
from morula.core.columns import BoolArray
from morula.core.movie import LazyArray, Movie, read_replicated
from morula.errors import ChunkError

Pixels = npt.NDArray[np.float32]
Corner = tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class BlockFrames:
    """Pixels of one block.

    Parameters
    ----------
    movie, block
        What is read, and for which block.
    start, stop
        First and one-past-last voxel, order z, y, x; may lie outside the movie, where the outermost voxels repeat.
    pixels
        All frames the block sees, raw, shape (t, z, y, x).
    seen
        The mask of the same shape; None without one.
    """

    movie: Movie
    block: Block
    start: Corner
    stop: Corner
    pixels: Pixels
    seen: BoolArray | None

    @classmethod
    def read(cls, movie: Movie, block: Block, start: Corner, stop: Corner) -> BlockFrames:
        """Read all frames of the block once.

        Raises
        ------
        ChunkError
            If pixels cannot be read or are not finite.
        """
        first, last = (block.read[0].start, *start), (block.read[0].stop, *stop)
        pixels = read_box(movie.tzyx, block, first, last)
        seen = None if movie.mask_tzyx is None else read_box(movie.mask_tzyx, block, first, last) > 0
        return cls(movie, block, start, stop, pixels, seen)

    def around(self, t: int, reach: int) -> tuple[Pixels, BoolArray | None]:
        """Return frames t − reach … t + reach, what lies on each other in them, and the mask there.

        Raises
        ------
        ChunkError
            If pixels of a shifted frame cannot be read or are not finite.
        """
        begin = t - reach - self.block.read[0].start
        some = slice(begin, begin + 2 * reach + 1)
        pixels, seen = self.pixels[some], None if self.seen is None else self.seen[some]
        offsets = {steps: self.movie.offset_vox(t, steps) for steps in range(-reach, reach + 1)}
        moved = {steps: offset.tolist() for steps, offset in offsets.items() if offset.any()}
        if not moved:
            return pixels, seen
        pixels, seen = pixels.copy(), None if seen is None else seen.copy()
        for steps, offset in moved.items():
            first = (t + steps, *(a + b for a, b in zip(self.start, offset, strict=True)))
            last = (t + steps + 1, *(a + b for a, b in zip(self.stop, offset, strict=True)))
            pixels[steps + reach] = read_box(self.movie.tzyx, self.block, first, last)[0]
            if seen is not None and self.movie.mask_tzyx is not None:
                seen[steps + reach] = read_box(self.movie.mask_tzyx, self.block, first, last)[0] > 0
        return pixels, seen


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
