from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from small_problems import cheapest, problems

from morula.solve.ascent.dual import DualAscent
from morula.solve.params import SolveParams
from morula.solve.problem.costs import price_graph
from morula.solve.problem.problem import Problem
from morula.solve.problem.reduce import drop_excluded


def _price(graph):
    return drop_excluded(Problem(graph.edges, price_graph(graph, SolveParams()))).problem


@settings(max_examples=100, deadline=None)
@given(problem=problems(pinned=True), data=st.data())
def test_sweeping_some_nodes_only_never_lowers_the_bound_of_the_whole_graph(problem, data):
    ascent = DualAscent(drop_excluded(problem).problem)
    least, bound = cheapest(problem), ascent.bound()
    for _ in range(4):
        rows = np.array(sorted(data.draw(st.sets(st.integers(0, problem.n - 1)))), np.uint32)
        ascent.sweep_sharply(rows) if data.draw(st.booleans()) else ascent.sweep(rows)
        before, bound = bound, ascent.bound()
        assert before - 1e-6 <= bound <= least + 1e-6


def test_a_sweep_over_no_node_moves_nothing_and_one_over_all_nodes_is_a_whole_one(instances):
    problem = _price(instances.make_graph(300, 1200, seed=3))
    untouched, none, some, whole = (DualAscent(problem) for _ in range(4))
    none.sweep(np.zeros(0, np.uint32))
    some.sweep(np.arange(problem.n, dtype=np.uint32))
    whole.sweep()
    assert untouched.bound() == none.bound() < some.bound() == whole.bound()


def test_the_rows_around_a_node_are_those_so_many_links_away(division):
    """
    t0      t1      t2
                2--- 2
     0 --1-- 1 <
                2--- 3
    """
    ascent = DualAscent(_price(division))
    near = np.array([False, False, False, True])
    around = [ascent.rows_around(near, reach).tolist() for reach in range(4)]
    assert around == [[3], [1, 3], [0, 1, 2, 3], [0, 1, 2, 3]]
