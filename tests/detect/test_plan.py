from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from morula.core.movie import Movie
from morula.detect.memory import Memory, project_memory
from morula.detect.params import DetectParams
from morula.detect.places import Seeker
from morula.detect.plan import count_seen, cut_movie, plan_blocks, project_smallest
from morula.errors import ConfigError
from morula.network import spec as spec_module
from morula.network.reach import Reach
from morula.network.spec import choose_network

VOXELS = [(2.0, 0.8, 0.8), (1.0, 1.0, 1.0), (10.0, 1.0, 1.0)]


class Empty:
    """A movie of any size that is never read."""

    def __init__(self, shape) -> None:
        self.shape, self.dtype = tuple(shape), np.dtype(np.uint16)


def _spec_and_movie(voxel, shape):
    return choose_network(np.array(voxel), np.full(3, 3.0)), Movie(Empty(shape), voxel)


def _seen_voxels(block, spec, movie) -> int:
    """Voxels of one frame the network is shown: the read region inside the movie, rounded up to the strides."""
    inside = [(max(s.start, 0), min(s.stop, n)) for s, n in zip(block.read[1:], movie.shape[1:], strict=True)]
    answered = [-(-(b - a) // n) * n for (a, b), n in zip(inside, spec.total_stride, strict=True)]
    return int(np.prod([n + 2 * trim for n, trim in zip(answered, spec.trim_vox, strict=True)]))


@settings(deadline=None, max_examples=60)
@given(
    voxel=st.sampled_from(VOXELS),
    shape=st.tuples(st.integers(1, 4), st.integers(1, 50), st.integers(1, 300), st.integers(1, 300)),
    megavoxels=st.floats(0.4, 4),
    frames=st.integers(1, 5),
)
def test_blocks_tile_the_movie_keep_to_the_memory_and_read_far_enough(voxel, shape, megavoxels, frames) -> None:
    spec, movie = _spec_and_movie(voxel, shape)
    params = DetectParams(block_megavoxels=megavoxels, block_frames=frames)
    try:
        blocks = plan_blocks(movie, spec, params)
    except ConfigError as refused:
        enough = float(refused.fix.split()[3])
        assert enough > megavoxels
        assert plan_blocks(movie, spec, replace(params, block_megavoxels=enough))
        return
    seeker = Seeker(movie.shape[1:], movie.voxel_size_um, spec, params)
    reach = np.maximum(spec.context_vox + seeker.indicator_reach_vox, seeker.image_reach_vox)
    for block in blocks:
        write = np.array([(s.start, s.stop) for s in block.write])
        read = np.array([(s.start, s.stop) for s in block.read])
        assert _seen_voxels(block, spec, movie) <= megavoxels * 1e6
        assert (write[1:, 0] % spec.total_stride == 0).all()
        assert (read[1:, 0] % spec.total_stride == 0).all()
        assert (write[1:, 0] - read[1:, 0] >= reach).all()
        assert (read[1:, 1] - write[1:, 1] >= reach).all()
        assert (read[0] == write[0] + [-1, 1]).all()
        assert write[0, 1] - write[0, 0] <= frames
    assert sum(np.prod([s.stop - s.start for s in b.write]) for b in blocks) == np.prod(shape)
    assert len({tuple(s.start for s in b.write) for b in blocks}) == len(blocks)


def test_as_many_frames_are_read_around_a_block_as_the_network_sees_around_one() -> None:
    spec, movie = _spec_and_movie(VOXELS[0], (10, 20, 60, 60))
    blocks = plan_blocks(movie, replace(spec, input_frames=7), DetectParams(block_frames=4))
    assert [b.read[0] for b in blocks] == [slice(-3, 7), slice(1, 11), slice(5, 13)]


def test_what_a_network_without_padding_trims_is_shown_to_it_and_counts_as_memory(monkeypatch) -> None:
    """Its context lies in the trim, so that the blocks read no halo but the window's; and the memory pays for it."""
    spec, movie = _spec_and_movie(VOXELS[1], (1, 64, 64, 256))
    reach = Reach(context_vox=(20, 20, 20), trim_vox=(22, 22, 22))
    monkeypatch.setitem(spec_module._REACH, "fast", lambda *strides: reach)
    params = DetectParams(block_megavoxels=2.6, window_um=2.0, blob_sigma_um=0.0)
    blocks = plan_blocks(movie, spec, params)
    assert [b.write[3] for b in blocks] == [slice(0, 128), slice(128, 256)]
    assert [b.read[3] for b in blocks] == [slice(-8, 136), slice(120, 264)]
    assert all(_seen_voxels(block, spec, movie) == 108 * 108 * (136 + 44) for block in blocks)
    assert len(plan_blocks(movie, spec, replace(params, block_megavoxels=3.6))) == 1


def test_a_movie_that_fits_is_one_block_per_group_of_frames() -> None:
    spec, movie = _spec_and_movie(VOXELS[0], (10, 40, 200, 200))
    blocks = plan_blocks(movie, spec, DetectParams(block_megavoxels=2.0, block_frames=4))
    assert [b.write[0] for b in blocks] == [slice(0, 4), slice(4, 8), slice(8, 10)]


def test_the_longest_axis_is_cut_first() -> None:
    spec, movie = _spec_and_movie(VOXELS[0], (1, 40, 200, 2000))
    write = plan_blocks(movie, spec, DetectParams(block_megavoxels=8.0))[0].write
    assert write[1:3] == (slice(0, 40), slice(0, 200))
    assert write[3].stop < 2000


def test_memory_that_is_too_small_is_refused_with_a_number_that_suffices() -> None:
    spec, movie = _spec_and_movie(VOXELS[1], (1, 300, 300, 300))
    with pytest.raises(ConfigError, match=r"detect.block_megavoxels = 0.01 is too small for this network") as refused:
        plan_blocks(movie, spec, DetectParams(block_megavoxels=0.01))
    enough = float(refused.value.fix.split()[3])
    assert plan_blocks(movie, spec, DetectParams(block_megavoxels=enough))


def test_padding_of_a_flat_movie_counts_as_memory() -> None:
    """A single plane is shown to the network eight times, since its strides ask for eight planes."""
    spec, movie = _spec_and_movie(VOXELS[1], (1, 1, 1000, 1000))
    assert spec.total_stride[0] == 8
    assert len(plan_blocks(movie, spec, DetectParams(block_megavoxels=8.1))) == 1
    assert len(plan_blocks(movie, spec, DetectParams(block_megavoxels=7.9))) > 1


@settings(deadline=None, max_examples=30)
@given(
    voxel=st.sampled_from(VOXELS),
    shape=st.tuples(st.integers(1, 2), st.integers(1, 60), st.integers(1, 200), st.integers(1, 200)),
    megabytes=st.floats(770, 1670),
)
def test_no_other_blocks_that_fit_the_memory_see_less_in_all(voxel, shape, megabytes) -> None:
    """Against every shape of blocks in whole strides."""
    spec, movie = _spec_and_movie(voxel, shape)
    params, memory = DetectParams(block_frames=1), Memory(megabytes * 1e6)
    strides = [
        range(step, -(-n // step) * step + 1, step) for n, step in zip(shape[1:], spec.total_stride, strict=True)
    ]
    work = {}
    for write in product(*(sides[:: max(1, len(sides) // 4)] for sides in strides)):
        seen = [_seen_voxels(block, spec, movie) for block in cut_movie(movie, spec, params, (1, *write))]
        if project_memory(max(seen), spec, params, on_card=False).host_bytes <= memory.host_bytes:
            work[write] = sum(seen)
    blocks = plan_blocks(movie, spec, params, memory)
    seen = [_seen_voxels(block, spec, movie) for block in blocks]
    assert [count_seen(block, movie, spec) for block in blocks] == seen
    assert project_memory(max(seen), spec, params, on_card=False).host_bytes <= memory.host_bytes * (1 + 1e-9)
    assert sum(seen) <= min(work.values(), default=np.inf)


def test_a_card_limits_the_blocks_as_well_as_the_machine() -> None:
    spec, movie = _spec_and_movie(VOXELS[0], (1, 40, 800, 800))
    largest = [
        max(count_seen(block, movie, spec) for block in plan_blocks(movie, spec, DetectParams(), memory))
        for memory in (Memory(8e9), Memory(8e9, 8e9), Memory(8e9, 1e9), Memory(9.5e8, 8e9))
    ]
    assert largest[0] == largest[1] > max(largest[2:])


def test_the_smallest_memory_is_enough_and_less_is_refused() -> None:
    spec, movie = _spec_and_movie(VOXELS[1], (1, 300, 300, 300))
    smallest = project_smallest(movie, spec, DetectParams())
    assert plan_blocks(movie, spec, DetectParams(), smallest)
    with pytest.raises(ConfigError, match=r"too little memory for this network[\s\S]*GiB memory") as refused:
        plan_blocks(movie, spec, DetectParams(), Memory(smallest.host_bytes * 0.95))
    assert "detect.memory_gib" in refused.value.fix
    with pytest.raises(ConfigError, match=r"of 0.0 GiB memory of the graphics card"):
        plan_blocks(movie, spec, DetectParams(), Memory(8e9, 1e6))
