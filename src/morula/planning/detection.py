"""How a movie is cut for detection, and what its blocks look at: the one place that asks `detect.plan`.

A movie can fall into millions of blocks, which are a grid: along each axis only a few intervals occur, and what all
blocks see is the product of what these see.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

from morula.core.blocks import Block
from morula.core.movie import Movie
from morula.detect.params import DetectParams
from morula.detect.plan import plan_blocks
from morula.detecting import find_memory
from morula.network.spec import NetworkSpec
from morula.planning.reading import Interval, Reading, count_reading

_MEGA = 1e6


@dataclass(frozen=True, slots=True)
class BlockGrid:
    """The blocks of a movie.

    Parameters
    ----------
    n_blocks
        How many.
    middle
        One from the middle of the movie.
    seen
        Intervals of the read regions along t, z, y and x, as the blocks are cut; ends may lie outside the movie.
    frames_around
        Frames a block sees before its own, and as many after.
    shape, trim_vox
        Of the movie, and what the network is shown beyond a read region.
    """

    n_blocks: int
    middle: Block
    seen: tuple[tuple[Interval, ...], ...]
    frames_around: int
    shape: tuple[int, int, int, int]
    trim_vox: tuple[int, int, int]

    @property
    def megavoxels(self) -> float:
        """Megavoxels seen in all blocks, each frame they answer for counted once."""
        return self.shape[0] * prod(sum(lengths) for lengths in self._lengths()) / _MEGA

    @property
    def largest_megavoxels(self) -> float:
        """Megavoxels of one frame that the largest block sees at once."""
        return prod(max(lengths) for lengths in self._lengths()) / _MEGA

    def count_reading(self, chunk: tuple[int, int, int, int], voxel_bytes: int) -> Reading:
        """Count the bytes all blocks read."""
        return count_reading(self.seen, self.shape, chunk, voxel_bytes)

    def count_seen(self, block: Block) -> float:
        """Return the megavoxels seen in one block."""
        sides = zip(block.read[1:], self.shape[1:], self.trim_vox, strict=True)
        frames = block.write[0].stop - block.write[0].start
        return float(frames * prod(_length((side.start, side.stop), n, trim) for side, n, trim in sides)) / _MEGA

    def shorten_middle(self, frames: int) -> Block:
        """Return the block in the middle with at most so many frames."""
        first = self.middle.write[0].start
        last = min(first + frames, self.middle.write[0].stop)
        write, read = slice(first, last), slice(first - self.frames_around, last + self.frames_around)
        return replace(self.middle, write=(write, *self.middle.write[1:]), read=(read, *self.middle.read[1:]))

    def _lengths(self) -> list[list[int]]:
        sides = zip(self.seen[1:], self.shape[1:], self.trim_vox, strict=True)
        return [[_length(interval, size, trim) for interval in along] for along, size, trim in sides]


def cut_for_detection(movie: Movie, spec: NetworkSpec, params: DetectParams) -> BlockGrid:
    """Cut a movie as detection would.

    Raises
    ------
    ConfigError
        If even the smallest block is larger than the settings or this machine's memory allow.
    """
    return lay_out_grid(plan_blocks(movie, spec, params, find_memory(params)), movie, spec.frames_around, spec.trim_vox)


def lay_out_grid(
    blocks: Sequence[Block], movie: Movie, frames_around: int = 0, trim_vox: tuple[int, int, int] = (0, 0, 0)
) -> BlockGrid:
    """Describe the blocks of a movie by what they see along each axis."""
    seen = tuple(tuple(sorted({(b.read[axis].start, b.read[axis].stop) for b in blocks})) for axis in range(4))
    return BlockGrid(len(blocks), blocks[len(blocks) // 2], seen, frames_around, movie.shape, trim_vox)


def _length(interval: Interval, size: int, trim: int) -> int:
    return min(interval[1], size) - max(interval[0], 0) + 2 * trim
