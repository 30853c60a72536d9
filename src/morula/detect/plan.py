"""Cutting a movie into blocks: as large as the memory allows, multiples of the network's strides."""

from __future__ import annotations

import numpy as np

from morula.core.blocks import Block, tile_blocks
from morula.core.movie import Movie
from morula.detect.params import DetectParams
from morula.errors import ConfigError
from morula.network.spec import NetworkSpec

_ONE_VOXEL = 1.01  # a little more than one, so that rounding does not lose the neighbour


def plan_blocks(movie: Movie, spec: NetworkSpec, params: DetectParams) -> list[Block]:
    """Cut the movie into blocks for `detect_block`.

    Write regions start at multiples of the network's total stride and read regions reach one receptive field, one peak
    window and one output voxel further, so that tiling leaves no trace in the detections.

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
        return float(np.prod(np.minimum(write_vox + 2 * halo, size)))

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
    return tile_blocks(movie.shape, (params.block_frames, z, y, x), [(1, 1), *reach])


def _halo_vox(movie: Movie, spec: NetworkSpec, params: DetectParams) -> np.ndarray:
    """Voxels a block sees beyond its write region, rounded up to the total stride, order z, y, x."""
    stem, stride = np.array(spec.stem_stride), np.array(spec.total_stride)
    window = np.ceil(peak_window_um(movie, spec, params) / movie.voxel_size_um / stem) * stem
    reach = np.array(spec.context_vox) + window + stem
    halo: np.ndarray = (np.ceil(reach / stride) * stride).astype(int)
    return halo


def peak_window_um(movie: Movie, spec: NetworkSpec, params: DetectParams) -> np.ndarray:
    """Radii of the peak window in µm, order z, y, x: as set, and at least one output voxel on each axis."""
    window: np.ndarray = np.maximum(params.window_um, _ONE_VOXEL * movie.voxel_size_um * np.array(spec.stem_stride))
    return window
