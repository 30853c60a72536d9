"""Checks that a choice is a forest, and the cutting of fragments.

Owns what is true of every result, whoever found it: both ends of a link are taken, nobody has two parents or three
children. Refuses anything else with `SolveError`, because it would be a fault of the solver and not of the data.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from morula.core.columns import BoolArray, FrameArray, IntArray
from morula.core.pins import IN, Pins
from morula.errors import SolveError


def check_forest(edges: IntArray, node_selected: BoolArray, edge_selected: BoolArray) -> None:
    """Check that a choice is a forest of at most binary trees.

    Parameters
    ----------
    edges
        Rows of parent and child, shape (m, 2).
    node_selected, edge_selected
        The choice, shapes (n,) and (m,).

    Raises
    ------
    SolveError
        If a selected link lacks an end, or a node has two parents or three children.
    """
    chosen = edges[edge_selected]
    n = len(node_selected)
    faults = {
        "selected links lack one of their nodes": int((~node_selected[chosen]).any(axis=1).sum()),
        "nodes have two parents": int((np.bincount(chosen[:, 1], minlength=n) > 1).sum()),
        "nodes have three children": int((np.bincount(chosen[:, 0], minlength=n) > 2).sum()),
    }
    for fault, count in faults.items():
        if count:
            raise SolveError(
                f"the solver's answer is no forest: {count} {fault}.",
                cause="a fault in the solver or in this program, not in the data",
                fix="report it with the candidate graph",
            )


def keep_long_lineages(
    t: FrameArray,
    edges: IntArray,
    node_selected: BoolArray,
    edge_selected: BoolArray,
    min_frames: int,
    pins: Pins | None = None,
) -> tuple[BoolArray, BoolArray]:
    """Drop the lineages that span fewer than `min_frames` frames, first to last.

    Where the whole graph spans fewer frames than that, only lineages shorter than the graph are dropped. A lineage with
    a node or link that is pinned in stays, however short.

    Parameters
    ----------
    t
        Frame of each node, shape (n,), not decreasing.
    edges
        Rows of parent and child, shape (m, 2).
    node_selected, edge_selected
        A forest, shapes (n,) and (m,).
    min_frames
        Frames a lineage must span.
    pins
        What was decided by hand; None for nothing.

    Returns
    -------
    node_selected, edge_selected
        The forest that is left.
    """
    n = len(t)
    if n == 0:
        return node_selected, edge_selected
    chosen = edges[edge_selected]
    links = coo_array((np.ones(len(chosen)), (chosen[:, 0], chosen[:, 1])), shape=(n, n))
    count, tree = connected_components(links, directed=False)
    first, last = np.full(count, np.iinfo(np.int64).max), np.full(count, -1)
    np.minimum.at(first, tree, t)
    np.maximum.at(last, tree, t)
    stays = last - first + 1 >= min(min_frames, int(t[-1] - t[0]) + 1)
    if pins is not None:
        stays[tree[pins.node == IN]] = True
        stays[tree[edges[pins.edge == IN, 0]]] = True
    return node_selected & stays[tree], edge_selected & stays[tree[edges[:, 0]]]
