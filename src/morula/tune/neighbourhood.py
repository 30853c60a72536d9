"""The surroundings of annotations: weights are learned there, because farther away nothing is known.

Owns the cutting, so that learning takes as long as there are annotations and not as long as the movie is large.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from morula.core.columns import BoolArray
from morula.core.pins import FREE, IN, Pins
from morula.tune.features import Features

_STEPS = 4
"""Links away from an annotated cell up to which the graph is kept."""

_MOST_NODES = 30_000
"""Nodes learned from; with more, annotated tracks are left out: a few weights need no more, and it would take long."""


def cut_around(features: Features, labels: Pins, *, most_nodes: int = _MOST_NODES) -> tuple[Features, Pins]:
    """Keep what lies near annotated cells.

    Parameters
    ----------
    features, labels
        The whole graph.
    most_nodes
        If more nodes than these were kept, some annotated tracks, drawn by lot but always the same, are taken for not
        annotated; one is always left.

    Returns
    -------
    features, labels
        The nodes within some links of an annotated cell, the links among them, and their labels. Tracks may come from
        and go to what was cut away for nothing.
    """
    parent, child = features.edges.T
    right = labels.edge == IN
    joined = coo_array((np.ones(int(right.sum()), np.int8), (parent[right], child[right])), shape=(features.n,) * 2)
    _, track = connected_components(joined, directed=False)
    annotated = labels.node == IN
    tracks = np.unique(track[annotated])
    tracks = np.random.default_rng(0).permutation(tracks)
    while True:
        chosen = annotated & np.isin(track, tracks)
        inside = _reach(features, chosen)
        if inside.sum() <= most_nodes or len(tracks) <= 1:
            break
        tracks = tracks[: len(tracks) // 2]
    cut, kept = features.cut(inside)
    spoken = labels.edge[kept] * (chosen[parent] | chosen[child])[kept]
    node = np.where(chosen, labels.node, FREE)[inside]
    return cut, Pins(node=node.astype(np.int8), edge=spoken.astype(np.int8))


def _reach(features: Features, near: BoolArray) -> BoolArray:
    near = near.copy()
    parent, child = features.edges.T
    for _ in range(_STEPS):
        step = near[parent] | near[child]
        near[parent[step]], near[child[step]] = True, True
    return near
