import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from morula.evaluate.edge_errors import (
    find_identity_switches,
    find_missing_edges,
    find_unmatched_edges,
    find_unmatched_near_truth,
)
from morula.evaluate.matched import match_tracks

scenes = given(seed=st.integers(0, 1_000_000), crowded=st.booleans())
many = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@many
@scenes
def test_every_edge_of_either_side_is_matched_or_listed_once(make_scene, seed, crowded):
    truth, found = make_scene(seed, crowded=crowded)
    matched = match_tracks(found, truth, 3.0, np.ones(truth.n, bool))
    n_matched = int((matched.edge_of_truth >= 0).sum())
    assert find_missing_edges(matched).sum() == len(truth.edges) - n_matched
    assert find_unmatched_edges(matched).sum() == len(found.edges) - n_matched
    assert not (find_unmatched_near_truth(matched) & ~find_unmatched_edges(matched)).any()


@many
@scenes
def test_identity_switches_are_where_two_matched_edges_do_not_meet(make_scene, seed, crowded):
    truth, found = make_scene(seed, crowded=crowded)
    matched = match_tracks(found, truth, 3.0, np.ones(truth.n, bool))
    by_hand = []
    for row in range(truth.n):
        children = [c for c in range(truth.n) if truth.parent_row[c] == row]
        if len(children) != 1 or truth.parent_row[row] < 0:
            continue
        before, after = matched.edge_of_truth[row], matched.edge_of_truth[children[0]]
        if before >= 0 and after >= 0 and found.parent_row[after] != before:
            by_hand.append(row)
    assert np.flatnonzero(find_identity_switches(matched)).tolist() == by_hand


def test_crowded_scenes_do_hold_identity_switches(make_scene):
    """Otherwise the agreement above would say nothing."""
    switches = 0
    for seed in range(20):
        truth, found = make_scene(seed, crowded=True)
        switches += find_identity_switches(match_tracks(found, truth, 3.0, np.ones(truth.n, bool))).sum()
    assert switches >= 3


@many
@scenes
def test_what_is_false_is_left_out_only_where_all_truth_it_meets_is_not_scored(make_scene, seed, crowded):
    truth, found = make_scene(seed, crowded=crowded)
    scored = truth.lineage_id() == 0
    matched = match_tracks(found, truth, 3.0, scored)
    everything = find_unmatched_edges(match_tracks(found, truth, 3.0, np.ones(truth.n, bool)))
    for child in np.flatnonzero(everything):
        ends = [matched.point_of_reconstruction[row] for row in (child, found.parent_row[child])]
        met = [scored[row] for row in ends if row >= 0]
        assert find_unmatched_edges(matched)[child] == (not met or any(met))
