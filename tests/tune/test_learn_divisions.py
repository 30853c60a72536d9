"""What the weight of division scores becomes when few divisions are annotated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from morula.core.lineages import Lineages
from morula.evaluate.evaluate import evaluate_tracks
from morula.evaluate.params import EvaluateParams
from morula.matching.points import match_points
from morula.solve.graph import solve_graph
from morula.solve.params import SolveParams
from morula.tune.learn import learn_weights

DENSE = EvaluateParams(max_distance_um=3.0, dense=True)
CLEAR, USELESS = ((5.0, 1.5), (1.0, 10.0)), ((1.0, 3.0), (1.0, 3.0))
GIVEN = SolveParams()


def with_scores(known, kind, seed=0):
    """The same tissue, its detections scored by the truth: beta distributions of cells that divide, and of others."""
    nodes, truth = known.graph.nodes, known.truth
    rng, mother = np.random.default_rng(seed), truth.n_children == 2
    point, row, _ = match_points(truth.zyx_um, truth.t, nodes.zyx_um, nodes.t, 3.0)
    columns = {}
    for name, labels in {"divides": mother, "born": np.append(mother, False)[truth.parent_row]}.items():
        yes = np.zeros(nodes.n, bool)
        yes[row] = labels[point]
        columns[name] = np.where(yes, rng.beta(*kind[0], nodes.n), rng.beta(*kind[1], nodes.n))
    return replace(known, graph=replace(known.graph, nodes=replace(nodes, **columns)))


def with_few_divisions(known, most):
    """The same tissue with the first annotated lineages that hold so many divisions, and all that hold none."""
    lineage = known.truth.lineage_id()
    divisions = np.bincount(lineage, known.truth.n_children == 2)
    dividing = np.flatnonzero(divisions)
    held = dividing[np.cumsum(divisions[dividing]) <= most]
    quiet = np.flatnonzero(divisions == 0)[:15]
    return replace(known, annotated=known.truth.rows(np.isin(lineage, [*held, *quiet])))


def learn(known, given=GIVEN):
    return learn_weights(known.graph, known.annotated, given, max_distance_um=3.0).params


def judge(known, params):
    tracks = Lineages.from_selection(known.graph, solve_graph(known.graph, params)).tracks
    evaluation = evaluate_tracks(tracks, known.truth, DENSE)
    return evaluation.divisions.f1, evaluation.edge_errors.sum_of_errors


def test_the_weight_of_scores_that_nobody_has_stays_as_it_is(tissue) -> None:
    assert learn(tissue).division_score_weight == GIVEN.division_score_weight


def test_clear_scores_find_the_divisions_that_nobody_annotated(tissue) -> None:
    few = with_few_divisions(with_scores(tissue, CLEAR), 4)
    assert 3 <= (few.annotated.n_children == 2).sum() <= 4
    without = replace(GIVEN, division_score_weight=0.0)
    (given_f1, given_errors), (f1, errors) = judge(few, without), judge(few, learn(few))
    assert f1 > given_f1 + 0.05
    assert errors < given_errors


@pytest.mark.parametrize("most", [0, 1, 3])
@pytest.mark.parametrize("kind", [CLEAR, USELESS], ids=["clear scores", "scores of no use"])
def test_a_few_annotated_divisions_do_not_carry_the_weight_away(tissue, kind, most) -> None:
    few = with_few_divisions(with_scores(tissue, kind), most)
    learned = learn(few)
    assert 2 * GIVEN.division_score_weight < learned.division_score_weight <= 0.0
    most_spoilt = 1.1 if kind is USELESS else 1.0  # design/0026 says what scores of no use cost, and why
    assert judge(few, learned)[1] <= judge(few, replace(learned, division_score_weight=0.0))[1] * most_spoilt


def test_scores_of_no_use_are_believed_less_than_clear_ones(tissue) -> None:
    clear, useless = (learn(with_scores(tissue, kind)) for kind in (CLEAR, USELESS))
    assert useless.division_score_weight > clear.division_score_weight


def test_a_weight_of_zero_is_free_to_become_negative(tissue) -> None:
    scored = with_few_divisions(with_scores(tissue, CLEAR), 6)
    assert learn(scored, replace(GIVEN, division_score_weight=0.0)).division_score_weight < 0
