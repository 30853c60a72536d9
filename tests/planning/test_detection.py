"""The grid of a movie's blocks says what walking through all of them would say."""

from __future__ import annotations

import numpy as np
import pytest

from morula.core.movie import Movie
from morula.detect.params import DetectParams
from morula.detect.plan import plan_blocks
from morula.network.spec import choose_network, choose_paper_network
from morula.planning.detection import cut_for_detection

VOXEL = np.array([2.0, 0.8, 0.8])
MOVIE = Movie(np.zeros((5, 40, 210, 150), np.uint8), VOXEL)
NETWORKS = {"fast": choose_network(VOXEL, np.full(3, 3.0)), "paper": choose_paper_network(VOXEL)}


@pytest.mark.parametrize("name", NETWORKS)
def test_counts_are_those_of_all_blocks_one_by_one(name: str) -> None:
    spec, params = NETWORKS[name], DetectParams(block_megavoxels=2.5, block_frames=2)
    blocks, grid = plan_blocks(MOVIE, spec, params), cut_for_detection(MOVIE, spec, params)
    assert grid.n_blocks == len(blocks) > 2
    at_once, together, asked = [], 0.0, 0
    for block in blocks:
        sides = [(max(s.start, 0), min(s.stop, n)) for s, n in zip(block.read, MOVIE.shape, strict=True)]
        shown = np.prod([b - a + 2 * trim for (a, b), trim in zip(sides[1:], spec.trim_vox, strict=True)]) / 1e6
        at_once.append(shown)
        together += shown * (block.write[0].stop - block.write[0].start)
        asked += int(np.prod([b - a for a, b in sides]))
        assert grid.count_seen(block) == pytest.approx(shown * (block.write[0].stop - block.write[0].start))
    assert grid.megavoxels == pytest.approx(together)
    assert grid.largest_megavoxels == pytest.approx(max(at_once))
    assert grid.count_reading((1, 1, 1, 1), 1).asked_bytes == asked


def test_the_block_in_the_middle_can_be_made_shorter_and_sees_as_far() -> None:
    spec = NETWORKS["paper"]
    grid = cut_for_detection(MOVIE, spec, DetectParams(block_megavoxels=2.5, block_frames=4))
    short = grid.shorten_middle(1)
    assert (short.write[0].stop - short.write[0].start, short.read[0].stop - short.read[0].start) == (1, 7)
    assert (short.write[1:], short.read[1:]) == (grid.middle.write[1:], grid.middle.read[1:])
    assert grid.shorten_middle(99).write[0].stop == grid.middle.write[0].stop
