"""The loops that measure a margin as tightly as the surroundings allow, compiled with numba; see `margins`.

Owns one movement of shares: from the far end of a neighbourhood towards its middle, every node gives away all it can
spare. What was moved is put back, so the shares come out as they went in.
"""

from __future__ import annotations

import numba
import numpy as np

from morula.solve.ascent.sweeps import margin_at_child, margin_at_parent, margin_of_node

_jit = numba.njit(cache=True, error_model="numpy")


@_jit
def _grow(p, ends, follow, near, steps, n_roots):
    """Fill `near` with the nodes nearest to the roots that stand first there; return how many there are."""
    parent, child = ends
    first, n, most = 0, n_roots, len(near)
    while first < n and n < most:
        v = near[first]
        first += 1
        for e in range(p.first_in[v], p.first_in[v + 1]):
            if follow[e] and steps[parent[e]] < 0 and n < most:
                steps[parent[e]], near[n] = steps[v] + 1, parent[e]
                n += 1
        for k in range(p.first_out[v], p.first_out[v + 1]):
            e = p.out[k]
            if follow[e] and steps[child[e]] < 0 and n < most:
                steps[child[e]], near[n] = steps[v] + 1, child[e]
                n += 1
    return n


@_jit
def _leads_inwards(steps, v, other):
    return 0 <= steps[other] < steps[v]


@_jit
def _give(p, ends, steps, v):
    """Let v give the links that lead inwards its margin, in equal parts one after the other."""
    parent, child = ends
    left = 0
    for e in range(p.first_in[v], p.first_in[v + 1]):
        left += _leads_inwards(steps, v, parent[e])
    for k in range(p.first_out[v], p.first_out[v + 1]):
        left += _leads_inwards(steps, v, child[p.out[k]])
    for e in range(p.first_in[v], p.first_in[v + 1]):
        if _leads_inwards(steps, v, parent[e]):
            part = margin_at_child(p, v, e) / left
            p.share_in[e] -= part
            p.share_out[e] += part
            left -= 1
    for k in range(p.first_out[v], p.first_out[v + 1]):
        e = p.out[k]
        if _leads_inwards(steps, v, child[e]):
            part = margin_at_parent(p, v, e) / left
            p.share_out[e] -= part
            p.share_in[e] += part
            left -= 1


@_jit
def _copy_shares(p, near, n, kept):
    """Keep the shares of all links of the listed nodes."""
    total = 0
    for i in range(n):
        v = near[i]
        total += p.first_in[v + 1] - p.first_in[v] + p.first_out[v + 1] - p.first_out[v]
    if total > kept.shape[1]:
        kept = np.empty((2, 2 * total))
    at = 0
    for i in range(n):
        v = near[i]
        for e in range(p.first_in[v], p.first_in[v + 1]):
            kept[0, at], kept[1, at] = p.share_in[e], p.share_out[e]
            at += 1
        for k in range(p.first_out[v], p.first_out[v + 1]):
            kept[0, at], kept[1, at] = p.share_in[p.out[k]], p.share_out[p.out[k]]
            at += 1
    return kept


@_jit
def _put_back(p, near, n, kept):
    at = 0
    for i in range(n):
        v = near[i]
        for e in range(p.first_in[v], p.first_in[v + 1]):
            p.share_in[e], p.share_out[e] = kept[0, at], kept[1, at]
            at += 1
        for k in range(p.first_out[v], p.first_out[v + 1]):
            p.share_in[p.out[k]], p.share_out[p.out[k]] = kept[0, at], kept[1, at]
            at += 1


@_jit
def measure_edges(p, ends, follow, taken, rows, most, margin):
    """Write the margin of some links: how much dearer it is at least to leave a taken one, or to take another."""
    parent, child = ends
    steps, near = np.full(len(p.node), -1, np.int32), np.empty(most, np.int64)
    kept = np.empty((2, 4096))
    for e in rows:
        near[0], near[1] = parent[e], child[e]
        steps[parent[e]], steps[child[e]] = 0, 0
        n = _grow(p, ends, follow, near, steps, 2)
        kept = _copy_shares(p, near, n, kept)
        for i in range(n - 1, 1, -1):
            _give(p, ends, steps, near[i])
        sign = -1.0 if taken[e] else 1.0
        margin[e] = max(0.0, sign * margin_at_parent(p, parent[e], e))
        margin[e] += max(0.0, sign * margin_at_child(p, child[e], e))
        _put_back(p, near, n, kept)
        for i in range(n):
            steps[near[i]] = -1


@_jit
def measure_nodes(p, ends, follow, taken, most, margin):
    """Write the margin of every node: how much dearer it is at least to leave a taken one, or to take another."""
    steps, near = np.full(len(p.node), -1, np.int32), np.empty(most, np.int64)
    kept = np.empty((2, 4096))
    for v in range(len(p.node)):
        near[0], steps[v] = v, 0
        n = _grow(p, ends, follow, near, steps, 1)
        kept = _copy_shares(p, near, n, kept)
        for i in range(n - 1, 0, -1):
            _give(p, ends, steps, near[i])
        against = margin_of_node(p, v)
        margin[v] = max(0.0, -against if taken[v] else against)
        _put_back(p, near, n, kept)
        for i in range(n):
            steps[near[i]] = -1
