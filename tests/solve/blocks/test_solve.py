from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_problems import cheapest, problems, respects

from morula.core.detections import Detections
from morula.core.graph import CandidateGraph
from morula.core.pins import FREE, IN, OUT, Pins
from morula.errors import SolveError
from morula.solve.blocks.plan import Context, plan_blocks
from morula.solve.blocks.solve import Decisions, cut_problem, solve_block, solve_in_blocks
from morula.solve.blocks.view import CutProblem
from morula.solve.forest import check_forest
from morula.solve.graph import pose_problem, solve_graph
from morula.solve.params import SolveParams
from morula.solve.problem.costs import price_graph
from morula.solve.problem.problem import Problem

BLOCKS = SolveParams(block_frames=3)


@st.composite
def cut_problems(draw):
    """A small problem with pins, its nodes anywhere on a short line, cut with any context, too small ones included."""
    problem = draw(problems(pinned=True))
    n = problem.n
    t = np.zeros(n, np.int64)  # the earliest frames in the order of the rows in which all links go forward
    for row in range(1, n):
        parents = problem.edges[problem.edges[:, 1] == row, 0]
        t[row] = max(t[row - 1], t[parents].max(initial=-1) + 1)
    x = np.array(draw(st.lists(st.integers(0, 5), min_size=n, max_size=n)), float)
    nodes = Detections(t=t, zyx_um=np.outer(x, [0, 0, 1]), score=np.ones(n), movement_um=np.zeros((n, 3)))
    graph = CandidateGraph(nodes=nodes, edges=problem.edges, distance_um=np.zeros(problem.m))
    width = draw(st.sampled_from([0.0, 1.0, 2.0]))
    params = SolveParams(
        block_frames=draw(st.sampled_from([1, 2, None])), block_um=draw(st.sampled_from([None, (1, 1, 1), (2, 2, 2)]))
    )
    plan = plan_blocks(graph, params, Context(draw(st.integers(0, 2)), (width, width, width)))
    return CutProblem.of(graph, problem, plan)


def _solve_all(cut, params=BLOCKS):
    decisions = Decisions(cut)
    for block in cut.plan.blocks:
        decisions.add(block.index, solve_block(block, cut.look_at(block.index, decisions.pins), params=params))
    return decisions


def _solve_in_any_order(cut, rng):
    """Solve blocks in waves: some of those whose dependencies are done, with what was decided before the wave."""
    decisions, done, waiting = Decisions(cut), set(), set(range(len(cut.plan.blocks)))
    while waiting:
        ready = sorted(number for number in waiting if done.issuperset(cut.plan.dependencies[number]))
        wave = rng.permutation(ready)[: rng.integers(1, len(ready) + 1)].tolist()
        before = Pins(node=decisions.pins.node.copy(), edge=decisions.pins.edge.copy())
        for number in wave:
            decisions.add(number, solve_block(cut.plan.blocks[number], cut.look_at(number, before), params=BLOCKS))
        done.update(wave)
        waiting.difference_update(wave)
    return decisions


def _forget_others(cut, number, pins):
    """Keep the decisions of the blocks that one depends on, and of no others."""
    known = np.isin(cut.block_of_node, cut.plan.dependencies[number])
    return Pins(node=np.where(known, pins.node, FREE), edge=np.where(known[cut.problem.edges[:, 1]], pins.edge, FREE))


