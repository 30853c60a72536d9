"""Places to check first: the most doubtful pasts, most doubtful first, in words."""

from __future__ import annotations

import numpy as np
import pytest

from morula.core.detections import Detections
from morula.core.lineages import Lineages
from morula.view.checks import count_doubts, list_checks
from morula.view.report_data import Sureness


@pytest.fixture
def lineages() -> Lineages:
    """A cell that divides, and one that comes from nowhere.

    t0    t1    t2
     0 --- 1 --- 3
            `--- 4
           2 --- 5
    """
    t, x = np.array([0, 1, 1, 2, 2, 2]), np.array([0.0, 2, 20, 5, -1, 21])
    nodes = Detections(t, np.stack([np.zeros(6), np.zeros(6), x], axis=1), np.full(6, 0.9), np.zeros((6, 3)))
    return Lineages.from_parents(nodes, np.array([-1, 0, -1, 1, 1, 2]))


@pytest.fixture
def sureness() -> Sureness:
    right = np.array([1.0, 0.9, 0.2, 0.6, 0.7, 0.9])
    return Sureness(right, np.array([9.0, 2, 1, 1, 1, 3]), "usual values")


def test_the_most_doubtful_comes_first_and_equal_ones_by_margin(lineages: Lineages, sureness: Sureness) -> None:
    checks = list_checks(lineages, sureness).checks
    assert [check.right for check in checks] == [0.2, 0.6, 0.7, 0.9, 0.9]
    assert [check.margin for check in checks[-2:]] == [2.0, 3.0]
    assert checks[0].zyx_um == (0.0, 0.0, 20.0)


def test_every_kind_of_past_has_words(lineages: Lineages, sureness: Sureness) -> None:
    words = [check.decided for check in list_checks(lineages, sureness).checks]
    assert words == [
        "a track begins here",
        "daughter of a division, 3.0 µm from her mother",
        "daughter of a division, 3.0 µm from her mother",
        "same cell as 2.0 µm away in frame 0",
        "same cell as 1.0 µm away in frame 1",
    ]


def test_the_list_says_how_many_are_probably_wrong_and_leaves_out_what_is_certain(
    lineages: Lineages, sureness: Sureness
) -> None:
    few = list_checks(lineages, sureness, max_checks=2)
    assert (len(few.checks), few.n_decided) == (2, 5)
    assert few.n_wrong == pytest.approx(0.1 + 0.8 + 0.4 + 0.3 + 0.1)
    certain = Sureness(np.ones(6), np.ones(6), "usual values")
    assert list_checks(lineages, certain).checks == []


def test_doubts_are_counted_frame_by_frame(lineages: Lineages, sureness: Sureness) -> None:
    assert count_doubts(lineages, sureness, 4).tolist() == pytest.approx([0.0, 0.9, 0.8, 0.0])
