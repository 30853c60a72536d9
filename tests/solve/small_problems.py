"""Small problems for property tests, and the brute force that solves them."""

from __future__ import annotations

from itertools import product

import numpy as np
from hypothesis import reject
from hypothesis import strategies as st

from morula.errors import SolveError
from morula.solve.problem.costs import Costs
from morula.solve.problem.problem import FREE, IN, OUT, Pins, Problem

whole = st.integers(-6, 6).map(float)
real = st.floats(-6, 6, allow_nan=False, width=32)


@st.composite
def problems(draw, numbers=None, pinned=False):
    """Any graph of up to 7 nodes in 4 frames with up to 9 links, links over frames included; costs of any sign."""
    numbers = draw(st.sampled_from([whole, real])) if numbers is None else numbers
    t = sorted(draw(st.lists(st.integers(0, 3), min_size=1, max_size=7)))
    pairs = [(p, c) for p, c in product(range(len(t)), repeat=2) if t[p] < t[c]]
    edges = draw(st.lists(st.sampled_from(pairs), max_size=9, unique=True)) if pairs else []
    n, m = len(t), len(edges)
    costs = Costs(
        node=_column(draw, numbers, n),
        edge=_column(draw, numbers, m),
        start=_column(draw, numbers, n),
        division=_column(draw, numbers, n),
        end=_column(draw, numbers, n),
    )
    pin = st.sampled_from([FREE, FREE, FREE, IN, OUT]) if pinned else st.just(FREE)
    pins = Pins(node=_column(draw, pin, n), edge=_column(draw, pin, m))
    try:
        return Problem(np.array(edges, np.int64).reshape(-1, 2), costs, pins)
    except SolveError:
        reject()


def _column(draw, numbers, n):
    return np.array(draw(st.lists(numbers, min_size=n, max_size=n)))


@st.composite
def pinned_graphs(draw):
    """Links between up to 6 nodes, and any pins for both: mostly ones that contradict each other."""
    n = draw(st.integers(1, 6))
    pairs = [(p, c) for p, c in product(range(n), repeat=2) if p < c]
    edges = draw(st.lists(st.sampled_from(pairs), max_size=7, unique=True)) if pairs else []
    pin = st.sampled_from([FREE, IN, OUT])
    pins = Pins(node=_column(draw, pin, n), edge=_column(draw, pin, len(edges)))
    return np.array(edges, np.int64).reshape(-1, 2), pins


def forests(edges, pins):
    """Every set of links that is a forest and agrees with the pins."""
    n = len(pins.node)
    for choice in product([False, True], repeat=len(edges)):
        chosen = np.array(choice, bool)
        links = edges[chosen]
        parents, children = np.bincount(links[:, 1], minlength=n), np.bincount(links[:, 0], minlength=n)
        if parents.max() > 1 or children.max() > 2:
            continue
        if (pins.edge * np.where(chosen, 1, -1) < 0).any() or (pins.node[links] == OUT).any():
            continue
        yield chosen


def cheapest(problem):
    """Cost of the cheapest forest, by trying every set of links; nodes without links join where they pay or must."""
    edges, costs, pins = problem.edges, problem.costs, problem.pins
    best = np.inf
    for chosen in forests(edges, pins):
        alone = (costs.node + costs.start + costs.end < 0) & (pins.node != OUT)
        node = alone | (pins.node == IN)
        node[edges[chosen].ravel()] = True
        best = min(best, problem.price(node, chosen))
    return best


def respects(problem, solution):
    """Say whether a solution takes and leaves what is pinned."""
    chosen = np.concatenate([solution.node_selected, solution.edge_selected])
    pins = np.concatenate([problem.pins.node, problem.pins.edge])
    return bool(chosen[pins == IN].all() and not chosen[pins == OUT].any())
