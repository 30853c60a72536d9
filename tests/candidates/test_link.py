from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from morula.candidates.link import link_candidates
from morula.candidates.params import CandidatesParams
from morula.core.detections import Detections
from morula.errors import UnlinkableFrameError

PLAIN = CandidatesParams(max_distance_um=3.0, max_parents=3, correct_drift=False)


def test_a_child_is_offered_the_parents_around_its_predicted_position_nearest_first(detections):
    """
    x:  0   1   2   3   4   5   6
    t0  a       b           c
    t1                  d             movement of d: −3
    """
    found = detections(
        [[0, 0, 0], [0, 0, 2], [0, 0, 5]], [[0, 0, 4.0]], movement=[[0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, -2.5]]
    )
    graph = link_candidates(found, PLAIN)
    assert graph.edges.tolist() == [[1, 3], [0, 3]]
    assert graph.distance_um.tolist() == [0.5, 1.5]


def test_only_the_nearest_parents_are_kept(detections):
    found = detections([[0, 0, x] for x in (0.0, 1.0, 2.0, 3.0)], [[0, 0, 0.4]])
    graph = link_candidates(found, CandidatesParams(max_distance_um=9, max_parents=2, correct_drift=False))
    assert graph.edges.tolist() == [[0, 4], [1, 4]]


def test_parents_at_equal_distance_are_kept_in_the_order_of_their_rows(detections):
    found = detections([[0, 0, -1], [0, 0, 1], [0, 1, 0], [1, 0, 0]], [[0, 0, 0.0]])
    graph = link_candidates(found, CandidatesParams(max_distance_um=9, max_parents=2, correct_drift=False))
    assert graph.edges.tolist() == [[0, 4], [1, 4]]


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_the_links_are_those_of_comparing_every_pair(data):
    n = data.draw(st.integers(0, 25))
    rng = np.random.default_rng(data.draw(st.integers(0, 999)))
    found = Detections.sorted(rng.integers(0, 5, n), rng.uniform(0, 8, (n, 3)), rng.random(n), rng.normal(0, 1, (n, 3)))
    skip = data.draw(st.integers(0, 3))
    params = CandidatesParams(
        flow_neighbours=0,
        max_distance_um=3,
        max_parents=2,
        correct_drift=False,
        max_skip_frames=skip,
        allow_unlinkable=True,
    )
    graph = link_candidates(found, params)
    expected = []
    for child in range(n):
        for steps in range(1, skip + 2):
            earlier = np.flatnonzero(found.t == found.t[child] - steps)
            predicted = found.zyx_um[child] + steps * found.movement_um[child]
            away = np.linalg.norm(found.zyx_um[earlier] - predicted, axis=1)
            order = np.argsort(away, kind="stable")[:2]
            expected += [[int(earlier[k]), child] for k in order if away[k] <= 3 * np.sqrt(steps)]
    assert graph.edges.tolist() == expected


def test_links_over_missing_frames_reach_further_by_the_square_root(detections):
    """
    t0  a           t1  (far cell only)      t2  c, 1.3 radii away from a
    """
    found = detections([[0, 0, 0]], [[0, 0, 2.5]], [[0, 0, 3.9]])
    assert link_candidates(found, PLAIN).edges.tolist() == [[0, 1], [1, 2]]
    skipping = CandidatesParams(max_distance_um=3.0, max_skip_frames=1, correct_drift=False)
    assert link_candidates(found, skipping).edges.tolist() == [[0, 1], [1, 2], [0, 2]]


