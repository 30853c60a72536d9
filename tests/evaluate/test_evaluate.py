import logging
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from morula.core.tracks import Tracks
from morula.errors import TracksError
from morula.evaluate.evaluate import evaluate_tracks
from morula.evaluate.params import EvaluateParams

PARAMS = {
    dense: EvaluateParams(max_distance_um=3, window_frames=6, dense=dense, jaccard_distance_um=3, true_points=20)
    for dense in (False, True)
}
many = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
scenes = given(seed=st.integers(0, 1_000_000), crowded=st.booleans(), dense=st.booleans())
ADDED_UP = (
    *("n_truth_points", "n_truth_edges", "matched_edges", "fn_edges", "identity_switches"),
    *("one_unconnected_child", "no_connection", "unconnected_parents", "matched_points"),
    *("division_tp", "division_fn", "edge_jaccard_tp", "edge_jaccard_fn"),
)


def chain(n: int, y_um: float = 0.0, step: int = 1) -> Tracks:
    t = np.arange(n) * step
    return Tracks(t, np.stack([0 * t, 0 * t + y_um, 0 * t], axis=1), t + 50, np.arange(n) - 1)


def shuffled(rng: np.random.Generator, tracks: Tracks) -> tuple[Tracks, np.ndarray]:
    """The same tracks with rows in another order and other ids; also the new id of each old row."""
    order = rng.permutation(tracks.n)
    place = np.argsort(order)
    parent = tracks.parent_row[order]
    ids = rng.permutation(10 * tracks.n + 10)[: tracks.n]
    renamed = Tracks(
        tracks.t[order], tracks.zyx_um[order], ids, np.where(parent >= 0, place[parent], -1) if tracks.n else parent
    )
    return renamed, ids[place]


@many
@scenes
def test_the_truth_judged_by_itself_is_perfect(make_scene, seed, crowded, dense):
    truth, _ = make_scene(seed, crowded=crowded)
    figures = evaluate_tracks(truth, truth, PARAMS[dense])
    assert figures.sum_of_errors == 0
    assert figures.errors.n == 0
    assert figures.edge_errors.matched_edges == figures.n_truth_edges
    assert np.nanmin(figures.error_free.fraction, initial=1) == 1
    assert (figures.nodes.node_recall, figures.nodes.node_precision) == (1, 1 if dense else None)
    assert figures.nodes.localisation_p95_um == 0
    assert figures.divisions.tp == (truth.n_children == 2).sum()
    assert figures.divisions.fp == figures.divisions.fn == 0
    assert figures.edge_jaccard.jaccard == 1 or figures.n_truth_edges == 0


@many
@scenes
def test_figures_do_not_depend_on_the_order_of_rows_or_on_ids(make_scene, seed, crowded, dense):
    truth, found = make_scene(seed, crowded=crowded)
    rng = np.random.default_rng(seed)
    (truth_2, truth_names), (found_2, found_names) = shuffled(rng, truth), shuffled(rng, found)
    before, after = evaluate_tracks(found, truth, PARAMS[dense]), evaluate_tracks(found_2, truth_2, PARAMS[dense])
    assert after.to_dict() == before.to_dict()
    for tracks, names, column in ((truth, truth_names, "truth_id"), (found, found_names, "reconstruction_id")):
        renamed = dict(zip(tracks.id.tolist(), names.tolist(), strict=True)) | {-1: -1}
        places = [renamed[point] for point in getattr(before.errors, column).tolist()]
        assert places == getattr(after.errors, column).tolist()
    assert before.errors.kind.tolist() == after.errors.kind.tolist()


@many
@given(seed=st.integers(0, 1_000_000), dense=st.booleans(), unit=st.sampled_from([0.25, 4.0, 1000.0]))
def test_counts_do_not_depend_on_the_unit_of_length(make_scene, seed, dense, unit):
    truth, found = make_scene(seed, crowded=False)
    scaled = [Tracks(x.t, x.zyx_um * unit, x.id, x.parent_row) for x in (found, truth)]
    p = EvaluateParams(
        max_distance_um=3 * unit, window_frames=6, dense=dense, jaccard_distance_um=3 * unit, true_points=20
    )
    before, after = (e.to_dict() for e in (evaluate_tracks(found, truth, PARAMS[dense]), evaluate_tracks(*scaled, p)))
    lengths = [name for name in before if name.endswith("_um")]
    for name in lengths:
        length, length_in_unit = before.pop(name), after.pop(name)
        assert length_in_unit == (None if length is None else pytest.approx(length * unit))
    assert after == before


@many
@scenes
def test_dropping_a_link_never_finds_more_edges(make_scene, seed, crowded, dense):
    truth, found = make_scene(seed, crowded=crowded)
    children = np.flatnonzero(found.parent_row >= 0)
    if not len(children):
        return
    parent = found.parent_row.copy()
    parent[np.random.default_rng(seed).choice(children)] = -1
    cut = Tracks(found.t, found.zyx_um, found.id, parent)
    before, after = (evaluate_tracks(x, truth, PARAMS[dense]) for x in (found, cut))
    assert after.edge_errors.fn_edges >= before.edge_errors.fn_edges
    assert after.edge_errors.fn_edges <= before.edge_errors.fn_edges + 1
    assert after.nodes == before.nodes


