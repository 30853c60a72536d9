import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from morula.evaluate.jaccard import measure_edge_jaccard
from morula.matching.points import match_points


def counts_by_hand(found, truth, scored, d):
    """TP, FP and FN from sets of edges, word by word."""
    truth_rows, rows, _ = match_points(truth.zyx_um, truth.t, found.zyx_um, found.t, d)
    partner = dict(zip(rows.tolist(), truth_rows.tolist(), strict=True))
    true_edges = {(int(p), int(c)) for p, c in truth.edges}
    that_count = {(p, c) for p, c in true_edges if scored[p] and scored[c]}
    tp, fp = set(), 0
    for p, c in found.edges.tolist():
        ends = partner.get(p), partner.get(c)
        if ends in true_edges:
            tp |= {ends} & that_count
            continue
        another_parent = ends[1] is not None and scored[ends[1]] and truth.parent_row[ends[1]] >= 0
        another_child = ends[0] is not None and scored[ends[0]] and (truth.parent_row == ends[0]).any()
        fp += bool(another_parent or another_child)
    return len(tp), fp, len(that_count - tp)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 1_000_000), crowded=st.booleans(), part=st.sampled_from(["all", "one lineage", "some points"])
)
def test_edges_are_counted_as_the_definition_reads(make_scene, seed, crowded, part):
    truth, found = make_scene(seed, crowded=crowded)
    some = np.random.default_rng(seed).random(truth.n) < 0.7
    scored = {"all": np.ones(truth.n, bool), "one lineage": truth.lineage_id() == 0, "some points": some}[part]
    measured = measure_edge_jaccard(found, truth, scored, 3.0, None)
    assert (measured.tp, measured.fp, measured.fn) == counts_by_hand(found, truth, scored, 3.0)