def test_drift_is_removed_before_linking_and_a_jump_is_told(tissue, caplog):
    """Every cell of frame 1 lies 20 µm off; without correction hardly one is linked to itself."""
    n = len(tissue)
    found = Detections(
        t=np.repeat([0, 1], n).astype(np.int32),
        zyx_um=np.concatenate([tissue, tissue + np.array([0, 12.0, 16.0])]),
        score=np.ones(2 * n),
        movement_um=np.zeros((2 * n, 3)),
    )
    with caplog.at_level(logging.WARNING):
        graph = link_candidates(found, CandidatesParams(flow_neighbours=0))
    same = graph.edges[:, 1] - graph.edges[:, 0] == n
    assert same.sum() == n
    assert graph.distance_um[same].max() < 1e-6
    assert "frame 1 is shifted by [0.0, 12.0, 16.0] µm (z, y, x) against frame 0" in caplog.text
    plain = link_candidates(found, CandidatesParams(correct_drift=False, flow_neighbours=0))
    assert (plain.edges[:, 1] - plain.edges[:, 0] == n).sum() == 0


def test_a_jump_that_the_movement_vectors_know_is_not_counted_twice(tissue, caplog):
    n, jump = len(tissue), np.array([0, 12.0, 16.0])
    movement = np.concatenate([np.zeros((n, 3)), np.broadcast_to(-jump, (n, 3))])
    found = Detections(
        t=np.repeat([0, 1], n).astype(np.int32),
        zyx_um=np.concatenate([tissue, tissue + jump]),
        score=np.ones(2 * n),
        movement_um=movement,
    )
    graph = link_candidates(found, CandidatesParams(max_distance_um=2.0))
    assert np.array_equal(graph.edges[:, 1] - graph.edges[:, 0], np.full(n, n))
    assert caplog.text == ""


def test_frames_without_one_possible_link_are_refused_with_the_distances(detections):
    found = detections([[0, 0, 0]], [[0, 0, 1.0]], [[0, 0, 61.0], [0, 0, 91.0]])
    with pytest.raises(UnlinkableFrameError, match="frame 2: none of 2 cells lies within 15 µm of a cell") as raised:
        link_candidates(found, CandidatesParams(max_distance_um=15))
    assert str(raised.value) == (
        "frame 2: none of 2 cells lies within 15 µm of a cell in frame 1.\n"
        "  measured: nearest earlier cell at 60.0 µm, median 75.0 µm\n"
        "  cause:    positions in voxels instead of µm, or a stage jump between frames\n"
        "  fix:      check the movie's voxel size, or raise candidates.max_distance_um above 60"
    )


def test_frames_without_a_link_only_warn_where_that_is_allowed(detections, caplog):
    found = detections([[0, 0, 0]], [[0, 0, 61.0]])
    graph = link_candidates(found, CandidatesParams(allow_unlinkable=True))
    assert graph.n_edges == 0
    assert "frame 1: none of 1 cells" in caplog.text


def test_an_empty_frame_is_legal_and_named(detections, caplog):
    graph = link_candidates(detections([[0, 0, 0]], [], [[0, 0, 0]], [[0, 0, 1.0]]), PLAIN)
    assert graph.edges.tolist() == [[1, 2]]
    assert "no detection in 1 frames between the first and the last: 1." in caplog.text


def test_no_detections_make_an_empty_graph():
    graph = link_candidates(Detections.empty(), CandidatesParams())
    assert (graph.nodes.n, graph.n_edges) == (0, 0)


def test_progress_counts_frames(detections):
    events = []
    link_candidates(detections([[0, 0, 0]], [[0, 0, 1.0]]), PLAIN, progress=events.append)
    assert [(event.stage, event.done, event.total, event.unit) for event in events] == [
        ("candidates", 1, 2, "frames"),
        ("candidates", 2, 2, "frames"),
    ]


