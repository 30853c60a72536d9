"""Learned weights, or the given ones where annotations speak against what was learned."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from morula.evaluate.params import EvaluateParams
from morula.solve.params import SolveParams
from morula.tune import choose
from morula.tune.choose import tune_by_learning
from morula.tune.learn import LearnedWeights
from morula.tune.params import TuneParams
from morula.tune.weights import read_weights

NEAR = EvaluateParams(max_distance_um=3.0)
SHY = SolveParams(node_constant=15.0, start_cost=40.0)


def test_weights_that_were_learned_are_taken_and_all_that_was_tried_is_told(tissue) -> None:
    tuned = tune_by_learning(tissue.graph, tissue.annotated, TuneParams(), SHY, NEAR)
    (given, before), (learned, after), *probed = tuned.tried
    assert given == read_weights(SHY)
    assert after < before
    assert probed
    assert tuned.errors == min(count for _, count in [(learned, after), *probed])
    assert (read_weights(tuned.params), tuned.errors) in tuned.tried
    assert f"{tuned.errors} errors on them, the given weights make {before}" in tuned.reason


@pytest.mark.parametrize(
    ("changes", "why"),
    [({"enabled": False}, "switched off"), ({"fewest_links": 10_000}, r"\d+ validation links, 10000 are needed")],
)
def test_without_enough_to_learn_from_the_given_weights_are_used(tissue, changes, why) -> None:
    tuned = tune_by_learning(tissue.graph, tissue.annotated, TuneParams(**changes), SHY, NEAR)
    assert (tuned.params, tuned.errors, tuned.tried) == (SHY, -1, ())
    assert re.search(why, tuned.reason)


def test_without_probes_the_learned_weights_are_taken_as_they_are(tissue) -> None:
    tuned = tune_by_learning(tissue.graph, tissue.annotated, TuneParams(learn_probes=False), SHY, NEAR)
    assert len(tuned.tried) == 2
    assert tuned.tried[1] == (read_weights(tuned.params), tuned.errors)


def test_learned_weights_that_make_clearly_more_errors_are_not_taken(tissue, monkeypatch) -> None:
    def learn_badly(*_, **__):
        return LearnedWeights(SHY, 1, 1)

    monkeypatch.setattr(choose, "learn_weights", learn_badly)
    monkeypatch.setattr(choose, "scale_scores", lambda graph, annotations, given, **_: given)
    good = replace(SHY, node_constant=4.0, start_cost=12.0)
    tuned = tune_by_learning(tissue.graph, tissue.annotated, TuneParams(learn_probes=False), good, NEAR)
    assert tuned.params == good
    assert tuned.errors == tuned.tried[0][1] < tuned.tried[1][1]
    assert "the given weights are kept" in tuned.reason


@pytest.mark.parametrize(("errors", "learns"), [(9, False), (10, True)])
def test_from_a_handful_of_errors_nothing_is_learned(tissue, monkeypatch, errors, learns) -> None:
    asked = []

    def learn(*_, **__):
        asked.append(1)
        return LearnedWeights(SHY, 1, 1)

    monkeypatch.setattr(choose, "learn_weights", learn)
    monkeypatch.setattr(choose, "count_errors", lambda *_: errors)
    tuned = tune_by_learning(tissue.graph, tissue.annotated, TuneParams(learn_probes=False), SHY, NEAR)
    assert bool(asked) == learns
    assert (tuned.params, tuned.errors) == (SHY, errors)
    assert learns or f"{errors} errors on {len(tissue.annotated.edges)} validation links are too few" in tuned.reason


@pytest.mark.parametrize(("after", "is_taken"), [(3, True), (4, True), (5, False)])
def test_scores_count_as_this_network_asks_unless_that_makes_more_errors(tissue, monkeypatch, after, is_taken) -> None:
    given = SolveParams()
    scaled = replace(given, node_constant=3.0, node_score_weight=-30.0)
    monkeypatch.setattr(choose, "scale_scores", lambda *_, **__: scaled)
    monkeypatch.setattr(choose, "count_errors", lambda _, params, *__: after if params == scaled else 4)
    tuned = tune_by_learning(tissue.graph, tissue.annotated, TuneParams(), given, NEAR)
    assert tuned.tried == ((read_weights(given), 4), (read_weights(scaled), after))
    assert (tuned.params, tuned.errors) == ((scaled, after) if is_taken else (given, 4))
    assert ("scores counting 1.50 times as much" in tuned.reason) == is_taken


def test_learning_departs_from_the_scaled_weights(tissue, monkeypatch) -> None:
    departed = []
    scaled = replace(SHY, node_score_weight=-25.0)

    def learn(graph, annotations, given, **_):
        departed.append(given)
        return LearnedWeights(given, 1, 1)

    monkeypatch.setattr(choose, "scale_scores", lambda *_, **__: scaled)
    monkeypatch.setattr(choose, "learn_weights", learn)
    monkeypatch.setattr(choose, "count_errors", lambda *_: 20)
    tuned = tune_by_learning(tissue.graph, tissue.annotated, TuneParams(learn_probes=False), SHY, NEAR)
    assert departed == [scaled]
    assert tuned.params == scaled