@settings(max_examples=60, deadline=None)
@given(cut=cut_problems())
def test_whatever_is_decided_first_every_block_has_a_solution_and_all_make_a_forest(cut):
    solution = _solve_all(cut).join(bound=True)
    check_forest(cut.problem.edges, solution.node_selected, solution.edge_selected)
    assert respects(cut.problem, solution)
    cost = cut.problem.price(solution.node_selected, solution.edge_selected)
    best = cheapest(cut.problem)
    assert solution.lower_bound <= best + 1e-6
    assert best <= cost + 1e-6
    if solution.proven:
        assert cost == pytest.approx(best, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(cut=cut_problems(), seed=st.integers(0, 99))
def test_the_forest_does_not_depend_on_which_blocks_are_finished_first(cut, seed):
    serial = _solve_all(cut).pins
    other = _solve_in_any_order(cut, np.random.default_rng(seed)).pins
    assert np.array_equal(serial.node, other.node)
    assert np.array_equal(serial.edge, other.edge)


@settings(max_examples=40, deadline=None)
@given(cut=cut_problems())
def test_a_block_sees_nothing_of_blocks_it_does_not_depend_on(cut):
    pins = _solve_all(cut).pins
    for block in cut.plan.blocks:
        one = cut.look_at(block.index, pins)
        other = cut.look_at(block.index, _forget_others(cut, block.index, pins))
        assert np.array_equal(one.edges, other.edges)
        assert np.array_equal(one.problem.pins.edge, other.problem.pins.edge)
        assert np.array_equal(one.problem.pins.node, other.problem.pins.node)
        assert np.array_equal(one.problem.costs.start, other.problem.costs.start)


@settings(max_examples=40, deadline=None)
@given(cut=cut_problems())
def test_a_link_is_written_by_the_block_of_its_child_and_by_no_other(cut):
    written = [cut.written_rows(block.index) for block in cut.plan.blocks]
    assert sorted(np.concatenate([links for _, links in written]).tolist()) == list(range(cut.problem.m))
    for nodes, links in written:
        assert np.isin(cut.problem.edges[links, 1], nodes).all()


@settings(max_examples=40, deadline=None)
@given(problem=problems(pinned=True))
def test_one_block_is_the_whole_problem(problem):
    n = problem.n
    t = np.arange(n)
    nodes = Detections(t=t, zyx_um=np.zeros((n, 3)), score=np.ones(n), movement_um=np.zeros((n, 3)))
    graph = CandidateGraph(nodes=nodes, edges=problem.edges, distance_um=np.zeros(problem.m))
    solution = solve_in_blocks(graph, problem, SolveParams(block_frames=9))
    assert problem.price(solution.node_selected, solution.edge_selected) == pytest.approx(cheapest(problem), abs=1e-6)


# --- what a block sees, drawn ----------------------------------------------------------------------------------------


def _cut(graph, frames, context, pins=None, **weights):
    """Cut a drawn graph in time only."""
    params = SolveParams(block_frames=frames, **weights)
    problem = Problem(graph.edges, price_graph(graph, params), pins or Pins.none(graph.nodes.n, graph.n_edges))
    return CutProblem.of(graph, problem, plan_blocks(graph, params, Context(context, (9.0, 9.0, 9.0))))


@pytest.fixture
def chain(graph):
    """One cell in six frames, and a second one that appears in frame 3.

    t0    t1    t2    t3    t4    t5
     0 --- 1 --- 2 --- 3 --- 5 --- 6
                       4
    """
    nodes = [(0, 0, 0.9), (1, 0, 0.9), (2, 0, 0.9), (3, 0, 0.9), (3, 8, 0.9), (4, 0, 0.9), (5, 0, 0.9)]
    return graph(nodes, [(0, 1, 1.0), (1, 2, 1.0), (2, 3, 1.0), (3, 5, 1.0), (5, 6, 1.0)])


def test_tracks_begin_and_end_without_cost_only_where_the_block_ends_and_the_movie_does_not(chain):
    """Three blocks of two frames: 0:2, 4:6, then 2:4; the last one, in the middle, reads frames 1 to 4."""
    cut = _cut(chain, 2, 1, end_cost=5.0)
    assert [block.write[0].start for block in cut.plan.blocks] == [0, 4, 2]
    middle = cut.look_at(2, Decisions(cut).pins)
    assert middle.nodes.tolist() == [1, 2, 3, 4, 5]
    assert middle.problem.costs.start.tolist() == [0, 12, 12, 12, 12]  # 1 may come from 0; 4 comes from nowhere
    assert middle.problem.costs.end.tolist() == [5, 5, 5, 5, 0]  # 5 may go on to 6; 4 goes nowhere
    first = cut.look_at(0, Decisions(cut).pins)
    assert first.nodes.tolist() == [0, 1, 2]
    assert first.problem.costs.start.tolist() == [0, 12, 12]  # the movie's own first frame is free
    assert first.problem.costs.end.tolist() == [5, 5, 0]


def test_a_face_is_not_free_where_the_link_across_it_is_decided(chain):
    cut = _cut(chain, 2, 1)
    decisions = Decisions(cut)
    for number in (0, 1):
        decisions.add(number, solve_block(cut.plan.blocks[number], cut.look_at(number, decisions.pins), params=BLOCKS))
    assert decisions.pins.edge.tolist() == [IN, FREE, FREE, IN, IN]
    middle = cut.look_at(2, decisions.pins)
    assert middle.nodes.tolist() == [0, 1, 2, 3, 4, 5, 6]  # with the far ends of both links
    assert middle.problem.pins.edge.tolist() == [IN, FREE, FREE, IN, IN]
    assert middle.problem.costs.start.tolist() == [0, 12, 12, 12, 12, 12, 0]
    left = Pins(node=decisions.pins.node, edge=np.where(np.arange(5) == 0, OUT, decisions.pins.edge))
    alone = cut.look_at(2, left)
    assert alone.nodes.tolist() == [1, 2, 3, 4, 5, 6]
    assert alone.problem.costs.start[0] == 12


def test_decided_links_count_for_a_mother_even_where_the_daughters_are_out_of_sight(graph):
    """Blocks of 4 µm that see 3 µm more. Node 3's block sees its mother, who has two children it does not see.

        x:  -8        -1.5        1
    t0                  0 --.
                 ,-----´     `.
    t1      1, 2                3
    """
    three = graph([(0, -1.5, 0.9), (1, -8, 0.9), (1, -7.5, 0.9), (1, 1, 0.9)], [(0, 1, 6.0), (0, 2, 6.0), (0, 3, 0.1)])
    params = SolveParams(block_um=(4, 4, 4), division_cost=-50)
    context = Context(1, (3.0, 3.0, 3.0))
    cut = CutProblem.of(three, pose_problem(three, params), plan_blocks(three, params, context))
    decisions = Decisions(cut)
    for number in (0, 1):
        decisions.add(number, solve_block(cut.plan.blocks[number], cut.look_at(number, decisions.pins), params=params))
    assert decisions.pins.edge.tolist() == [IN, IN, FREE]
    assert set(cut.look_at(2, Decisions(cut).pins).nodes) == {0, 3}
    assert solve_block(cut.plan.blocks[2], cut.look_at(2, decisions.pins), params=params).edge_selected.tolist() == [
        False
    ]


def test_a_node_that_was_left_is_not_taken_later(graph):
    """Frame by frame: the first block does not see what comes after the weak nodes 0 and 1, and leaves 0.

     t0      t1      t2
    (.05)   (.05)   (.9)
      0 --0-- 1 --0-- 2
    """
    weak = graph([(0, 0, 0.05), (1, 0, 0.05), (2, 0, 0.9)], [(0, 1, 0.0), (1, 2, 0.0)])
    assert solve_graph(weak, SolveParams()).node_selected.all()
    cut = _cut(weak, 1, 1)
    decisions = _solve_all(cut)
    assert decisions.pins.node.tolist() == [OUT, OUT, IN]
    assert decisions.pins.edge.tolist() == [OUT, OUT]
    held = cut.look_at(1, decisions.pins)
    assert held.problem.pins.node.tolist() == [OUT, FREE, FREE]


def test_the_context_is_solved_but_not_written(chain):
    cut = _cut(chain, 2, 1)
    solved = solve_block(cut.plan.blocks[0], cut.look_at(0, Decisions(cut).pins), params=BLOCKS)
    assert len(cut.look_at(0, Decisions(cut).pins).nodes) == 3
    assert (solved.node_selected.tolist(), solved.edge_selected.tolist()) == ([True, True], [True])


def test_hand_corrections_across_a_face_are_known_to_the_first_block(chain):
    """Link 1 → 2 is forbidden by hand; the block of frame 1 may not count on it, nor end there for free."""
    by_hand = Pins(node=np.zeros(7), edge=np.array([0, OUT, 0, 0, 0]))
    cut = _cut(chain, 2, 1, pins=by_hand, end_cost=5.0)
    view = cut.look_at(0, Decisions(cut).pins)
    assert view.edges.tolist() == [0]
    assert view.problem.costs.end.tolist() == [5, 5, 0]


# --- whole graphs ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tissue(instances):
    return instances.make_graph(900, 3600, seed=2, n_frames=12)


def test_blocks_in_time_and_space_reach_the_whole_optimum_of_an_easy_graph_within_a_thousandth(tissue):
    whole = solve_graph(tissue, SolveParams())
    params = SolveParams(block_frames=4, block_um=(30, 30, 30))
    cut = cut_problem(tissue, pose_problem(tissue, params), params)
    assert len(cut.plan.blocks) > 12
    selection = solve_graph(tissue, params)
    assert selection.objective == pytest.approx(whole.objective, rel=1e-3)
    assert selection.lower_bound <= whole.objective <= selection.objective + 1e-6
    assert selection.gap < 1e-3


def test_the_objective_is_the_plain_sum_over_the_whole_graph(tissue):
    params = SolveParams(block_frames=3, context_frames=1)
    selection = solve_graph(tissue, params)
    problem = pose_problem(tissue, params)
    assert selection.objective == problem.price(selection.node_selected, selection.edge_selected)
    assert selection.objective > solve_graph(tissue, SolveParams()).objective  # one frame of context costs something
    assert selection.status == "feasible"


def test_without_a_bound_the_gap_is_unknown_and_nothing_is_called_optimal(tissue):
    with_bound = solve_graph(tissue, SolveParams(block_frames=6))
    without = solve_graph(tissue, SolveParams(block_frames=6, block_bound=False))
    assert without.objective == with_bound.objective
    assert (without.lower_bound, without.gap, without.status) == (-np.inf, np.inf, "feasible")


def test_the_method_of_a_block_makes_no_difference_to_its_rules(tissue):
    params = SolveParams(block_frames=4, method="ascent", gap=1e-6)
    exact = solve_graph(tissue, replace(params, method="exact"))
    assert solve_graph(tissue, params).objective == pytest.approx(exact.objective, rel=1e-5)


def test_every_block_says_its_status_and_gap(tissue):
    events = []
    solve_graph(tissue, SolveParams(block_frames=4), progress=events.append)
    assert [(event.done, event.total, event.unit) for event in events] == [(i, 3, "blocks") for i in (1, 2, 3)]
    assert {event.detail for event in events} == {"optimal, gap 0"}


def test_a_block_that_is_late_is_named_and_never_written(tissue):
    params = SolveParams(block_frames=4, method="ascent", gap=0.0, time_limit_s=1e-9)
    with pytest.raises(SolveError, match=r"^block 0 \(t 0:4, .*\): not solved within 1e-09 s"):
        solve_graph(tissue, params)


def test_a_block_without_any_solution_is_named(tissue):
    params = SolveParams(block_frames=4, method="exact", time_limit_s=1e-9)
    with pytest.raises(SolveError, match=r"^block 0 \(t 0:4, .*\): no forest found"):
        solve_graph(tissue, params)


def test_a_missing_block_is_named(chain):
    cut = _cut(chain, 2, 1)
    decisions = Decisions(cut)
    decisions.add(0, solve_block(cut.plan.blocks[0], cut.look_at(0, decisions.pins), params=BLOCKS))
    with pytest.raises(SolveError, match=r"block 1 \(t 4:6, .*\) is not solved, nor are 1 others"):
        decisions.join(bound=False)


def test_decisions_about_another_graph_are_refused(chain):
    cut = _cut(chain, 2, 1)
    solved = solve_block(cut.plan.blocks[0], cut.look_at(0, Decisions(cut).pins), params=BLOCKS)
    with pytest.raises(
        SolveError, match=r"block 2 .* not about this graph(.|\n)*\(2, 1\) decided, \(3, 2\) in the block"
    ):
        Decisions(cut).add(2, solved)


def test_an_empty_graph_has_an_empty_answer():
    empty = CandidateGraph(nodes=Detections.empty(), edges=np.zeros((0, 2)), distance_um=np.zeros(0))
    selection = solve_graph(empty, BLOCKS)
    assert (selection.objective, selection.lower_bound, selection.status) == (0.0, 0.0, "optimal")
