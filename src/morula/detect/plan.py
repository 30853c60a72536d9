"""Cutting a movie into blocks: as large as the memory allows, multiples of the network's strides."""

from __future__ import annotations

import numpy as np

from morula.core.blocks import Block, tile_blocks
from morula.core.movie import Movie
from morula.detect.params import DetectParams
from morula.detect.places import Seeker
from morula.errors import ConfigError
from morula.network.spec import NetworkSpec


def plan_blocks(movie: Movie, spec: NetworkSpec, params: DetectParams) -> list[Block]:
    """Cut the movie into blocks for `detect_block`.

    Write regions start at multiples of the network's total stride and read regions reach further by what decides about
    a place: one receptive field beyond a peak window, or a blob's surroundings. So tiling leaves no trace in the
    detections. Read regions say where the
    network has to answer: one without padding is shown `NetworkSpec.trim_vox` more.

    Raises
    ------
    ConfigError
        If even the smallest possible block is larger than `params.block_megavoxels`.
    """
    stride, halo = np.array(spec.total_stride), _halo_vox(movie, spec, params)
    size = -(-np.array(movie.shape[1:]) // stride) * stride
    write = size.copy()
    budget = params.block_megavoxels * 1e6

    def seen(write_vox: np.ndarray) -> float:
        return float(np.prod(np.minimum(write_vox + 2 * halo, size) + 2 * np.array(spec.trim_vox)))

    while seen(write) > budget:
        axis = int(np.argmax(np.where(write > stride, write, 0)))
        if write[axis] <= stride[axis]:
            raise ConfigError(
                f"detect.block_megavoxels = {params.block_megavoxels:g} is too small for this network.",
                measured=f"the smallest block sees {seen(write) / 1e6:.3g} megavoxels, halo {halo.tolist()} voxels",
                fix=f"raise it to {seen(write) / 1e6 * 1.1:.3g} or more",
            )
        halves = -(-write[axis] // (2 * stride[axis]))
        write[axis] = halves * stride[axis]
    z, y, x = (int(w) for w in write)
    reach = [(int(h), int(h)) for h in halo]
    frames = (spec.frames_around, spec.frames_around)
    return tile_blocks(movie.shape, (params.block_frames, z, y, x), [frames, *reach])


def halve_block(block: Block, spec: NetworkSpec) -> tuple[Block, Block] | None:
    """Cut a block in two where most strides are; None if it is a single stride wide on every axis.

    Both halves see as far beyond their write regions as the block does.
    """
    stride = spec.total_stride
    strides = [-(-(side.stop - side.start) // step) for side, step in zip(block.write[1:], stride, strict=True)]
    axis = int(np.argmax(strides))
    if strides[axis] < 2:
        return None
    side, seen = block.write[axis + 1], block.read[axis + 1]
    middle = side.start + strides[axis] // 2 * stride[axis]
    before, after = side.start - seen.start, seen.stop - side.stop

    def half(write: slice) -> Block:
        sides = {axis + 1: write}
        return Block(
            index=block.index,
            write=tuple(sides.get(i, s) for i, s in enumerate(block.write)),
            read=tuple(
                slice(sides[i].start - before, sides[i].stop + after) if i in sides else s
                for i, s in enumerate(block.read)
            ),
        )

    return half(slice(side.start, middle)), half(slice(middle, side.stop))


def _halo_vox(movie: Movie, spec: NetworkSpec, params: DetectParams) -> np.ndarray:
    """Voxels a block sees beyond its write region, rounded up to the total stride, order z, y, x."""
    stride = np.array(spec.total_stride)
    seeker = Seeker(movie.shape[1:], movie.voxel_size_um, spec, params)
    context = np.maximum(np.array(spec.context_vox) - spec.trim_vox, 0)
    reach = np.maximum(context + seeker.indicator_reach_vox, seeker.image_reach_vox)
    halo: np.ndarray = (np.ceil(reach / stride) * stride).astype(int)
    return halo
