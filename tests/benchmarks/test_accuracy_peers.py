"""The adapters of the peers, on a few cells drawn by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from accuracy_peers import (
    BlobSource,
    forget_movement,
    link_with_laptrack,
    link_with_motile,
    measure_distances,
    remove_drift,
    take_truth,
)
from morula.core.detections import Detections
from morula.core.movie import Movie
from morula.core.tracks import Tracks
from morula.solve.params import SolveParams

COSTS = SolveParams(node_constant=0.0, node_score_weight=-40.0, start_cost=12.0, division_cost=3.0)


def dividing() -> Tracks:
    """One cell divides, one moves on.

    x  0         2         12
    t0 0                   1
       |                   |
    t1 2                   3
       |`----.             |
    t2 4     5             6
    """
    x = [0.0, 12.0, 0.5, 12.5, -1.5, 2.5, 13.0]
    return Tracks.from_ids([0, 0, 1, 1, 2, 2, 2], [[0, 0, v] for v in x], list(range(7)), [-1, -1, 0, 1, 2, 2, 3])


def links(tracks: Tracks) -> set[tuple[float, float]]:
    """Links by the x of both ends, which names the cells."""
    return {(float(tracks.zyx_um[p, 2]), float(tracks.zyx_um[c, 2])) for p, c in tracks.edges.tolist()}


def tissue(shift_um: float = 0.0) -> Tracks:
    """Two frames of 27 cells on a jittered grid; the second is shifted along x."""
    grid = np.stack(np.meshgrid(*[np.arange(3) * 9.0] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    zyx = grid + np.random.default_rng(0).normal(0, 1, grid.shape)
    both = np.concatenate([zyx, zyx + np.array([0, 0, shift_um])])
    return Tracks.from_ids(np.repeat([0, 1], 27), both, np.arange(54), np.r_[np.full(27, -1), np.arange(27)])


def test_laptrack_finds_the_division_only_where_splits_are_allowed() -> None:
    pytest.importorskip("laptrack", reason="laptrack is not installed: pip install -c constraints.txt -e '.[peers]'")
    truth, detections = dividing(), take_truth(dividing())
    found = link_with_laptrack(detections, detections.zyx_um, reach_um=5.0, split_um=5.0)
    assert links(found) == links(truth)
    without = link_with_laptrack(detections, detections.zyx_um, reach_um=5.0, split_um=0.0)
    assert links(without) < links(truth)
    assert without.n_children.max() == 1
    assert links(link_with_laptrack(detections, detections.zyx_um, reach_um=0.4, split_um=0.0)) == set()


def test_laptrack_keeps_cells_without_links_and_stands_empty_frames() -> None:
    pytest.importorskip("laptrack", reason="laptrack is not installed: pip install -c constraints.txt -e '.[peers]'")
    lone = Detections.sorted(np.array([1, 3]), np.zeros((2, 3)), np.ones(2), np.zeros((2, 3)))
    found = link_with_laptrack(lone, lone.zyx_um, reach_um=5.0, split_um=0.0)
    assert found.t.tolist() == [1, 3]
    assert found.parent_row.tolist() == [-1, -1], "a gap was closed"


def test_motile_finds_the_tree_and_says_that_it_is_proven() -> None:
    pytest.importorskip("motile", reason="motile is not installed: pip install -c constraints.txt -e '.[peers]'")
    graph = measure_distances(take_truth(dividing()), reach_um=5.0)
    found = link_with_motile(graph, COSTS, timeout_s=60.0)
    assert found.proven
    assert links(found.tracks) == links(dividing())
    dear = SolveParams(node_constant=0.0, node_score_weight=-40.0, start_cost=12.0, division_cost=13.0)
    assert links(link_with_motile(graph, dear, timeout_s=60.0).tracks) < links(dividing())


def test_a_stage_jump_is_removed_before_linking() -> None:
    jumped, still = take_truth(tissue(shift_um=12.0)), take_truth(tissue())
    removed = remove_drift(jumped, reach_um=6.0)
    assert np.abs(removed - still.zyx_um).max() < 0.5
    np.testing.assert_array_equal(removed[:27], jumped.zyx_um[:27])
    graph = measure_distances(jumped, reach_um=6.0)
    nearest = graph.edges[np.unique(graph.edges[:, 1], return_index=True)[1]]
    assert (nearest[:, 1] - nearest[:, 0] == 27).all(), "each cell's first link leads to its own past"


def test_distances_may_be_squared_and_keep_their_reach() -> None:
    detections = take_truth(dividing())
    plain, squared = (measure_distances(detections, reach_um=5.0, power=power) for power in (1.0, 2.0))
    np.testing.assert_array_equal(plain.edges, squared.edges)
    np.testing.assert_allclose(squared.distance_um, plain.distance_um**2 / 5.0)
    assert plain.distance_um.min() == pytest.approx(0.5)


def test_the_oracle_and_our_detections_are_stripped_of_what_they_must_not_know() -> None:
    known = Detections.sorted(np.array([0, 1]), np.zeros((2, 3)), np.array([0.3, 0.4]), np.ones((2, 3)))
    blind = forget_movement(known)
    assert (blind.movement_um == 0).all()
    np.testing.assert_array_equal(blind.score, known.score)
    assert (take_truth(dividing()).movement_um == 0).all()
    assert (take_truth(dividing()).score == 1).all()


def test_blobs_are_fewer_the_higher_the_threshold_and_found_where_they_are() -> None:
    rng = np.random.default_rng(0)
    frame = np.zeros((20, 40, 40))
    for z, y, x, light in ((6, 10, 10, 1.0), (12, 28, 30, 1.0), (12, 10, 30, 0.6)):
        frame[z, y, x] = 4000 * light
    frame = gaussian_filter(frame, 2.0) + rng.normal(100, 0.5, frame.shape)
    movie = Movie(np.stack([frame, frame]).astype(np.float32), np.ones(3), 60.0)
    source = BlobSource(movie, sigma_um=1.8, window_um=4.0)
    low, usual, high = (source.detect(factor) for factor in (0.1, 1.0, 50.0))
    assert low.n > usual.n > high.n == 0
    assert np.abs(usual.zyx_um[usual.frame(0)] - [6, 10, 10]).max(axis=1).min() < 0.5
    assert usual.n == 6
    assert source.detect(1.0) is usual, "found once"
