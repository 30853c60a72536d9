from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from morula.core.tracks import Tracks
from morula.errors import AnnotationError
from morula.synthetic.annotate import annotate_sparsely
from morula.synthetic.embryo import Embryo
from morula.synthetic.params import AnnotateParams


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.floats(0.03, 1.0), st.floats(0.0, 0.9))
def test_the_share_is_never_exceeded_and_whole_disjoint_trees_are_clicked(
    demo_embryo: Embryo, seed: int, share: float, val_part: float
) -> None:
    tracks = demo_embryo.tracks
    params = AnnotateParams(share=share, val_share=share * val_part)
    train, val = annotate_sparsely(tracks, params, seed=seed)
    assert 0 < train.n + val.n <= share * tracks.n
    assert val.n <= params.val_share * tracks.n
    tree = dict(zip(tracks.id.tolist(), tracks.lineage_id().tolist(), strict=True))
    trees = [{tree[name] for name in part.id.tolist()} for part in (train, val)]
    assert not trees[0] & trees[1]
    for part, chosen in zip((train, val), trees, strict=True):
        whole = tracks.rows(np.isin(tracks.lineage_id(), list(chosen)))
        np.testing.assert_array_equal(part.id, whole.id)
        np.testing.assert_array_equal(part.parent_row, whole.parent_row)


@pytest.mark.parametrize("seed", range(5))
def test_by_default_most_of_the_share_is_used_and_both_parts_are_worth_having(demo_embryo: Embryo, seed: int) -> None:
    train, val = annotate_sparsely(demo_embryo.tracks, AnnotateParams(), seed=seed)
    assert 0.08 < (train.n + val.n) / demo_embryo.tracks.n <= 0.10
    assert val.n > 60
    assert (train.n_children == 2).sum() >= 1


def test_clicks_lie_beside_the_truth_by_the_jitter_asked_for(demo_embryo: Embryo) -> None:
    tracks = demo_embryo.tracks
    train, _ = annotate_sparsely(tracks, AnnotateParams(jitter_um=0.3), seed=0)
    exact, _ = annotate_sparsely(tracks, AnnotateParams(jitter_um=0.0), seed=0)
    np.testing.assert_array_equal(exact.zyx_um, tracks.zyx_um[np.isin(tracks.id, exact.id)])
    assert (train.zyx_um - exact.zyx_um).std() == pytest.approx(0.3, rel=0.1)
    assert train.radius_um is None


def test_a_dividing_lineage_is_clicked_even_where_it_is_the_only_one() -> None:
    lonely = [
        (t, 10 * cell, 100 * cell + t, 100 * cell + t - 1 if t else -1) for cell in range(1, 30) for t in range(3)
    ]
    dividing = [(0, 0, 0, -1), (1, -3, 1, 0), (1, 3, 2, 0)]
    t, x, name, parent = (list(column) for column in zip(*dividing, *lonely, strict=True))
    tracks = Tracks.from_ids(t, [[0.0, 0.0, float(v)] for v in x], name, parent)
    for seed in range(10):
        train, _ = annotate_sparsely(tracks, AnnotateParams(share=0.1, val_share=0.05), seed=seed)
        assert {0, 1, 2} <= set(train.id.tolist())


def test_too_small_a_share_for_any_lineage_is_refused(demo_embryo: Embryo) -> None:
    whole = demo_embryo.tracks.rows(demo_embryo.tracks.lineage_id() < 3)
    with pytest.raises(AnnotationError, match="no lineage is short enough"):
        annotate_sparsely(whole, AnnotateParams(share=0.05, val_share=0.0), seed=0)


def test_no_truth_gives_no_annotation() -> None:
    with pytest.raises(AnnotationError, match="no lineage is short enough"):
        annotate_sparsely(Tracks.from_ids([], [], [], []), AnnotateParams(), seed=0)
