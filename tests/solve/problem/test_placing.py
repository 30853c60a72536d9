"""Pins at places become pins of the nearest detections and the links between them."""

from __future__ import annotations

import numpy as np
import pytest

from morula.core.pins import FREE, IN, OUT, Pins, PlacedPins
from morula.errors import AnnotationError
from morula.solve.problem.placing import place_pins

NODE = -1


def _placed(*pins):
    """Pins at x (µm) on a line: (pin, t, x) for a cell, (pin, t, x, parent_t, parent_x) for a link; lines from 2."""
    rows = [pin if len(pin) == 5 else (*pin, NODE, 0.0) for pin in pins]
    pin, t, x, parent_t, parent_x = (np.array(column, float) for column in zip(*rows, strict=True))
    zero = np.zeros(len(rows))
    return PlacedPins(
        file="pins.csv",
        line=np.arange(2, 2 + len(rows)),
        pin=pin,
        t=t,
        zyx_um=np.stack([zero, zero, x], axis=1),
        parent_t=parent_t,
        parent_zyx_um=np.stack([zero, zero, parent_x], axis=1),
    )


def test_a_cell_is_the_nearest_detection_of_its_frame(crossing):
    pins = place_pins(crossing, _placed((IN, 0, 1.4), (OUT, 1, 4.9)), max_distance_um=2)
    assert pins.node.tolist() == [IN, FREE, FREE, OUT]
    assert not pins.edge.any()


def test_a_link_is_the_one_between_the_nearest_detections(crossing):
    pins = place_pins(crossing, _placed((OUT, 1, 2.4, 0, 2.6), (IN, 1, 5.0, 0, 3.0)), max_distance_um=2)
    assert crossing.edges.tolist() == [[0, 2], [1, 2], [0, 3], [1, 3]]
    assert pins.edge.tolist() == [FREE, OUT, FREE, IN]
    assert not pins.node.any()


def test_what_is_pinned_already_stays(crossing):
    before = Pins(node=np.array([0, IN, 0, 0]), edge=np.array([0, 0, OUT, 0]))
    pins = place_pins(crossing, _placed((OUT, 1, 5.0), (IN, 0, 3.0)), max_distance_um=2, pins=before)
    assert (pins.node.tolist(), pins.edge.tolist()) == ([0, IN, 0, OUT], [0, 0, OUT, 0])
    assert before.node.tolist() == [0, IN, 0, 0]


def test_a_place_exactly_as_far_as_allowed_still_counts(crossing):
    assert place_pins(crossing, _placed((IN, 1, 7.0)), max_distance_um=2).node.tolist() == [0, 0, 0, IN]


@pytest.mark.parametrize(
    ("pin", "said", "measured"),
    [
        ((IN, 0, 9.0), r"pins\.csv, line 2: no detection lies within 2 µm of .* x 9 in frame 0", "6.00 µm away"),
        ((IN, 7, 0.0), "in frame 7", "frame 7 has no detections"),
        ((IN, 1, 2.0, 0, -8.0), "x -8 in frame 0", "8.00 µm away"),
    ],
)
def test_a_pin_that_matches_nothing_is_refused(crossing, pin, said, measured):
    with pytest.raises(AnnotationError, match=said) as caught:
        place_pins(crossing, _placed(pin), max_distance_um=2)
    assert measured in caught.value.measured


def test_a_link_that_is_not_offered_is_refused(newcomer):
    with pytest.raises(AnnotationError, match=r"line 3: no candidate link joins") as caught:
        place_pins(newcomer, _placed((IN, 2, 0), (IN, 3, 7, 2, 0)), max_distance_um=2)
    assert caught.value.measured == "they are 7.00 µm apart; 1 links lead to the child"


def test_opposed_pins_of_one_thing_are_refused_equal_ones_are_not(crossing):
    twice = _placed((IN, 0, 0.0), (IN, 0, 0.5))
    assert place_pins(crossing, twice, max_distance_um=2).node.tolist() == [IN, 0, 0, 0]
    with pytest.raises(AnnotationError, match=r"line 3: what lies here is pinned out, and in by an earlier line"):
        place_pins(crossing, _placed((IN, 0, 0.0), (OUT, 0, 0.5)), max_distance_um=2)
    before = Pins(node=np.zeros(4), edge=np.array([0, 0, 0, OUT]))
    with pytest.raises(AnnotationError, match=r"line 2: what lies here is pinned in, and out by .* or the graph"):
        place_pins(crossing, _placed((IN, 1, 5.0, 0, 3.0)), max_distance_um=2, pins=before)
