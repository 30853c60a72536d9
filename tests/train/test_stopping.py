from __future__ import annotations

from dataclasses import replace
from math import inf, nan

import pytest
import torch
from torch import nn

from morula.train.checkpoint import TrainingLog, TrainingState
from morula.train.params import TrainParams
from morula.train.stopping import note_validation, restore_best, score_validation
from morula.train.validate import ValidationResult

PARAMS = TrainParams(patience=2, mask_radius_um=2.0)


@pytest.fixture
def state() -> TrainingState:
    network, average = nn.Linear(1, 1), nn.Linear(1, 1)
    return TrainingState(network, average, torch.optim.AdamW(network.parameters()), 0, TrainingLog())


def _validate(state: TrainingState, weight: float, recall: float, error: float = 0.0, params=PARAMS) -> bool:
    """One validation, ten steps later, of an average with this weight."""
    state.iteration += 10
    with torch.no_grad():
        state.average.weight.fill_(weight)
    state.log.add(val_iteration=state.iteration, val_recall=recall, val_movement_um=error)
    return note_validation(state, ValidationResult(recall, error, 1.0), params)


def test_the_score_is_the_share_found_less_the_error_in_mask_radii() -> None:
    assert score_validation(ValidationResult(0.9, 0.5, 1.0), PARAMS) == pytest.approx(0.65)
    assert score_validation(ValidationResult(0.9, nan, nan), PARAMS) == 0.9


def test_training_ends_when_the_patience_does_and_the_best_weights_come_out(state) -> None:
    stops = [_validate(state, i, recall) for i, recall in enumerate([0.5, 0.8, 0.7, 0.9, 0.9, 0.2])]
    assert stops == [False, False, False, False, False, True]  # 0.9 again is not better
    restore_best(state)
    assert state.average.weight.item() == 3
    assert state.log.columns["val_recall"] == [0.5, 0.8, 0.7, 0.9, 0.9, 0.2, 0.9]  # the last is of what comes out
    assert state.log.columns["val_iteration"][-2:] == [60, 60]


def test_vectors_count_too(state) -> None:
    assert not _validate(state, 1, 0.9, 0.2)
    assert not _validate(state, 2, 0.9, 1.0)
    assert _validate(state, 3, 0.95, 1.0)
    restore_best(state)
    assert state.average.weight.item() == 1


def test_the_last_weights_stay_where_they_are_the_best(state) -> None:
    for i, recall in enumerate([0.5, 0.8]):
        _validate(state, i, recall)
    restore_best(state)
    assert state.average.weight.item() == 1
    assert len(state.log.columns["val_recall"]) == 2


def test_without_patience_nothing_is_kept_and_nothing_stops(state) -> None:
    assert not any(_validate(state, i, 0.9 - i / 10, params=replace(PARAMS, patience=0)) for i in range(5))
    restore_best(state)
    assert state.average.weight.item() == 4
    assert state.best.score == -inf


def test_a_validation_that_saw_nothing_is_not_counted(state) -> None:
    assert not any(_validate(state, i, nan) for i in range(5))
    assert not state.best.weights
