"""The small quadratic program under the learner."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from morula.errors import SolveError
from morula.tune.planes import Penalty, find_lowest_point

small = st.floats(-5, 5, allow_nan=False, width=32)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 3), st.integers(0, 6), st.data())
def test_no_point_nearby_or_far_is_lower(k, p, data) -> None:
    slopes, offsets = (
        data.draw(arrays(np.float64, (p, k), elements=small)),
        data.draw(arrays(np.float64, p, elements=small)),
    )
    spread = data.draw(arrays(np.float64, k, elements=st.floats(0.1, 5)))
    penalty = Penalty(spread=spread, sides=np.eye(1, k), least=np.array([0.1]))
    point, loss, value = find_lowest_point(slopes, offsets, penalty)
    assert point[0] >= 0.1 - 1e-9
    assert loss == pytest.approx(max(0.0, *(slopes @ point + offsets), 0.0), abs=1e-9)
    assert value == pytest.approx(penalty.measure(point, loss))
    rng = np.random.default_rng(0)
    for reach in (1e-3, 0.1, 2.0):
        for other in point + reach * rng.normal(size=(20, k)):
            other[0] = max(other[0], 0.1)
            there = penalty.measure(other, max(0.0, *(slopes @ other + offsets), 0.0))
            assert there >= value - 1e-6 * max(1.0, abs(value))


def test_without_planes_the_origin_is_lowest() -> None:
    free = Penalty(spread=np.ones(2), sides=np.zeros((0, 2)), least=np.zeros(0))
    point, loss, value = find_lowest_point(np.zeros((0, 2)), np.zeros(0), free)
    np.testing.assert_allclose(point, 0.0, atol=1e-9)
    assert (loss, value) == (0.0, pytest.approx(0.0, abs=1e-9))


def test_sides_that_exclude_everything_are_refused() -> None:
    nowhere = Penalty(spread=np.ones(1), sides=np.array([[1.0], [-1.0]]), least=np.array([1.0, 1.0]))
    with pytest.raises(SolveError, match="no weights agree with the limits"):
        find_lowest_point(np.zeros((0, 1)), np.zeros(0), nowhere)
