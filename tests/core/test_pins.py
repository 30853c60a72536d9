from __future__ import annotations

import pickle

import numpy as np
import pytest

from morula.core.pins import Pins, PlacedPins
from morula.errors import GraphError


def test_nothing_is_pinned_by_none():
    assert not Pins.none(3, 2).any
    assert Pins(node=np.array([0, 0]), edge=np.array([-1])).any
    assert Pins(node=np.array([1, 0]), edge=np.zeros(0)).any


@pytest.mark.parametrize(
    ("node", "edge", "said"),
    [
        ([0, 2], [0], "node pins: row 1 has the value 2"),
        ([0, 0], [-3], "link pins: row 0 has the value -3"),
        ([0.5, 0], [0], "node pins holds 1 values that are not whole numbers"),
        ([np.nan, 0], [0], "node pins holds 1 values that are not whole numbers"),
        ([0, 0], [300], "link pins holds 1 values that are not whole numbers, or too large"),
    ],
)
def test_values_that_are_no_pins_are_refused(node, edge, said):
    with pytest.raises(GraphError, match=said):
        Pins(node=np.array(node), edge=np.array(edge))


def test_pins_cannot_be_changed_even_after_travelling_between_processes():
    pins = pickle.loads(pickle.dumps(Pins(node=np.array([1, 0]), edge=np.zeros(0))))
    with pytest.raises(ValueError, match="read-only"):
        pins.node[0] = 0


def test_a_placed_pin_says_where_it_stands():
    nothing = np.zeros((1, 3))
    placed = PlacedPins("pins.csv", np.array([7]), np.array([1]), np.array([0]), nothing, np.array([-1]), nothing)
    assert (placed.n, placed.place(0)) == (1, "pins.csv, line 7")
