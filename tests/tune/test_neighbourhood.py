"""Learning near annotations only."""

from __future__ import annotations

import numpy as np

from morula.core.pins import FREE, IN, Pins
from morula.solve.params import SolveParams
from morula.tune.features import Features
from morula.tune.labels import label_graph
from morula.tune.neighbourhood import cut_around


def chains(n_chains, length):
    """Straight tracks beside each other, rows in time order: t 0 of all chains, t 1 of all chains, …"""
    n = n_chains * length
    edges = np.stack([np.arange(n - n_chains), np.arange(n_chains, n)], axis=1)
    m = len(edges)
    return Features(
        edges=edges, score=np.arange(n) / n, distance_um=np.ones(m), skipped=np.zeros(m),
        start=np.ones(n), division=np.ones(n), evidence=np.zeros(n), apart_um=np.zeros(n), end=np.ones(n),
    )  # fmt: skip


def label(features, nodes, edges):
    pins = np.zeros(features.n, np.int8), np.zeros(len(features.edges), np.int8)
    pins[0][nodes], pins[1][edges] = IN, IN
    return Pins(*pins)


def test_what_lies_more_than_four_links_away_is_left_out() -> None:
    features = chains(2, 20)
    cut, labels = cut_around(features, label(features, [20], []))
    assert cut.n == 9
    np.testing.assert_allclose(cut.score * features.n, np.arange(12, 30, 2))
    assert labels.node.tolist() == [FREE] * 4 + [IN] + [FREE] * 4
    assert cut.start.tolist() == [0.0] + [1.0] * 8
    assert cut.end.tolist() == [1.0] * 8 + [0.0]


def test_too_many_annotated_tracks_are_thinned_out_always_the_same_way() -> None:
    features = chains(8, 6)
    everything = label(features, np.arange(features.n), np.arange(len(features.edges)))
    cut, labels = cut_around(features, everything, most_nodes=20)
    assert cut.n == 12
    assert (labels.edge == IN).all()
    again, _ = cut_around(features, everything, most_nodes=20)
    np.testing.assert_array_equal(cut.score, again.score)
    least, _ = cut_around(features, everything, most_nodes=1)
    assert least.n == 6, "one track is always left"


def test_a_tissue_packed_with_annotations_is_kept_whole(tissue) -> None:
    labels = label_graph(tissue.graph, tissue.annotated, max_distance_um=3.0)
    features = Features.of(tissue.graph, SolveParams())
    cut, kept = cut_around(features, labels)
    assert cut.n > 0.9 * features.n
    assert (kept.edge != FREE).sum() == (labels.edge != FREE).sum()
