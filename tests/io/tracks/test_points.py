"""From points and links of any format to tracks."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from morula.io.tracks.points import TrackPoints, build_tracks, choose_parents


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 40))
def test_neither_the_order_nor_the_direction_nor_the_repetition_of_links_matters(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    t = np.sort(rng.integers(0, 8, n)).astype(float)
    first_of_frame = np.searchsorted(t, t)
    parent = np.where(first_of_frame > 0, rng.integers(0, np.maximum(first_of_frame, 1)), -1)
    child = np.flatnonzero(parent >= 0)
    links = np.stack([parent[child], child], axis=1)
    links = np.concatenate([links, links[: len(links) // 2]])
    flip = rng.random(len(links)) < 0.5
    links[flip] = links[flip][:, ::-1]
    links = links[rng.permutation(len(links))]
    assert choose_parents(t, links, "f", str).tolist() == parent.tolist()


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(0, 30))
def test_the_order_of_points_does_not_matter(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    t = np.arange(n) * 1.0
    ids = rng.choice(1000, n, replace=False)
    parent_id = np.where(rng.random(n) < 0.7, np.roll(ids, 1), -1)
    parent_id[:1] = -1
    zyx = rng.uniform(1, 100, (n, 3))
    order = rng.permutation(n)
    straight = build_tracks(TrackPoints("f", t, zyx, ids, parent_id, str), um_per_unit=0.5)
    shuffled = build_tracks(TrackPoints("f", t[order], zyx[order], ids[order], parent_id[order], str), um_per_unit=0.5)
    assert straight.id.tolist() == shuffled.id.tolist()
    assert straight.parent_id.tolist() == shuffled.parent_id.tolist()
    np.testing.assert_array_equal(straight.zyx_um, shuffled.zyx_um)