@many
@given(seed=st.integers(0, 1_000_000), crowded=st.booleans())
def test_with_dense_truth_the_two_sides_mirror_each_other(make_scene, seed, crowded):
    truth, found = make_scene(seed, crowded=crowded)
    if not found.n:
        return
    forth, back = (evaluate_tracks(*pair, PARAMS[True]) for pair in ((found, truth), (truth, found)))
    assert forth.edge_errors.matched_edges == back.edge_errors.matched_edges
    assert (forth.edge_errors.fn_edges, forth.edge_errors.fp_edges) == (
        back.edge_errors.fp_edges,
        back.edge_errors.fn_edges,
    )
    assert (forth.nodes.node_recall, forth.nodes.node_precision) == (
        back.nodes.node_precision,
        back.nodes.node_recall,
    )
    assert forth.edge_jaccard.tp == back.edge_jaccard.tp


@many
@given(seed=st.integers(0, 1_000_000), crowded=st.booleans())
def test_sparse_truth_forgives_false_divisions_and_nothing_else(make_scene, seed, crowded):
    truth, found = make_scene(seed, crowded=crowded)
    sparse, dense = (evaluate_tracks(found, truth, PARAMS[dense]) for dense in (False, True))
    assert sparse.edge_errors.fp_divisions <= dense.edge_errors.fp_divisions
    assert sparse.divisions.fp <= dense.divisions.fp
    for name in ("fn_edges", "identity_switches", "one_unconnected_child", "no_connection", "unconnected_parents"):
        assert getattr(sparse.edge_errors, name) == getattr(dense.edge_errors, name)


@many
@given(seed=st.integers(0, 1_000_000), crowded=st.booleans())
def test_cells_far_from_sparse_truth_change_nothing(make_scene, seed, crowded):
    truth, found = make_scene(seed, crowded=crowded)
    far = Tracks(truth.t, truth.zyx_um + 1e4, truth.id + 10**6, truth.parent_row)
    more = Tracks(
        np.concatenate([found.t, far.t]),
        np.concatenate([found.zyx_um, far.zyx_um]),
        np.concatenate([found.id, far.id]),
        np.concatenate([found.parent_row, np.where(far.parent_row >= 0, far.parent_row + found.n, -1)]),
    )
    before, after = (evaluate_tracks(x, truth, PARAMS[False]).to_dict() for x in (found, more))
    for name in ("n_reconstructed_points", "n_reconstructed_edges", "edge_jaccard_adjusted", "score"):
        del before[name], after[name]
    assert after == before


@many
@scenes
def test_scoring_each_lineage_apart_adds_up_to_scoring_all(make_scene, seed, crowded, dense):
    truth, found = make_scene(seed, crowded=crowded)
    lineage = truth.lineage_id()
    whole = evaluate_tracks(found, truth, PARAMS[dense])
    parts = [evaluate_tracks(found, truth, PARAMS[dense], scored=lineage == one) for one in np.unique(lineage)]
    for name in ADDED_UP:
        assert sum(part.to_dict()[name] for part in parts) == whole.to_dict()[name], name
    assert sum(part.error_free.n_segments for part in parts).tolist() == whole.error_free.n_segments.tolist()
    if dense:
        n_found = whole.nodes.matched_points
        for part in parts:
            judged = found.n - n_found + part.nodes.matched_points
            precision = part.nodes.matched_points / judged if judged else math.nan
            assert part.nodes.node_precision == pytest.approx(precision, nan_ok=True)


@many
@scenes
def test_scoring_everything_is_the_default(make_scene, seed, crowded, dense):
    truth, found = make_scene(seed, crowded=crowded)
    everything = np.ones(truth.n, bool)
    default, scored = (evaluate_tracks(found, truth, PARAMS[dense], scored=s).to_dict() for s in (None, everything))
    assert default == scored


def test_an_empty_truth_is_refused():
    with pytest.raises(TracksError, match="no points, so nothing can be judged"):
        evaluate_tracks(chain(3), chain(0), EvaluateParams())


@pytest.mark.parametrize("scored", [np.ones(2, bool), np.zeros(3, bool)])
def test_a_choice_that_does_not_fit_the_truth_is_refused(scored):
    with pytest.raises(TracksError, match="does not fit the truth, or leaves none"):
        evaluate_tracks(chain(3), chain(3), EvaluateParams(), scored=scored)


def test_an_empty_reconstruction_gives_figures_and_no_warning(caplog):
    figures = evaluate_tracks(chain(0), chain(3), EvaluateParams(dense=True))
    assert (figures.edge_errors.fn_edges, figures.edge_errors.fp_edges) == (2, 0)
    assert (figures.nodes.node_recall, math.isnan(figures.nodes.node_precision)) == (0, True)
    assert not caplog.records


def test_positions_in_voxels_instead_of_um_give_a_warning_that_says_so(caplog):
    with caplog.at_level(logging.WARNING):
        evaluate_tracks(chain(3, 400.0), chain(3), EvaluateParams(max_distance_um=5))
    assert "no reconstructed point lies within 5 µm of a truth point" in caplog.text
    assert "truth: frames 0–2" in caplog.text


def test_links_that_skip_frames_are_counted_in_a_warning(caplog):
    with caplog.at_level(logging.WARNING):
        figures = evaluate_tracks(chain(5), chain(3, step=2), EvaluateParams())
    assert "2 truth links and 0 reconstructed links skip frames" in caplog.text
    assert figures.edge_errors.fn_edges == 2


def test_with_sparse_truth_the_adjusted_jaccard_needs_an_estimate_of_the_number_of_cells():
    unknown = evaluate_tracks(chain(3), chain(3), EvaluateParams())
    estimated = evaluate_tracks(chain(3), chain(3), EvaluateParams(true_points=2))
    assert (unknown.to_dict()["edge_jaccard_adjusted"], unknown.to_dict()["score"]) == (None, None)
    assert estimated.edge_jaccard.adjusted == pytest.approx(1 - 0.1 * (3 - 2) / 2)
