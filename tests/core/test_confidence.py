from __future__ import annotations

import pickle

import numpy as np
import pytest

from morula.core.confidence import Confidence, Margins


@pytest.fixture
def margins() -> Margins:
    return Margins(node=np.array([9.0, 8.0, 7.0, 0.5]), edge=np.array([3.0, 4.0, 5.0]), lower_bound=-5.0)


def test_the_past_of_a_linked_cell_is_its_link_and_that_of_a_first_one_its_nearest_other(margins: Margins) -> None:
    """1 begins a track although 0 is offered; 2 is linked to 1; 3 is left.

    t0      t1      t2
     0 ---x-- 1 ---- 2
      `--x--- 3
    """
    edges = np.array([[0, 1], [0, 3], [1, 2]])
    past = margins.of_pasts(edges, np.array([True, True, True, False]), np.array([False, False, True]))
    assert past.tolist() == [9.0, 3.0, 5.0, 0.5]


def test_a_negative_margin_is_refused() -> None:
    with pytest.raises(ValueError, match="edge margins: expected one number from 0 upwards"):
        Margins(node=np.zeros(1), edge=np.array([-1.0]), lower_bound=0.0)


@pytest.mark.parametrize("wrong", [0.0, 1.5, -0.1])
def test_a_probability_outside_0_to_1_is_refused(margins: Margins, wrong: float) -> None:
    with pytest.raises(ValueError, match="past_right: a probability lies outside 0 to 1"):
        Confidence(margins, np.zeros(4), np.array([0.5, 1.0, np.nan, wrong]), "nothing")


def test_columns_of_another_length_are_refused(margins: Margins) -> None:
    with pytest.raises(ValueError, match=r"past_margin has shape \(3,\), expected \(4,\)"):
        Confidence(margins, np.zeros(3), np.full(4, 0.5), "nothing")


def test_columns_are_read_only_also_after_unpickling(margins: Margins) -> None:
    confidence = pickle.loads(pickle.dumps(Confidence(margins, np.zeros(4), np.full(4, 0.5), "nothing")))
    with pytest.raises(ValueError, match="read-only"):
        confidence.past_right[0] = 1.0
    with pytest.raises(ValueError, match="read-only"):
        confidence.margins.edge[0] = 1.0
