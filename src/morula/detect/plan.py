"""Cutting a movie into blocks: as large as the memory allows, multiples of the network's strides."""

from __future__ import annotations

from math import prod

import numpy as np

from morula.core.blocks import Block, tile_blocks
from morula.core.cutting import Cuts, choose_lengths, list_cuts
from morula.core.movie import Movie
from morula.detect.foreground import choose_cell_vox, find_reach_vox
from morula.detect.memory import Memory, fit_megavoxels, project_memory
from morula.detect.params import DetectParams
from morula.detect.places import Seeker
from morula.errors import ConfigError
from morula.network.spec import NetworkSpec

BlockShape = tuple[int, int, int, int]

_ONE_VOXEL = 1.01  # a little more than one, so that rounding does not lose the neighbour


def plan_blocks(movie: Movie, spec: NetworkSpec, params: DetectParams, memory: Memory | None = None) -> list[Block]:
    """Cut the movie into blocks for `detect_block`: `choose_block_shape` and `cut_movie` together."""
    return cut_movie(movie, spec, params, choose_block_shape(movie, spec, params, memory))


def choose_block_shape(
    movie: Movie, spec: NetworkSpec, params: DetectParams, memory: Memory | None = None
) -> BlockShape:
    """Choose the shape of the write regions with which the whole movie costs least work, halos counted.

    Parameters
    ----------
    movie, spec
        What is cut, and the network that looks at it.
    params
        `block_megavoxels` wins over the memory.
    memory
        What a worker may use; as much as it takes if None.

    Returns
    -------
    shape
        Frames and voxels, order t, z, y, x; in space multiples of the network's total stride.

    Raises
    ------
    ConfigError
        If even the smallest block sees more than `params.block_megavoxels`, or does not fit the memory.
    """
    budget = np.inf
    if params.block_megavoxels is not None:
        budget = params.block_megavoxels
    elif memory is not None:
        budget = fit_megavoxels(memory, spec, params)
    axes = [_list_cuts(movie, spec, params, axis) for axis in range(3)]
    lengths = choose_lengths(axes, budget)
    if lengths is None:
        raise _too_small(prod(float(cuts.most.min()) for cuts in axes) / 1e6, movie, spec, params, memory)
    depth, height, width = lengths
    return params.block_frames, depth, height, width


def project_smallest(movie: Movie, spec: NetworkSpec, params: DetectParams) -> Memory:
    """Project what the smallest block takes where the network computes on the CPU: with less no movie can be cut."""
    seen_vox = prod(float(_list_cuts(movie, spec, params, axis).most.min()) for axis in range(3))
    return project_memory(seen_vox * _ONE_VOXEL, spec, params, on_card=False)


def cut_movie(movie: Movie, spec: NetworkSpec, params: DetectParams, shape: BlockShape) -> list[Block]:
    """Cut the movie into blocks whose write regions have this shape, smaller at its far faces.

    Write regions start at multiples of the network's total stride and read regions reach further by what decides about
    a place: one receptive field beyond a peak window, or a blob's surroundings. So tiling leaves no trace in the
    detections. Read regions say where the
    network has to answer: one without padding is shown `NetworkSpec.trim_vox` more.
    """
    reach = [(int(h), int(h)) for h in _halo_vox(movie, spec, params)]
    return tile_blocks(movie.shape, shape, [(spec.frames_around, spec.frames_around), *reach])


def count_seen(block: Block, movie: Movie, spec: NetworkSpec) -> int:
    """Count the voxels of one frame that a block shows to the network, padding included."""
    sides = zip(block.read[1:], movie.shape[1:], spec.total_stride, spec.trim_vox, strict=True)
    lengths = [
        -(-min(side.stop, size) // step) * step - max(side.start, 0) + 2 * trim for side, size, step, trim in sides
    ]
    return int(np.prod(lengths))


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
    if params.skip_contrast > 0:
        reach = np.maximum(reach, find_reach_vox(choose_cell_vox(params.window_um, movie.voxel_size_um)))
    halo: np.ndarray = (np.ceil(reach / stride) * stride).astype(int)
    return halo


def _list_cuts(movie: Movie, spec: NetworkSpec, params: DetectParams, axis: int) -> Cuts:
    halo = int(_halo_vox(movie, spec, params)[axis])
    return list_cuts(movie.shape[axis + 1], spec.total_stride[axis], halo, spec.trim_vox[axis])


def _too_small(
    megavoxels: float, movie: Movie, spec: NetworkSpec, params: DetectParams, memory: Memory | None
) -> ConfigError:
    smallest = (
        f"the smallest block sees {megavoxels:.3g} megavoxels, halo {_halo_vox(movie, spec, params).tolist()} voxels"
    )
    if params.block_megavoxels is not None or memory is None:
        return ConfigError(
            f"detect.block_megavoxels = {params.block_megavoxels:g} is too small for this network.",
            measured=smallest,
            fix=f"raise it to {megavoxels * 1.1:.3g} or more",
        )
    needed = project_memory(megavoxels * 1e6, spec, params, on_card=memory.card_bytes is not None)
    sizes = [(needed.host_bytes, memory.host_bytes, "memory")]
    if needed.card_bytes is not None and memory.card_bytes is not None:
        sizes.append((needed.card_bytes, memory.card_bytes, "memory of the graphics card"))
    told = ", ".join(f"{want / 2**30:.1f} GiB of {have / 2**30:.1f} GiB {kind}" for want, have, kind in sizes)
    return ConfigError(
        "detection has too little memory for this network.",
        measured=f"{smallest}, and takes {told}",
        cause="a network with a wide view, or many cores that share little memory",
        fix=f"set detect.memory_gib to {needed.host_bytes / 2**30 * 1.05:.1f} and use as many workers as have that, "
        "or take a coarser level of the movie",
    )
