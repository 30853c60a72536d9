"""Pins that exclude each other: found exactly where no forest agrees with all, and told by name."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from small_problems import forests, pinned_graphs

from morula.core.pins import IN, OUT, Pins
from morula.solve.problem.contradiction import Contradiction, find_contradiction

FORK = np.array([[0, 1], [0, 2], [0, 3]])
MERGE = np.array([[0, 2], [1, 2]])


@settings(max_examples=400, deadline=None)
@given(pinned_graphs())
def test_pins_contradict_each_other_exactly_where_no_forest_agrees_with_all(drawn):
    edges, pins = drawn
    assert (find_contradiction(edges, pins) is None) == any(True for _ in forests(edges, pins))


@settings(max_examples=300, deadline=None)
@given(pinned_graphs())
def test_what_is_named_is_pinned_and_contradicts_itself_without_the_rest(drawn):
    edges, pins = drawn
    found = find_contradiction(edges, pins)
    if found is None:
        return
    named = np.array([tuple(edge) in found.links for edge in edges.tolist()])
    assert (pins.edge[named] == IN).all()
    assert found.node in found.rows
    alone = Pins(
        node=np.where(np.arange(len(pins.node)) == found.node, pins.node, 0), edge=np.where(named, pins.edge, 0)
    )
    assert not any(True for _ in forests(edges, alone))


@pytest.mark.parametrize(
    ("edges", "node", "edge", "said"),
    [
        (MERGE, [0, 0, OUT], [IN, 0], "link 0 → 2 is pinned in, and node 2 is pinned out"),
        (MERGE, [OUT, 0, 0], [IN, 0], "link 0 → 2 is pinned in, and node 0 is pinned out"),
        (MERGE, [0, 0, 0], [IN, IN], "links 0 → 2, 1 → 2 are pinned in, and node 2 can have 1 parent"),
        (FORK, [0, 0, 0, 0], [IN, IN, IN], "links 0 → 1, 0 → 2, 0 → 3 are pinned in, and node 0 can have 2 children"),
    ],
)
def test_each_kind_names_its_links_and_its_node(edges, node, edge, said):
    found = find_contradiction(edges, Pins(node=np.array(node), edge=np.array(edge)))
    assert said in found.to_error().what
    assert "named by their rows" in found.to_error().fix


def test_names_and_places_take_the_place_of_rows():
    error = Contradiction(((0, 2), (1, 2)), 2, "can have 1 parent").to_error(np.array([70, 5, 900]), "all at t 3")
    assert "links 70 → 900, 5 → 900 are pinned in, and node 900 can have 1 parent" in error.what
    assert (error.measured, "rows" in error.fix) == ("all at t 3", False)


def test_of_many_links_some_are_named():
    edges = np.array([[0, child] for child in range(1, 20)])
    found = find_contradiction(edges, Pins(node=np.zeros(20), edge=np.ones(19)))
    assert found.links == ((0, 1), (0, 2), (0, 3), (0, 4), (0, 5))
