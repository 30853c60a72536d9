"""How much scores count is read off those of annotated cells."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from morula.solve.params import SolveParams
from morula.tune.features import NAMES
from morula.tune.scores import calibrate_scores, find_low_score, scale_scores

GIVEN = np.array([getattr(SolveParams(node_constant=4.0, division_cost=9.0), name) for name in NAMES])
USUAL = SolveParams(node_constant=2.0, node_score_weight=-20.0)


def score_cells(tissue, score):
    """The tissue of a network that gives all cells this score."""
    nodes = replace(tissue.graph.nodes, score=np.where(tissue.is_cell, score, 0.05))
    return replace(tissue.graph, nodes=nodes)


@pytest.mark.parametrize(
    ("scores", "weight"), [([0.5] * 19 + [0.1], -20.0), ([0.1] * 5 + [0.5] * 5, -40.0), ([], -20.0), ([0.0] * 3, -20.0)]
)
def test_scores_are_read_so_that_nearly_all_annotated_cells_pay(scores, weight) -> None:
    calibrated = calibrate_scores(GIVEN, np.array(scores))
    assert calibrated[1] == pytest.approx(weight)
    np.testing.assert_array_equal(np.delete(calibrated, 1), np.delete(GIVEN, 1))


def test_nine_in_ten_reach_the_low_score() -> None:
    assert find_low_score(np.linspace(0.0, 1.0, 11)[::-1]) == pytest.approx(0.1)
    assert find_low_score(np.zeros(0)) is None


@pytest.mark.parametrize("score", [0.3, 0.4, 0.5])
def test_cells_that_score_low_pay_as_much_whatever_the_network(tissue, score) -> None:
    scaled = scale_scores(score_cells(tissue, score), tissue.annotated, USUAL, max_distance_um=3.0)
    assert scaled.node_constant + scaled.node_score_weight * score == pytest.approx(-8.0)
    assert scaled.node_constant + scaled.node_score_weight * 0.1 == pytest.approx(0.0), "the break-even stays"
    assert replace(scaled, node_constant=2.0, node_score_weight=-20.0) == USUAL


@pytest.mark.parametrize("score", [0.05, 0.15])
def test_no_score_is_made_to_count_far_more_than_usual(tissue, score) -> None:
    scaled = scale_scores(score_cells(tissue, score), tissue.annotated, USUAL, max_distance_um=3.0)
    assert scaled.node_score_weight == pytest.approx(-40.0)


@pytest.mark.parametrize("score", [0.5, 0.8, 1.0])
def test_a_network_as_sure_as_usual_is_read_as_given(tissue, score) -> None:
    assert scale_scores(score_cells(tissue, score), tissue.annotated, USUAL, max_distance_um=3.0) == USUAL


@pytest.mark.parametrize(
    "given",
    [
        replace(USUAL, node_score_weight=0.0),
        replace(USUAL, node_score_weight=20.0),
        replace(USUAL, node_constant=12.0),
        replace(USUAL, node_constant=-1.0),
    ],
)
def test_weights_that_do_not_read_scores_as_usual_stay(tissue, given) -> None:
    assert scale_scores(score_cells(tissue, 0.3), tissue.annotated, given, max_distance_um=3.0) == given


def test_where_no_annotated_cell_is_found_nothing_is_scaled(tissue) -> None:
    away = replace(tissue.annotated, zyx_um=tissue.annotated.zyx_um + 1000.0)
    assert scale_scores(tissue.graph, away, USUAL, max_distance_um=3.0) == USUAL
