"""Blobs of tiny movies, block by block: every nucleus of every frame, inside the mask, however the movie is cut."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from morula.core.blocks import Block
from morula.core.detections import Detections
from morula.core.movie import Movie
from morula.peaks.blobs import find_blobs
from morula.peaks.classical import (
    BlobSearch,
    choose_lengths_for_blobs,
    cut_for_blobs,
    find_block_blobs,
    find_halo_vox,
    project_blob_memory,
    rate_blobs,
)

VOXEL = np.array([2.0, 0.5, 0.5])
SHAPE = (12, 44, 48)
CENTRES = np.array([[6.0, 6.0, 6.0], [16.0, 8.0, 16.0], [10.0, 16.0, 12.0]])
STEP = np.array([0.0, 0.0, 0.5])
SEARCH = BlobSearch(sigma_um=1.5, window_um=None, threshold=20.0, filling=200.0)


class FramesReadOneByOne:
    """A lazy movie that notes how many voxels were asked for at once and refuses more than one frame."""

    def __init__(self, frames: np.ndarray) -> None:
        self.frames, self.most = frames, 0
        self.shape, self.dtype = frames.shape, frames.dtype

    def __getitem__(self, box):
        assert box[0].stop - box[0].start == 1
        self.most = max(self.most, prod(side.stop - side.start for side in box))
        return self.frames[box]


@pytest.fixture
def frames(render) -> np.ndarray:
    """Four frames of three nuclei that move 0.5 µm per frame along x, with noise."""
    noise = np.random.default_rng(0).normal(0, 6, (4, *SHAPE))
    drawn = [100 * render(SHAPE, VOXEL, CENTRES + t * STEP, 1.8, heights=[1, 0.6, 1.4]) for t in range(4)]
    return np.clip(np.stack(drawn) + noise + 200, 0, 65535).astype(np.uint16)


def find_everywhere(movie: Movie, search: BlobSearch, write_shape: tuple[int, ...] | None = None) -> Detections:
    """Blobs of all blocks; by default one block is the whole movie."""
    blocks = cut_for_blobs(movie, search, write_shape or movie.shape)
    return Detections.concatenated([find_block_blobs(block, movie=movie, search=search).detections for block in blocks])


def test_every_nucleus_of_every_frame_is_found_once(frames) -> None:
    lazy = FramesReadOneByOne(frames)
    found = find_everywhere(Movie(lazy, VOXEL), SEARCH)
    assert np.bincount(found.t).tolist() == [3, 3, 3, 3]
    for t in range(4):
        expected = CENTRES[np.argsort(CENTRES[:, 0])] + t * STEP
        np.testing.assert_allclose(found.zyx_um[found.frame(t)], expected, atol=0.3)


def test_the_blobs_of_a_block_that_is_the_movie_are_those_of_its_frames(frames) -> None:
    movie = Movie(frames, VOXEL)
    found = find_everywhere(movie, replace(SEARCH, threshold=0.0))
    for t in range(4):
        whole = find_blobs(frames[t], sigma_um=1.5, voxel_size_um=VOXEL, threshold=0.0, window_um=SEARCH.reach_um)
        order = np.lexsort(whole.zyx_um.T[::-1])
        assert found.zyx_um[found.frame(t)].tobytes() == whole.zyx_um[order].tobytes()
        assert found.score[found.frame(t)].tobytes() == whole.response[order].tobytes()


@settings(max_examples=40)
@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 70), st.integers(14, 70)),
    voxel=st.sampled_from([(2.0, 0.5, 0.5), (0.3, 0.4, 0.25), (5.0, 1.0, 1.5)]),
    sigma=st.floats(0.5, 2.5),
    window=st.one_of(st.none(), st.floats(0.3, 4.0)),
    lengths=st.tuples(st.integers(1, 3), st.integers(1, 8), st.integers(1, 8), st.integers(1, 8)),
    seed=st.integers(0, 100),
)
def test_cutting_leaves_no_trace(shape, voxel, sigma, window, lengths, seed) -> None:
    tzyx = np.random.default_rng(seed).integers(0, 9, (2, *shape)).astype(np.float32)
    tzyx[0, 0, 0, seed % shape[2]] = np.nan
    mask = np.random.default_rng(seed + 1).integers(0, 4, tzyx.shape).astype(np.uint8) if seed % 2 else None
    movie = Movie(tzyx, voxel, mask_tzyx=mask)
    search = BlobSearch(sigma_um=sigma, window_um=window, threshold=0.0, filling=4.0)
    smallest = np.array(choose_lengths_for_blobs(movie, search, 0.0))
    write = (lengths[0], *(smallest * np.maximum(lengths[1:], np.array(shape) // smallest // 6)).tolist())
    whole, cut = find_everywhere(movie, search), find_everywhere(movie, search, write)
    for column in ("t", "zyx_um", "score"):
        assert getattr(whole, column).tobytes() == getattr(cut, column).tobytes(), column


def test_blocks_are_as_large_as_the_memory_allows_and_read_no_more(frames) -> None:
    tiled = np.tile(frames, (1, 2, 4, 4))
    halo = find_halo_vox(Movie(tiled, VOXEL), SEARCH)
    budget = project_blob_memory(float(np.prod(2 * halo + 24)))
    lazy = FramesReadOneByOne(tiled)
    movie = Movie(lazy, VOXEL)
    lengths = choose_lengths_for_blobs(movie, SEARCH, budget)
    blocks = cut_for_blobs(movie, SEARCH, (4, *lengths))
    assert len(blocks) > 1
    for block in blocks:
        find_block_blobs(block, movie=movie, search=SEARCH)
    assert budget / 2 < project_blob_memory(lazy.most) <= budget
    assert choose_lengths_for_blobs(movie, SEARCH, 1e12) >= tiled.shape[1:]


def test_a_fainter_nucleus_is_left_out_by_a_higher_threshold(frames) -> None:
    found = find_everywhere(Movie(frames, VOXEL), replace(SEARCH, threshold=40))
    assert np.bincount(found.t).tolist() == [2, 2, 2, 2]


def test_blobs_outside_the_mask_are_left_out(frames) -> None:
    mask = np.ones(frames.shape, np.uint8)
    mask[:, :, :, 24:] = 0
    found = find_everywhere(Movie(frames, VOXEL, mask_tzyx=mask), SEARCH)
    assert (found.zyx_um[:, 2] < 12).all()
    assert 4 <= found.n < 12


def test_voxels_that_are_not_finite_are_counted_by_the_block_that_answers_for_them(frames) -> None:
    broken = frames.astype(np.float32)
    broken[2, 0, 0, :5] = np.nan
    movie = Movie(broken, VOXEL)
    assert np.bincount(find_everywhere(movie, SEARCH).t).tolist() == [3, 3, 3, 3]
    counts = [count_broken(block, movie) for block in cut_for_blobs(movie, SEARCH, (2, 12, 44, 4))]
    assert [count for count in counts if count] == [4, 1]


def count_broken(block: Block, movie: Movie) -> int:
    return find_block_blobs(block, movie=movie, search=SEARCH).not_finite_vox


def test_scores_lie_between_zero_and_one_and_follow_brightness(frames) -> None:
    found = find_everywhere(Movie(frames, VOXEL), SEARCH)
    rated = rate_blobs(found)
    assert 0 < rated.score.min() < 0.6
    assert rated.score.max() == 1
    assert (np.argsort(rated.score[:3]) == np.argsort(found.score[:3])).all()
    assert not rated.movement_um.any()
    assert rate_blobs(Detections.empty()).n == 0
