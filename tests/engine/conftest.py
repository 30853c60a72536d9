"""A row of blocks for the engines' tests."""

from __future__ import annotations

import pytest
from dask_processes import free_port

from morula.core.blocks import Block, tile_blocks


@pytest.fixture
def blocks() -> list[Block]:
    """Five blocks along t, of 40 voxels each; the last has 20."""
    return tile_blocks((9, 1, 4, 5), (2, 1, 4, 5), [(1, 1), (0, 0), (0, 0), (0, 0)])


@pytest.fixture
def address() -> str:
    """Where nobody listens yet."""
    return f"tcp://127.0.0.1:{free_port()}"
