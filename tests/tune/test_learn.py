"""Weights learned from sparse annotations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from morula.core.detections import Detections
from morula.core.graph import CandidateGraph
from morula.core.lineages import Lineages
from morula.core.progress import Progress
from morula.core.tracks import Tracks
from morula.evaluate.evaluate import evaluate_tracks
from morula.evaluate.params import EvaluateParams
from morula.solve.graph import solve_graph
from morula.solve.params import SolveParams
from morula.tune.learn import learn_weights
from morula.tune.weights import read_weights

DENSE = EvaluateParams(max_distance_um=3.0, dense=True)
BAD = {
    "nothing is worth a start": SolveParams(start_cost=60.0, division_cost=60.0),
    "everything divides": SolveParams(start_cost=30.0, division_cost=0.0),
    "scores count for little": SolveParams(node_constant=1.0, node_score_weight=-4.0),
}


GIVEN = SolveParams(node_constant=4.0, division_cost=9.0)
"""Weights that suit the tissue."""


def learn(known, given, **changes):
    return learn_weights(known.graph, known.annotated, given, **({"max_distance_um": 3.0} | changes)).params


def judge(known, params):
    """Errors on the dense truth, wrong links, and share of chosen nodes that are cells."""
    selection = solve_graph(known.graph, params)
    errors = evaluate_tracks(Lineages.from_selection(known.graph, selection).tracks, known.truth, DENSE).edge_errors
    return errors.sum_of_errors, errors.fp_edges, known.is_cell[selection.node_selected].mean()


@pytest.fixture(scope="module")
def learned(tissue) -> SolveParams:
    return learn(tissue, GIVEN)


@pytest.mark.parametrize("given", BAD.values(), ids=BAD)
def test_bad_weights_are_mended_also_where_nobody_annotated(tissue, given) -> None:
    before, after = judge(tissue, given), judge(tissue, learn(tissue, given))
    assert after[0] + after[1] < 0.9 * (before[0] + before[1])


def test_learning_does_not_drift_to_taking_every_detection(tissue, learned) -> None:
    """Annotations never say that a detection is no cell, so only the prior keeps false ones out."""
    assert judge(tissue, learned)[2] > max(0.95, judge(tissue, GIVEN)[2] - 0.01)
    break_even = -learned.node_constant / learned.node_score_weight
    assert 0.1 <= break_even <= 0.3


def test_scores_of_a_shy_network_are_learned_to_be_read(tissue) -> None:
    """All scores a fifth of what they were: with the given weights no detection pays."""
    nodes = tissue.graph.nodes
    shy = Detections(t=nodes.t, zyx_um=nodes.zyx_um, score=nodes.score / 5, movement_um=nodes.movement_um)
    known = replace(
        tissue, graph=CandidateGraph(nodes=shy, edges=tissue.graph.edges, distance_um=tissue.graph.distance_um)
    )
    assert not solve_graph(known.graph, GIVEN).node_selected.any()
    errors, _, precision = judge(known, learn(known, GIVEN))
    assert errors < 2 * judge(tissue, GIVEN)[0]
    assert precision > 0.95


def test_the_same_annotations_teach_the_same_weights(tissue, learned) -> None:
    assert learn(tissue, GIVEN) == learned


def test_given_weights_in_another_unit_teach_the_same_ratios(tissue, learned) -> None:
    one = GIVEN
    eight = replace(one, edge_distance_weight=8.0, **{name: 8 * value for name, value in read_weights(one).items()})
    large = learn(tissue, eight)
    assert large.edge_distance_weight == 8.0
    for name, value in read_weights(learned).items():
        assert read_weights(large)[name] == pytest.approx(8 * value, rel=2e-3, abs=1e-6), name


def test_little_room_means_little_change(tissue, learned) -> None:
    held = learn(tissue, GIVEN, spread=0.01)
    assert abs(held.start_cost - 12.0) < 0.2 * abs(learned.start_cost - 12.0)


def test_nothing_but_weights_is_changed(tissue) -> None:
    given = SolveParams(edge_distance_weight=0.7, skip_cost=3.3, min_track_frames=2)
    learned = learn(tissue, given)
    assert learned == replace(given, **read_weights(learned))
    assert learned.skip_cost == 3.3, "no link of this graph skips a frame"
    assert learned.start_cost != given.start_cost


def test_annotations_without_detections_teach_nothing(tissue) -> None:
    far = Tracks.from_ids([0, 1], [[500.0, 0, 0], [500.0, 0, 0]], [1, 2], [-1, 1])
    learned = learn_weights(tissue.graph, far, GIVEN, max_distance_um=3.0)
    assert (learned.params, learned.labels, learned.solutions) == (GIVEN, 0, 0)


def test_every_solution_is_heard_of(tissue) -> None:
    heard: list[Progress] = []
    learned = learn_weights(tissue.graph, tissue.annotated, GIVEN, max_distance_um=3.0, progress=heard.append)
    assert [event.done for event in heard] == list(range(1, learned.solutions + 1))
    assert heard[-1].stage == "tune"
    assert learned.solutions <= heard[-1].total


def test_skips_are_priced_from_annotated_ones() -> None:
    """Ten tracks, each missed once: with the given weights a new track (4) is cheaper than a skip (9 + 1).

    x 0:  o---o   .   o---o
    """
    t, x = (np.ravel(part) for part in np.meshgrid([0, 1, 3, 4], np.arange(10) * 20.0, indexing="ij"))
    zyx = np.stack([0 * x, 0 * x, x], axis=1)
    nodes = Detections(t=t, zyx_um=zyx, score=0 * x + 0.8, movement_um=0 * zyx)
    edges = np.stack([np.arange(30), np.arange(10, 40)], axis=1)
    graph = CandidateGraph(nodes=nodes, edges=edges, distance_um=np.ones(30))
    t, x = (np.ravel(part) for part in np.meshgrid(np.arange(5), np.arange(10) * 20.0, indexing="ij"))
    zyx = np.stack([0 * x, 0 * x, x], axis=1)
    rows = np.arange(50)
    annotated = Tracks(t=t, zyx_um=zyx, id=rows, parent_row=np.where(t > 0, rows - 10, -1))
    given = SolveParams(start_cost=4.0, skip_cost=9.0)
    assert not solve_graph(graph, given).edge_selected.all()
    learned = learn_weights(graph, annotated, given, max_distance_um=3.0).params
    assert learned.skip_cost < 9.0
    assert solve_graph(graph, learned).edge_selected.all()


def test_motile_learns_weights_that_choose_the_same_links() -> None:
    """Both must tell two cells that cross from two that bounce: see `motile.Solver.fit_weights`.

    x 0:  a --- c --- e         every node has two candidate parents, the right one nearer
            \\ /   \\ /
            / \\   / \\
    x 5:  b --- d --- f         and a false detection g in frame 1
    """
    motile = pytest.importorskip("motile", reason="motile is in the extra for benchmarks")
    pytest.importorskip("motile.constraints")
    pytest.importorskip("structsvm")
    t = [0, 0, 1, 1, 1, 2, 2]
    x = [0.0, 5.0, 0.0, 5.0, 9.0, 0.0, 5.0]
    score = [0.9, 0.8, 0.7, 0.9, 0.15, 0.8, 0.9]
    edges = [(0, 2), (0, 3), (1, 2), (1, 3), (1, 4), (2, 5), (2, 6), (3, 5), (3, 6), (4, 6)]
    near = {(0, 2), (1, 3), (2, 5), (3, 6)}
    distance = [1.0 if edge in near else 5.0 for edge in edges]
    theirs = _fit_with_motile(motile, t, x, score, edges, distance, near)
    zyx = np.stack([np.zeros(7), np.zeros(7), np.array(x)], axis=1)
    nodes = Detections(t=np.array(t), zyx_um=zyx, score=np.array(score), movement_um=0 * zyx)
    graph = CandidateGraph(nodes=nodes, edges=np.array(edges), distance_um=np.array(distance))
    rows = [0, 1, 2, 3, 5, 6]
    annotated = Tracks.from_ids([t[row] for row in rows], zyx[rows].tolist(), rows, [-1, -1, 0, 1, 2, 3])
    poor = SolveParams(node_constant=4.0, node_score_weight=-2.0, start_cost=8.0, division_cost=3.0)
    assert not solve_graph(graph, poor).edge_selected.any()
    ours = solve_graph(graph, learn_weights(graph, annotated, poor, max_distance_um=2.0, spread=1.0).params)
    assert {edges[row] for row in np.flatnonzero(ours.edge_selected)} == theirs == near


def _fit_with_motile(motile, t, x, score, edges, distance, near):
    """Fit motile's weights to the same graph and return the links it then selects."""
    graph = motile.TrackGraph(frame_attribute="t")
    for row, frame in enumerate(t):
        graph.add_node(row, {"t": frame, "x": x[row], "score": score[row], "gt": row != 4})
    for edge, length in zip(edges, distance, strict=True):
        graph.add_edge(edge, {"distance": length, "gt": edge in near})
    solver = motile.Solver(graph)
    solver.add_cost(motile.costs.NodeSelectedCost(weight=-1.0, attribute="score"))
    solver.add_cost(motile.costs.EdgeSelectedCost(weight=1.0, attribute="distance"))
    solver.add_cost(motile.costs.NodeAppearCost(constant=1.0))
    solver.add_constraint(motile.constraints.MaxParents(1))
    solver.add_constraint(motile.constraints.MaxChildren(2))
    solver.fit_weights(gt_attribute="gt", regularizer_weight=0.1, max_iterations=60, eps=1e-3)
    solver.solve()
    return set(solver.get_selected_subgraph().edges)
