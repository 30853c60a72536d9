"""The movement a surrounding agrees on."""

from __future__ import annotations

import numpy as np
import pytest

from morula.candidates.consensus import find_consensus_um
from morula.candidates.link import link_candidates
from morula.candidates.params import CandidatesParams
from morula.core.detections import Detections


def _grid(side=3, spacing=9.0):
    axes = np.arange(side) * spacing
    return np.stack(np.meshgrid(axes, axes, axes, indexing="ij"), axis=-1).reshape(-1, 3)


def test_one_vector_against_the_flow_is_overruled_by_its_neighbours():
    movement = np.tile([0.0, 0.0, 6.0], (27, 1))
    movement[13] = [0.0, 0.0, -3.0]
    assert find_consensus_um(_grid(), movement, 8, 4.0) == pytest.approx(np.tile([0.0, 0.0, 6.0], (27, 1)))


def test_too_few_cells_keep_their_own_vectors():
    movement = np.arange(24.0).reshape(8, 3)
    assert find_consensus_um(_grid(2), movement, 8, 4.0) is movement


def test_the_consensus_is_always_a_vector_of_the_cell_or_a_neighbour():
    rng = np.random.default_rng(1)
    movement = rng.normal(0, 3, (27, 3))
    consensus = find_consensus_um(_grid(), movement, 8, 4.0)
    assert (np.abs(consensus[:, None] - movement[None]).sum(axis=2).min(axis=1) == 0).all()


def _flowing_tissue(vector_of_middle):
    """27 cells that move 6 µm along x; the vector of the middle one points to the place of its neighbour."""
    now = _grid()
    movement = np.tile([0.0, 0.0, -6.0], (27, 1))
    before = now + movement
    movement[13] = vector_of_middle
    zyx = np.concatenate([before, now])
    order = np.lexsort((zyx[:, 2], zyx[:, 1], zyx[:, 0], np.repeat([0, 1], 27)))
    vectors = np.concatenate([np.zeros((27, 3)), movement])[order]
    return Detections(np.repeat([0, 1], 27), zyx[order], np.ones(54), vectors)


def test_a_cell_whose_vector_points_astray_is_still_offered_its_true_parent():
    detections = _flowing_tissue([0.0, 0.0, 3.0])
    true = (13, 27 + 13)
    without = link_candidates(detections, CandidatesParams(max_distance_um=5, consensus_neighbours=0))
    assert list(true) not in without.edges.tolist()
    graph = link_candidates(detections, CandidatesParams(max_distance_um=5, consensus_cost_um=0.5))
    row = graph.edges.tolist().index(list(true))
    assert graph.distance_um[row] == pytest.approx(0.5)


def test_cells_that_agree_with_their_neighbours_are_offered_nothing_new():
    detections = _flowing_tissue([0.0, 0.0, -6.5])
    graph = link_candidates(detections, CandidatesParams(max_distance_um=5))
    alone = link_candidates(detections, CandidatesParams(max_distance_um=5, consensus_neighbours=0))
    assert np.array_equal(graph.edges, alone.edges)
    assert np.array_equal(graph.distance_um, alone.distance_um)