@settings(max_examples=15, deadline=None)
@given(scale=st.sampled_from([0.25, 2.0, 512.0]), seed=st.integers(0, 99))
def test_the_unit_of_length_does_not_matter(scale, seed):
    rng = np.random.default_rng(seed)
    t, zyx, movement = rng.integers(0, 3, 60), rng.uniform(0, 20, (60, 3)), rng.normal(0, 1, (60, 3))
    one = link_candidates(Detections.sorted(t, zyx, np.ones(60), movement), CandidatesParams(max_distance_um=6))
    other = link_candidates(
        Detections.sorted(t, zyx * scale, np.ones(60), movement * scale),
        CandidatesParams(
            max_distance_um=6 * scale,
            max_drift_um=40 * scale,
            flow_tolerance_um=1.5 * scale,
            doubt_cost_um=2.0 * scale,
        ),
    )
    assert np.array_equal(one.edges, other.edges)
    assert other.distance_um / scale == pytest.approx(one.distance_um)


def _real_cells(folder):
    """Cells of a real ascidian embryo, scaled to a spacing of about 9 µm, and the row of each one's parent."""
    table = np.genfromtxt(folder / "ascidian_astec" / "Pm07.csv", delimiter=",", names=True)
    zyx = np.stack([table[axis] for axis in "zyx"], axis=1) * 0.16
    known = np.abs(zyx).max(axis=1) > 0  # spots at exactly (0, 0, 0) are faults of the file
    row = {int(name): k for k, name in enumerate(table["id"][known])}
    parent = np.array([row.get(int(name), -1) for name in table["parent_id"][known]])
    t = table["t"][known].astype(np.int32)
    still = np.zeros((len(t), 3))
    return Detections(t=t, zyx_um=zyx[known], score=np.ones(len(t)), movement_um=still), parent


def _share_linked(graph, parent):
    """Share of true links that are offered."""
    n = graph.nodes.n
    child = np.flatnonzero(parent >= 0)
    return np.isin(parent[child] * n + child, graph.edges[:, 0] * n + graph.edges[:, 1]).mean()


def test_real_cells_are_linked_through_a_jump_of_the_stage(real_data):
    """The movement of a real embryo is taken for no drift; a jump of 20 µm, more than two cells, is found."""
    alone = CandidatesParams(flow_neighbours=0)
    cells, parent = _real_cells(real_data)
    plain = link_candidates(cells, replace(alone, correct_drift=False))
    assert _share_linked(plain, parent) > 0.99
    assert np.array_equal(link_candidates(cells, alone).edges, plain.edges)
    jumped = cells.zyx_um + np.where(cells.t >= 40, 1.0, 0.0)[:, None] * np.array([0.0, 12.0, 16.0])
    moved = Detections(t=cells.t, zyx_um=jumped, score=cells.score, movement_um=cells.movement_um)
    assert _share_linked(link_candidates(moved, alone), parent) > 0.99
    assert _share_linked(link_candidates(moved, CandidatesParams()), parent) > 0.995
    lost = _share_linked(link_candidates(moved, replace(alone, correct_drift=False)), parent)
    assert lost < _share_linked(plain, parent) - 0.005


def test_weak_detections_that_stand_still_do_not_outvote_the_cells_after_a_jump(tissue):
    """The cells jump by 14 µm, their vectors know it; five times as many weak detections stay where they are."""
    jump, rng = np.array([0.0, 14.0, 0.0]), np.random.default_rng(3)
    junk = rng.uniform(tissue.min(axis=0), tissue.max(axis=0), (5 * len(tissue), 3))
    t = np.repeat([0, 1], len(tissue) + len(junk))
    zyx = np.concatenate([tissue, junk, tissue + jump, junk])
    score = np.tile(np.repeat([0.7, 0.1], [len(tissue), len(junk)]), 2)
    found = Detections.sorted(t, zyx, score, np.where(t[:, None] == 1, -jump, 0.0))
    graph = link_candidates(found, CandidatesParams(flow_neighbours=0))
    cell = found.score[graph.edges] > 0.5
    own = np.abs(found.zyx_um[graph.edges[:, 1]] - jump - found.zyx_um[graph.edges[:, 0]]).max(axis=1) < 1e-6
    assert (own & cell.all(axis=1)).sum() == len(tissue)
    assert graph.distance_um[own & cell.all(axis=1)].max() < 1e-6
