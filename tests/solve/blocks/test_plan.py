from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from morula.core.detections import Detections
from morula.core.graph import CandidateGraph
from morula.errors import ConfigError
from morula.solve.blocks.plan import Context, choose_context, find_rows_inside, plan_blocks
from morula.solve.params import SolveParams

sizes = st.floats(0.3, 30, allow_nan=False)


def _bare(t, zyx_um):
    nodes = Detections.sorted(t, zyx_um, np.ones(len(t)), np.zeros((len(t), 3)))
    return CandidateGraph(nodes=nodes, edges=np.zeros((0, 2)), distance_um=np.zeros(0))


@st.composite
def plans(draw):
    """A graph without links, anywhere, and a plan with blocks and context of any size."""
    n = draw(st.integers(1, 30))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    graph = _bare(rng.integers(0, 12, n), np.round(rng.uniform(-5, 25, (n, 3)), draw(st.integers(0, 3))))
    params = SolveParams(
        block_frames=draw(st.none() | st.integers(1, 5)), block_um=draw(st.none() | st.tuples(sizes, sizes, sizes))
    )
    width = st.floats(0, 12)
    context = Context(draw(st.integers(0, 3)), (draw(width), draw(width), draw(width)))
    return graph, context, plan_blocks(graph, params, context)


def _share_room(one, other):
    return all(max(a.start, b.start) < min(a.stop, b.stop) for a, b in zip(one.read, other.read, strict=True))


@settings(max_examples=60, deadline=None)
@given(drawn=plans())
def test_every_node_is_written_by_one_block_and_every_block_writes_a_node(drawn):
    graph, _, plan = drawn
    rows = [find_rows_inside(graph.nodes.t, graph.nodes.zyx_um, block.write) for block in plan.blocks]
    assert all(len(some) for some in rows)
    assert np.array_equal(np.sort(np.concatenate(rows)), np.arange(graph.nodes.n))


@settings(max_examples=60, deadline=None)
@given(drawn=plans())
def test_a_block_reads_its_own_region_and_the_context_on_every_side(drawn):
    _, context, plan = drawn
    for block in plan.blocks:
        for write, read, width in zip(block.write, block.read, (context.frames, *context.zyx_um), strict=True):
            assert read.start == pytest.approx(write.start - width)
            assert read.stop == pytest.approx(write.stop + width)


@settings(max_examples=60, deadline=None)
@given(drawn=plans())
def test_blocks_whose_read_regions_overlap_have_different_colours_and_one_waits_for_the_other(drawn):
    _, _, plan = drawn
    assert [block.index for block in plan.blocks] == list(range(len(plan.blocks)))
    assert list(plan.colour) == sorted(plan.colour)
    for one, other in combinations(plan.blocks, 2):
        overlap = _share_room(one, other)
        assert (one.index in plan.dependencies[other.index]) == overlap
        if overlap:
            assert plan.colour[one.index] < plan.colour[other.index]


def test_blocks_larger_than_twice_the_context_need_two_colours_an_axis():
    rng = np.random.default_rng(0)
    graph = _bare(rng.integers(0, 40, 4000), rng.uniform(0, 80, (4000, 3)))
    plan = plan_blocks(graph, SolveParams(block_frames=10, block_um=(20, 20, 20)), Context(3, (10, 10, 10)))
    assert len(plan.blocks) == 4**4
    assert plan.colour[-1] + 1 == 2**4


def test_the_cut_does_not_move_with_the_cells():
    few = plan_blocks(
        _bare([7], [[3, 14, 25]]), SolveParams(block_frames=5, block_um=(10, 10, 10)), Context(1, (1, 1, 1))
    )
    assert few.blocks[0].write == (slice(5, 10), slice(0, 10), slice(10, 20), slice(20, 30))
    assert few.blocks[0].name == "block 0 (t 5:10, z 0:10, y 10:20, x 20:30)"


def test_a_graph_without_nodes_has_no_blocks():
    empty = CandidateGraph(nodes=Detections.empty(), edges=np.zeros((0, 2)), distance_um=np.zeros(0))
    assert plan_blocks(empty, SolveParams(block_frames=2), Context(1, (0, 0, 0))).blocks == ()


def test_the_context_is_derived_from_the_longest_link(division):
    """The links of `division` reach 2 µm along x and over one frame."""
    context = choose_context(division, SolveParams(block_frames=1))
    assert context.frames == 5
    assert context.zyx_um == pytest.approx((0, 0, 4))


def test_links_over_frames_lengthen_the_context(graph):
    skipping = graph([(0, 0, 0.9), (1, 30, 0.9), (3, 1, 0.9)], [(0, 2, 1.0)])
    assert choose_context(skipping, SolveParams(block_frames=1)).frames == 6
    with pytest.raises(
        ConfigError, match=r"context of 2 frames .* too small(.|\n)*over 3 frames(.|\n)*give at least 3"
    ):
        choose_context(skipping, SolveParams(block_frames=1, context_frames=2))


def test_a_context_in_which_sisters_can_be_missed_is_refused(division):
    assert choose_context(division, SolveParams(block_frames=1, context_um=(0, 0, 4))).zyx_um == (0, 0, 4)
    with pytest.raises(ConfigError, match=r"0, 0, 3.9 µm .* too small(.|\n)*up to 0.0, 0.0, 2.0 µm"):
        choose_context(division, SolveParams(block_frames=1, context_um=(0, 0, 3.9)))


def test_blocks_in_the_wrong_unit_are_refused():
    with pytest.raises(ConfigError, match=r"0.001 along z cut the graph into 1000001 pieces"):
        plan_blocks(_bare([0, 0], [[0, 0, 0], [1000, 0, 0]]), SolveParams(block_um=(1e-3, 1, 1)), Context(1, (1, 1, 1)))


@pytest.mark.parametrize("setting", [{"block_frames": 0}, {"block_um": (1, 0, 1)}, {"context_um": (1, 1, -1)}])
def test_sizes_out_of_range_are_refused(setting):
    with pytest.raises(ValueError, match=next(iter(setting))):
        SolveParams(**setting)
