from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from morula.core.blocks import Block, tile_blocks
from morula.errors import ConfigError

SIZES = st.tuples(*[st.integers(1, 7)] * 4)
HALOS = st.tuples(*[st.tuples(st.integers(0, 4), st.integers(0, 4))] * 4)


@given(shape=SIZES, write_shape=SIZES, halo=HALOS)
def test_write_regions_tile_the_movie_exactly(shape, write_shape, halo) -> None:
    written = np.zeros(shape, int)
    blocks = tile_blocks(shape, write_shape, halo)
    for block in blocks:
        written[block.write] += 1
        assert all(s.stop - s.start <= largest for s, largest in zip(block.write, write_shape, strict=True))
    assert (written == 1).all()
    assert [block.index for block in blocks] == list(range(len(blocks)))


@given(shape=SIZES, write_shape=SIZES, halo=HALOS)
def test_read_regions_reach_by_the_halo_beyond_write_regions_and_even_beyond_the_movie(
    shape, write_shape, halo
) -> None:
    for block in tile_blocks(shape, write_shape, halo):
        for write, read, (before, after) in zip(block.write, block.read, halo, strict=True):
            assert (write.start - read.start, read.stop - write.stop) == (before, after)


def test_blocks_come_in_the_order_t_z_y_x() -> None:
    corners = [tuple(s.start for s in b.write) for b in tile_blocks((2, 2, 2, 2), (1, 1, 1, 1), [(0, 0)] * 4)]
    assert corners == sorted(corners)
    assert len(corners) == 16


def test_a_block_names_its_place() -> None:
    block = Block(3, (slice(0, 4), slice(0, 16), slice(32, 64), slice(0, 32)), (slice(-1, 5),) + (slice(0, 64),) * 3)
    assert block.name == "block 3 (t 0:4, z 0:16, y 32:64, x 0:32)"


@pytest.mark.parametrize(
    ("write", "read"),
    [
        (slice(0, 4), slice(1, 4)),
        (slice(0, 4), slice(0, 3)),
        (slice(2, 2), slice(0, 4)),
        (slice(3, 2), slice(0, 4)),
    ],
)
def test_a_block_that_writes_what_it_does_not_read_cannot_be_built(write, read) -> None:
    with pytest.raises(ConfigError, match=r"block 5: its write region .* is not inside"):
        Block(5, (write,) * 4, (read,) * 4)
