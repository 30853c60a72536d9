"""What may not change an answer, through the front door and for every method: order, units, company, emptiness, time.

Graphs are small, costs of any sign, ties frequent: so objectives are compared, and choices where nothing is tied.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from morula.core.detections import Detections
from morula.core.graph import CandidateGraph
from morula.core.pins import FREE, IN, OUT, Pins
from morula.errors import SolveError
from morula.solve.graph import solve_graph
from morula.solve.params import SolveParams
from morula.solve.problem.contradiction import find_contradiction

METHODS = {
    "exact": {"method": "exact"},
    "paper": {"method": "exact", "formulation": "paper"},
    "ascent": {"method": "ascent", "gap": 0},
}
COSTS = [
    "node_constant",
    "node_score_weight",
    "edge_distance_weight",
    "start_cost",
    "division_cost",
    "division_score_weight",
    "end_cost",
    "skip_cost",
]
every_method = pytest.mark.parametrize("method", METHODS)


@st.composite
def graphs(draw, frames=4):
    """Up to 9 detections and 12 links, some over frames; scores, chances of a division and distances often equal."""
    t = np.array(sorted(draw(st.lists(st.integers(0, frames - 1), min_size=1, max_size=9))))
    n = len(t)
    pairs = [(p, c) for p in range(n) for c in range(n) if t[p] < t[c]]
    edges = draw(st.lists(st.sampled_from(pairs), max_size=12, unique=True)) if pairs else []
    score = draw(st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), min_size=n, max_size=n))
    distance = draw(st.lists(st.integers(0, 6), min_size=len(edges), max_size=len(edges)))
    zyx = np.stack([np.zeros(n), np.zeros(n), np.arange(n)], axis=1)
    chances = st.lists(st.sampled_from([0.0, 0.2, 0.5, 0.9, 1.0]), min_size=n, max_size=n)
    divides, born = (draw(st.one_of(st.just([np.nan] * n), chances)) for _ in range(2))
    nodes = Detections(t, zyx, np.array(score), np.zeros((n, 3)), divides=divides, born=born)
    return CandidateGraph(nodes=nodes, edges=np.array(edges).reshape(-1, 2), distance_um=np.array(distance, float))


@st.composite
def weights(draw):
    """Cost weights of any sign, as whole numbers."""
    values = {name: float(draw(st.integers(-9, 9))) for name in COSTS}
    return SolveParams(**values, free_first_frame=draw(st.booleans()))


def solve(graph, params, method, **more):
    return solve_graph(graph, replace(params, **METHODS[method]), **more)


def without_division_scores(graph):
    return replace(graph, nodes=replace(graph.nodes, divides=np.zeros(0), born=np.zeros(0)))


def moved(graph, order, t=None):
    """The same graph with its detections in another order, and perhaps in other frames."""
    row = np.argsort(order)
    nodes = graph.nodes if t is None else replace(graph.nodes, t=t)
    return CandidateGraph(
        nodes=nodes.rows(order),
        edges=row[graph.edges],
        distance_um=graph.distance_um,
    )


@every_method
@settings(max_examples=20, deadline=None)
@given(graph=graphs(), params=weights(), seed=st.integers(0, 999))
def test_the_order_within_a_frame_does_not_matter(method, graph, params, seed):
    order = np.lexsort((np.random.default_rng(seed).random(graph.nodes.n), graph.nodes.t))
    one, other = solve(graph, params, method), solve(moved(graph, order), params, method)
    assert other.objective == pytest.approx(one.objective, abs=1e-9)
    assert (one.status, other.status) == ("optimal", "optimal")


@every_method
@settings(max_examples=20, deadline=None)
@given(graph=graphs(), params=weights(), exponent=st.integers(-9, 9))
def test_the_unit_of_the_costs_does_not_matter(method, graph, params, exponent):
    unit = 10.0**exponent
    scaled = replace(params, **{name: getattr(params, name) * unit for name in COSTS})
    one, other = solve(graph, params, method), solve(graph, scaled, method)
    assert other.objective == pytest.approx(one.objective * unit, rel=1e-9, abs=1e-9 * unit)
    assert other.status == "optimal"


@every_method
@settings(max_examples=15, deadline=None)
@given(graph=graphs(), params=weights(), exponent=st.integers(-4, 4))
def test_the_unit_of_length_does_not_matter(method, graph, params, exponent):
    unit = 10.0**exponent
    longer = replace(graph, distance_um=graph.distance_um * unit)
    lighter = replace(params, edge_distance_weight=params.edge_distance_weight / unit)
    assert solve(longer, lighter, method).objective == pytest.approx(solve(graph, params, method).objective, abs=1e-9)


@every_method
@settings(max_examples=20, deadline=None)
@given(one=graphs(), other=graphs(), params=weights())
def test_two_graphs_side_by_side_cost_what_they_cost_alone(method, one, other, params):
    alone = replace(params, free_first_frame=False, end_cost=0.0)  # what is free depends on the company's frames
    one, other = without_division_scores(one), without_division_scores(other)  # so does what is a usual one
    n = one.nodes.n
    t = np.concatenate([one.nodes.t, other.nodes.t])
    both = CandidateGraph(
        nodes=Detections(np.zeros_like(t), *(
            np.concatenate([getattr(one.nodes, name), getattr(other.nodes, name)])
            for name in ("zyx_um", "score", "movement_um")
        )),
        edges=np.zeros((0, 2)),
        distance_um=np.zeros(0),
    )  # fmt: skip
    order = np.argsort(t, kind="stable")
    edges = np.argsort(order)[np.concatenate([one.edges, other.edges + n])]
    nodes = replace(moved(both, order).nodes, t=t[order])
    joined = CandidateGraph(nodes=nodes, edges=edges, distance_um=np.append(one.distance_um, other.distance_um))
    together = solve(joined, alone, method).objective
    apart = [solve(graph, alone, method).objective for graph in (one, other)]
    assert together == pytest.approx(sum(apart), abs=1e-9)


@every_method
@settings(max_examples=20, deadline=None)
@given(graph=graphs(), params=weights())
def test_frames_without_detections_change_nothing_but_the_count_of_frames_left_out(method, graph, params):
    flat = replace(params, skip_cost=0.0)
    stretched = moved(graph, np.arange(graph.nodes.n), t=graph.nodes.t * 3 + 7)
    one, other = solve(graph, flat, method), solve(stretched, flat, method)
    assert other.objective == pytest.approx(one.objective, abs=1e-9)


@every_method
@settings(max_examples=20, deadline=None)
@given(graph=graphs(), params=weights(), score=st.sampled_from([0.0, 0.5, 1.0]))
def test_a_detection_without_links_is_taken_just_where_it_pays(method, graph, params, score):
    alone = replace(params, free_first_frame=False)
    t = int(graph.nodes.t[-1])
    nodes = graph.nodes
    more = Detections(
        np.append(nodes.t, t),
        np.vstack([nodes.zyx_um, [[0, 0, 99]]]),
        np.append(nodes.score, score),
        np.vstack([nodes.movement_um, np.zeros((1, 3))]),
    )
    graph = without_division_scores(graph)  # whose evidence depends on the mean of all detections
    price = alone.node_constant + alone.node_score_weight * score + alone.start_cost  # the last frame's ends are free
    with_it = solve(replace(graph, nodes=more), alone, method)
    without = solve(graph, alone, method)
    assert with_it.objective == pytest.approx(without.objective + min(0.0, price), abs=1e-9)
    assert price == 0 or bool(with_it.node_selected[-1]) == (price < 0)


@every_method
@settings(max_examples=15, deadline=None)
@given(graph=graphs(), params=weights())
def test_ties_are_broken_the_same_way_each_time(method, graph, params):
    flat = replace(graph, distance_um=np.full(graph.n_edges, 2.0))
    one, other = solve(flat, params, method), solve(flat, params, method)
    assert np.array_equal(one.node_selected, other.node_selected)
    assert np.array_equal(one.edge_selected, other.edge_selected)


@every_method
@settings(max_examples=20, deadline=None)
@given(graph=graphs(), params=weights(), frames=st.integers(1, 4), data=st.data())
def test_pins_are_respected_whatever_they_cost_or_refused(method, graph, params, frames, data):
    pin = st.sampled_from([FREE, FREE, IN, OUT])
    pins = Pins(
        node=np.array([data.draw(pin) for _ in range(graph.nodes.n)]),
        edge=np.array([data.draw(pin) for _ in range(graph.n_edges)]),
    )
    params = replace(params, min_track_frames=frames)
    if find_contradiction(graph.edges, pins) is not None:
        with pytest.raises(SolveError, match="no forest agrees with all pins: link"):
            solve(graph, params, method, pins=pins)
        return
    selection = solve(graph, params, method, pins=pins)
    for pinned, selected in ((pins.node, selection.node_selected), (pins.edge, selection.edge_selected)):
        assert selected[pinned == IN].all()
        assert not selected[pinned == OUT].any()
    assert selection.lower_bound <= selection.objective


def test_contradicting_pins_are_told_by_the_names_and_places_of_their_nodes(crossing):
    pins = Pins(node=np.zeros(4), edge=np.array([1, 1, 0, 0]))
    with pytest.raises(SolveError, match="links 70 → 900, 5 → 900 are pinned in, and node 900 can have 1 parent") as it:
        solve_graph(crossing, SolveParams(), pins=pins, node_id=np.array([70, 5, 900, 8]))
    assert "node 5 at t 0, z 0.00, y 0.00, x 3.00 µm; node 900 at t 1, z 0.00, y 0.00, x 2.00 µm" in it.value.measured
    with pytest.raises(SolveError, match="links 0 → 2, 1 → 2 are pinned in"):
        solve_graph(crossing, SolveParams(), pins=pins)


@every_method
def test_a_pin_forces_what_does_not_pay_and_forbids_what_does(method, crossing):
    pins = Pins(node=np.zeros(4), edge=np.array([0, IN, 0, OUT]))
    free, forced = solve(crossing, SolveParams(), method), solve(crossing, SolveParams(), method, pins=pins)
    assert forced.edge_selected.tolist() == [False, True, True, False]
    assert free.objective < forced.objective == forced.lower_bound


@every_method
@pytest.mark.parametrize("n", [0, 3])
def test_graphs_without_links_or_without_nodes_have_an_answer(method, n):
    nodes = Detections(np.arange(n), np.zeros((n, 3)), np.array([0.9, 0.1, 0.9])[:n], np.zeros((n, 3)))
    selection = solve(
        CandidateGraph(nodes=nodes, edges=np.zeros((0, 2)), distance_um=np.zeros(0)), SolveParams(), method
    )
    assert selection.node_selected.tolist() == [True, False, True][:n]
    assert (selection.status, selection.gap) == ("optimal", 0.0)


def test_an_answer_cut_short_by_the_time_limit_says_so(instances):
    graph = instances.make_graph(4000, 16000, seed=4)
    best = solve_graph(graph, SolveParams())
    late = solve_graph(graph, SolveParams(method="ascent", gap=0, time_limit_s=1e-6))
    assert late.status == "feasible"
    assert late.lower_bound <= best.objective <= late.objective < 0.9 * best.objective
    with pytest.raises(SolveError, match="no forest found for 4000 nodes") as refused:
        solve_graph(graph, SolveParams(method="exact", time_limit_s=1e-6))
    assert refused.value.fix == "raise or remove solve.time_limit_s"
