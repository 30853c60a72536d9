"""The loops of dual ascent, compiled with numba; see `dual` for the mathematics.

Owns one function per movement of shares and the tuple of arrays they share. Each visits the nodes it is given once, in
the order of time or against it, and changes only the shares of the links of the node it is at. Minima are written
without branches, which the processor could not predict; shares are never NaN, which lets the compiler do so.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from morula.core.columns import BoolArray, FloatArray, IntArray

_jit = numba.njit(cache=True, error_model="numpy", fastmath={"nnan", "nsz"})


class NodeProblems(NamedTuple):
    """The arrays of all node problems.

    Parameters
    ----------
    node, start, division, end
        Costs, shape (n,).
    left
        Value of not taking a node: 0, or large where it must be taken, shape (n,).
    share_in, share_out
        Share of each link's cost at its child and at its parent, shape (m,), changed in place.
    first_in
        Row of each node's first link from a parent (links are sorted by child), shape (n + 1,).
    out, first_out
        Rows of the links sorted by parent, shape (m,), and each node's first among them, shape (n + 1,).
    """

    node: FloatArray
    start: FloatArray
    division: FloatArray
    end: FloatArray
    left: FloatArray
    share_in: FloatArray
    share_out: FloatArray
    first_in: IntArray
    out: npt.NDArray[np.int32]
    first_out: IntArray


@_jit
def _two_children(p, v, without):
    """Return the two smallest shares of v's links to children, leaving one link out."""
    one = two = np.inf
    for k in range(p.first_out[v], p.first_out[v + 1]):
        share = np.inf if p.out[k] == without else p.share_out[p.out[k]]
        two = min(two, max(one, share))
        one = min(one, share)
    return one, two


@_jit
def _two_parents(p, v, without):
    """Return the two smallest shares of v's links to parents, leaving one link out."""
    one = two = np.inf
    for e in range(p.first_in[v], p.first_in[v + 1]):
        share = np.inf if e == without else p.share_in[e]
        two = min(two, max(one, share))
        one = min(one, share)
    return one, two


@_jit
def _price_before(p, v):
    """Node and the cheaper of a start and a parent."""
    return p.node[v] + min(p.start[v], _two_parents(p, v, -1)[0])


@_jit
def _price_after(p, v):
    """The cheapest of an end, one child and a division."""
    one, two = _two_children(p, v, -1)
    return min(p.end[v], one, one + two + p.division[v])


@_jit
def _price_childless(p, v):
    """What v's links to children compete with: an end, or not taking v (relative to taking it)."""
    return min(p.left[v] - _price_before(p, v), p.end[v])


@_jit
def _price_parentless(p, v):
    """What v's links to parents compete with: a start, or not taking v (relative to taking it)."""
    return min(p.left[v] - p.node[v] - _price_after(p, v), p.start[v])


@_jit
def _margin_at_parent(p, v, e, none):
    one, two = _two_children(p, v, e)
    return p.share_out[e] + min(0.0, p.division[v] + one) - min(none, one, one + two + p.division[v])


@_jit
def sum_minima(p):
    """Add the minima of all node problems, with compensation (Kahan), since pins make single terms large."""
    total = lost = 0.0
    for v in range(len(p.node)):
        term = min(p.left[v], _price_before(p, v) + _price_after(p, v)) - lost
        new = total + term
        lost = (new - total) - term
        total = new
    return total


@_jit
def push_to_parents(p, rows, step):
    """Bring all links to a node's parents to one level, `step` of the way from the best alternative to the next."""
    for v in rows[::-1]:
        if p.first_in[v] == p.first_in[v + 1]:
            continue
        none = _price_parentless(p, v)
        one, two = _two_parents(p, v, -1)
        level = none if none <= one else one + step * (min(two, none) - one)
        for e in range(p.first_in[v], p.first_in[v + 1]):
            p.share_out[e] += p.share_in[e] - level
            p.share_in[e] = level


