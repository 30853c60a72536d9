"""The room around the given weights."""

from __future__ import annotations

import numpy as np
import pytest

from morula.solve.params import SolveParams
from morula.tune.features import NAMES
from morula.tune.prior import Prior

GIVEN = np.array([getattr(SolveParams(node_constant=4.0, division_cost=9.0), name) for name in NAMES])


DIVISION_SCORE = NAMES.index("division_score_weight")


def prior_of(given=GIVEN, silent=()):
    return Prior.around(given, spread=0.3, silent=silent)


@pytest.mark.parametrize("given", [GIVEN, 7.0 * GIVEN, np.where(np.arange(8) == 3, 0.0, GIVEN), -GIVEN])
def test_it_begins_at_the_given_weights(given) -> None:
    prior = prior_of(given)
    np.testing.assert_allclose(prior.normalise(prior.begin(), given), given, rtol=1e-9)


def test_the_scale_changes_no_weight() -> None:
    prior = prior_of()
    point = prior.begin() * 3.0
    np.testing.assert_allclose(prior.normalise(point, GIVEN), GIVEN)


def test_more_weight_on_the_score_leaves_the_break_even_where_it_is() -> None:
    point = prior_of().begin()
    point[1] = 1.0
    weights = prior_of().normalise(point, GIVEN)
    assert weights[1] != GIVEN[1]
    assert weights[0] / weights[1] == pytest.approx(GIVEN[0] / GIVEN[1], rel=1e-3)


def test_the_weight_of_the_distance_is_never_touched() -> None:
    point = prior_of().begin() + np.arange(8) / 3
    assert prior_of().normalise(point, GIVEN)[2] == GIVEN[2]


def test_the_cost_of_a_skip_stays_where_no_link_skips() -> None:
    prior = prior_of(silent=["skip_cost"])
    point = prior.begin() + 0.5
    weights = prior.normalise(point, GIVEN)
    assert weights[7] == GIVEN[7]
    assert (weights[[0, 1, 3, 4, 5, 6]] != GIVEN[[0, 1, 3, 4, 5, 6]]).all()


def test_the_weight_of_division_scores_stays_where_nobody_has_any() -> None:
    prior = prior_of(silent=["division_score_weight", "skip_cost"])
    weights = prior.normalise(prior.begin() + 0.5, GIVEN)
    assert weights[DIVISION_SCORE] == GIVEN[DIVISION_SCORE] < 0
    assert weights[NAMES.index("division_cost")] != GIVEN[NAMES.index("division_cost")]


@pytest.mark.parametrize("weight", [-2.0, 0.0])
def test_division_scores_are_never_learned_to_speak_against_divisions(weight) -> None:
    given = GIVEN.copy()
    given[DIVISION_SCORE] = weight
    prior = prior_of(given)
    penalty = prior.penalise(1.0)
    for change, allowed in ((-1.0, True), (1.0, False)):
        other = given.copy()
        other[DIVISION_SCORE] = change
        point, *_ = np.linalg.lstsq(prior.axes, other, rcond=None)
        assert (penalty.sides @ point >= penalty.least - 1e-9).all() == allowed


def test_the_sides_hold_signs_and_the_break_even() -> None:
    prior = prior_of()
    penalty = prior.penalise(1.0)

    def is_inside(weights):
        point, *_ = np.linalg.lstsq(prior.axes, weights, rcond=None)
        return bool((penalty.sides @ point >= penalty.least - 1e-9).all())

    assert is_inside(GIVEN)
    other_signs = {"node_score_weight": 1.0, "start_cost": -1.0, "division_cost": -1.0, "end_cost": -0.5}
    for name, value in other_signs.items():
        assert not is_inside(np.where(np.array(NAMES) == name, value, GIVEN)), name
    assert is_inside(np.append(2.1, GIVEN[1:])), "half the break-even is the limit"
    assert not is_inside(np.append(1.9, GIVEN[1:]))
