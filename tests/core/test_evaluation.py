import json
import math
import pickle

import numpy as np
import pytest

from morula.core.evaluation import (
    DivisionScore,
    EdgeErrors,
    EdgeJaccard,
    ErrorFreeCurve,
    Evaluation,
    NodeMeasures,
)
from morula.core.lineage_errors import LineageErrors

NO_PLACES = LineageErrors(kind=[], t=np.zeros(0), zyx_um=[], truth_id=[], reconstruction_id=[])


def an_evaluation(*, dense: bool = False, divisions: tuple[int, int, int] = (0, 0, 0)) -> Evaluation:
    return Evaluation(
        threshold_um=5.0,
        dense=dense,
        n_truth_points=11,
        n_truth_edges=10,
        n_reconstructed_points=20,
        n_reconstructed_edges=15,
        edge_errors=EdgeErrors(
            matched_edges=8,
            fn_edges=2,
            identity_switches=1,
            fp_divisions=3,
            one_unconnected_child=1,
            no_connection=2,
            unconnected_parents=4,
            fp_edges=7 if dense else None,
            unmatched_near_truth=1,
        ),
        error_free=ErrorFreeCurve(window_frames=[1, 2], fraction=[0.5, math.nan], n_segments=[10, 0]),
        nodes=NodeMeasures(
            matched_points=0,
            node_recall=0.0,
            node_precision=0.5 if dense else None,
            localisation_median_um=math.nan,
            localisation_p95_um=math.nan,
        ),
        divisions=DivisionScore(tolerance_frames=1, tp=divisions[0], fp=divisions[1], fn=divisions[2]),
        edge_jaccard=EdgeJaccard(distance_um=7.0, tp=6, fp=2, fn=4, n_reconstructed=22, n_true=11),
        errors=NO_PLACES,
    )


def test_the_sum_of_errors_leaves_out_what_stands_beside_it():
    evaluation = an_evaluation(dense=True)
    assert evaluation.sum_of_errors == 2 + 1 + 3 + (1 + 2)
    assert evaluation.errors_per_edge == 0.9
    assert evaluation.fn_edges_per_edge == 0.2


def test_ratios_without_anything_to_divide_by_are_nan():
    nothing = DivisionScore(tolerance_frames=1, tp=0, fp=0, fn=0)
    assert all(math.isnan(x) for x in (nothing.precision, nothing.recall, nothing.f1, nothing.jaccard))
    assert math.isnan(EdgeJaccard(distance_um=7, tp=0, fp=0, fn=0, n_reconstructed=0, n_true=1).jaccard)


def test_division_ratios_are_those_of_the_counts():
    score = DivisionScore(tolerance_frames=1, tp=3, fp=1, fn=2)
    assert (score.precision, score.recall, score.f1, score.jaccard) == (3 / 4, 3 / 5, 6 / 9, 3 / 6)


@pytest.mark.parametrize(("n_reconstructed", "adjusted"), [(11, 0.5), (22, 0.45), (132, 0.0), (0, 0.55)])
def test_the_adjusted_jaccard_falls_by_a_tenth_for_every_true_number_of_points_too_many(n_reconstructed, adjusted):
    measured = EdgeJaccard(distance_um=7, tp=6, fp=2, fn=4, n_reconstructed=n_reconstructed, n_true=11)
    assert measured.adjusted == pytest.approx(adjusted)


def test_the_score_adds_a_tenth_of_the_division_jaccard_where_there_are_divisions():
    assert an_evaluation().score == pytest.approx(0.45)
    assert an_evaluation(divisions=(1, 1, 2)).score == pytest.approx(0.45 + 0.1 * 0.25)


@pytest.mark.parametrize("dense", [False, True])
def test_all_figures_survive_strict_json(dense):
    figures = an_evaluation(dense=dense).to_dict()
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures
    assert figures["node_precision"] == (0.5 if dense else None)
    assert figures["fp_edges"] == (7 if dense else None)
    assert figures["localisation_median_um"] is None
    assert figures["error_free_fraction"] == [0.5, None]
    assert figures["division_f1"] is None
    assert figures["fn_divisions"] == 3


def test_a_pickled_evaluation_is_the_same_and_its_columns_stay_read_only():
    again = pickle.loads(pickle.dumps(an_evaluation()))
    assert again.to_dict() == an_evaluation().to_dict()
    with pytest.raises(ValueError, match="read-only"):
        again.error_free.fraction[0] = 1