@_jit
def _push_in_turn(p, v, none):
    """Give each link to a child a part of its margin, one after the other; the last gives all of it."""
    last = p.first_out[v + 1]
    for k in range(p.first_out[v], last):
        e = p.out[k]
        part = _margin_at_parent(p, v, e, none) / (last - k)
        p.share_out[e] -= part
        p.share_in[e] += part


@_jit
def push_to_children_in_turn(p, rows):
    """Treat all links to children one after the other."""
    for v in rows:
        if p.first_out[v] < p.first_out[v + 1]:
            _push_in_turn(p, v, _price_childless(p, v))


@_jit
def push_to_children(p, rows):
    """Bring the links to a node's children to levels at which its best choice is hardly better than the next.

    No share falls by more than its node gains, so the bound never does: only the link that is best alone is raised, to
    half-way to the next choice; all others are lowered, no further than to where a pair with the best one ties. Where
    two children are best, links are treated in turn.
    """
    for v in rows:
        first, last = p.first_out[v], p.first_out[v + 1]
        if first == last:
            continue
        none, cost = _price_childless(p, v), p.division[v]
        one, two = _two_children(p, v, -1)
        both = one + two + cost
        if none <= one and none <= both:
            level = none if last - first == 1 else max(none, (none - cost) / 2)
            other = level if one >= level else max(none, none - cost - one)
            level = min(level, one)
        elif one <= both:
            level = one + 0.5 * (min(none, two, both) - one)
            other = max(level, -cost)
        else:
            _push_in_turn(p, v, none)
            continue
        untaken = True
        for k in range(first, last):
            e = p.out[k]
            target = other
            if untaken and p.share_out[e] == one:
                target, untaken = level, False
            p.share_in[e] += p.share_out[e] - target
            p.share_out[e] = target


@_jit
def margin_at_parent(p, v, e):
    """Return the least of v's problem with its link e to a child, minus the least without it."""
    return _margin_at_parent(p, v, e, _price_childless(p, v))


@_jit
def margin_at_child(p, v, e):
    """Return the least of v's problem with its link e to a parent, minus the least without it."""
    return p.share_in[e] - min(_price_parentless(p, v), _two_parents(p, v, e)[0])


@_jit
def margin_of_node(p, v):
    """Return the least of v's problem with v taken, minus its value without."""
    return _price_before(p, v) + _price_after(p, v) - p.left[v]


@_jit
def find_margins(p, at_parent, at_child):
    """Write each link's margin at its parent and at its child."""
    for v in range(len(p.node)):
        none = _price_childless(p, v)
        for k in range(p.first_out[v], p.first_out[v + 1]):
            at_parent[p.out[k]] = _margin_at_parent(p, v, p.out[k], none)
        none = _price_parentless(p, v)
        for e in range(p.first_in[v], p.first_in[v + 1]):
            at_child[e] = p.share_in[e] - min(none, _two_parents(p, v, e)[0])


@_jit
def widen(p, edges, near, wider):
    """Write which nodes are `near` or joined to one that is by a candidate link."""
    for v in range(len(p.node)):
        wider[v] |= near[v]
        for e in range(p.first_in[v], p.first_in[v + 1]):
            parent = edges[e, 0]
            wider[v] |= near[parent]
            wider[parent] |= near[v]


@_jit
def find_excess(p, node_selected: BoolArray, edge_selected: BoolArray, excess: FloatArray):
    """Write by how much a forest's choice at each node exceeds the node's minimum."""
    for v in range(len(p.node)):
        least = min(p.left[v], _price_before(p, v) + _price_after(p, v))
        if not node_selected[v]:
            excess[v] = p.left[v] - least
            continue
        before, after = p.start[v], 0.0
        for e in range(p.first_in[v], p.first_in[v + 1]):
            if edge_selected[e]:
                before = p.share_in[e]
        children = 0
        for k in range(p.first_out[v], p.first_out[v + 1]):
            if edge_selected[p.out[k]]:
                after += p.share_out[p.out[k]]
                children += 1
        if children == 0:
            after = p.end[v]
        elif children == 2:
            after += p.division[v]
        excess[v] = p.node[v] + before + after - least
