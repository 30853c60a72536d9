import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from morula.evaluate.divisions import find_missed_divisions, judge_divisions
from morula.evaluate.matched import MatchedTracks, match_tracks


def as_dicts(matched: MatchedTracks):
    """Truth and reconstruction as plain parent and children tables, and the matching of edges both ways."""
    tables = []
    for tracks in (matched.truth, matched.reconstruction):
        parent = {row: int(above) for row, above in enumerate(tracks.parent_row) if above >= 0}
        children = {row: [c for c, above in parent.items() if above == row] for row in range(tracks.n)}
        tables += [parent, children]
    found = {row: int(partner) for row, partner in enumerate(matched.edge_of_truth) if partner >= 0}
    return *tables, found, {partner: row for row, partner in found.items()}


def false_divisions_by_hand(matched: MatchedTracks, *, dense: bool):
    parent, children, _, found_children, _, truth_of = as_dicts(matched)
    false = []
    for row, daughters in found_children.items():
        if len(daughters) < 2:
            continue
        edges = [truth_of.get(daughter) for daughter in daughters]
        if None not in edges and parent[edges[0]] == parent[edges[1]]:
            continue
        silent = edges == [None, None] and (row not in truth_of or not children[truth_of[row]])
        if dense or not silent:
            false.append(row)
    return false


def missed_divisions_by_hand(matched: MatchedTracks):
    parent, children, found_parent, _, found, _ = as_dicts(matched)
    kinds = {"one_unconnected_child": [], "no_connection": [], "unconnected_parent": []}
    for row, daughters in children.items():
        if len(daughters) < 2:
            continue
        a, b = (found_parent[found[d]] if d in found else ("nothing", d) for d in daughters)
        q = found.get(row, ("nothing", row))
        if a == b:
            if row in parent and a != q:
                kinds["unconnected_parent"].append(row)
        elif q in (a, b):
            kinds["one_unconnected_child"].append(row)
        else:
            kinds["no_connection"].append(row)
    return kinds


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 1_000_000), crowded=st.booleans(), dense=st.booleans())
def test_divisions_are_judged_as_their_definitions_read(make_scene, seed, crowded, dense):
    truth, found = make_scene(seed, crowded=crowded)
    matched = match_tracks(found, truth, 3.0, np.ones(truth.n, bool))
    judged, missed = judge_divisions(matched, dense=dense), find_missed_divisions(matched)
    assert judged.row[~judged.right].tolist() == false_divisions_by_hand(matched, dense=dense)
    for kind, rows in missed_divisions_by_hand(matched).items():
        assert getattr(missed, kind).tolist() == rows, kind


def test_the_random_scenes_hold_every_kind_of_division_error(make_scene):
    """Otherwise the agreement above would say nothing."""
    counts = dict.fromkeys(("one_unconnected_child", "no_connection", "unconnected_parent", "false", "exempt"), 0)
    for seed in range(30):
        truth, found = make_scene(seed, crowded=seed % 2 == 0)
        matched = match_tracks(found, truth, 3.0, np.ones(truth.n, bool))
        missed = find_missed_divisions(matched)
        for kind in ("one_unconnected_child", "no_connection", "unconnected_parent"):
            counts[kind] += len(getattr(missed, kind))
        sparse, dense = (judge_divisions(matched, dense=dense) for dense in (False, True))
        counts["false"] += int((~sparse.right).sum())
        counts["exempt"] += len(dense.row) - len(sparse.row)
    assert min(counts.values()) >= 3, counts


@pytest.mark.parametrize("dense", [False, True])
def test_a_false_division_at_truth_that_is_not_scored_is_not_judged(make_scene, dense):
    seen = 0
    for seed in range(10):
        truth, found = make_scene(seed, crowded=False)
        scored = truth.lineage_id() == 0
        judged = judge_divisions(match_tracks(found, truth, 3.0, scored), dense=dense)
        at_truth = (judged.seen_at >= 0).any(axis=1)
        assert np.append(scored, False)[judged.seen_at[at_truth]].any(axis=1).all()
        seen += int(at_truth.sum())
    assert seen > 0
