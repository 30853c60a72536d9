from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from morula.core.blocks import Block
from morula.core.confidence import Confidence, Margins
from morula.core.detections import Detections
from morula.core.graph import CandidateGraph
from morula.core.lineages import Selection
from morula.errors import ChunkError, StoreError, StoreLockedError
from morula.store.places import Place
from morula.store.reader import StoreReader
from morula.store.records import FailedBlock, StageRecord
from morula.store.rows import insert_detections
from morula.store.store import Store

MakeDetections = Callable[..., Detections]
MakeStage = Callable[..., StageRecord]


def _columns(detections: Detections) -> list[bytes]:
    return [getattr(detections, name).tobytes() for name in Detections.__slots__]


def _finish_detect(store: Store, nodes: Detections, block: Block) -> None:
    store.write_block("detect", block, nodes, 0.1)
    store.finish_stage("detect", seconds=0.1, summary={})


@pytest.mark.parametrize("divisions", [True, False])
def test_detections_come_back_sorted_and_to_the_last_bit(
    store: Store, blocks: list[Block], make_detections: MakeDetections, divisions: bool
) -> None:
    parts = [make_detections(block, divisions=divisions) for block in blocks]
    assert np.isnan(parts[0].divides).all() == (not divisions)
    for block, part in zip(reversed(blocks), reversed(parts), strict=True):
        store.write_block("detect", block, part, 0.1)
    store.finish_stage("detect", seconds=1.0, summary={})
    assert _columns(store.read_detections()) == _columns(Detections.concatenated(parts))


def test_a_block_without_detections_is_done_all_the_same(store: Store, blocks: list[Block]) -> None:
    store.write_block("detect", blocks[0], Detections.empty(), 0.1)
    store.finish_stage("detect", seconds=1.0, summary={})
    assert store.read_done_blocks("detect") == {0}
    assert store.read_detections().n == 0


def test_a_block_run_twice_leaves_one_result(
    store: Store, blocks: list[Block], make_detections: MakeDetections
) -> None:
    store.write_block("detect", blocks[2], make_detections(blocks[2], n=7), 0.1)
    store.write_block("detect", blocks[2], make_detections(blocks[2], n=3), 0.1)
    store.finish_stage("detect", seconds=1.0, summary={})
    assert _columns(store.read_detections()) == _columns(make_detections(blocks[2], n=3))


def test_a_block_that_failed_leaves_its_error_and_no_rows(
    store: Store, blocks: list[Block], make_detections: MakeDetections
) -> None:
    store.write_block("detect", blocks[1], make_detections(blocks[1]), 0.1)
    store.write_failed_block("detect", blocks[1], ChunkError("chunk 0.1 is broken.", fix="copy it again"), 2)
    store.write_failed_block("detect", blocks[0], MemoryError(), 1)
    assert store.read_done_blocks("detect") == frozenset()
    assert store.read_failed_blocks("detect") == (
        FailedBlock(0, blocks[0].name, 1, "MemoryError"),
        FailedBlock(1, blocks[1].name, 2, "chunk 0.1 is broken.\n  fix:      copy it again"),
    )
    store.write_block("detect", blocks[1], make_detections(blocks[1]), 0.1)
    assert store.read_done_blocks("detect") == {1}
    assert [block.block for block in store.read_failed_blocks("detect")] == [0]


def test_a_write_that_fails_in_the_middle_changes_nothing(
    store: Store, blocks: list[Block], make_detections: MakeDetections, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write_block("detect", blocks[0], make_detections(blocks[0]), 0.1)

    def insert_and_interrupt(*written: Any) -> None:
        insert_detections(*written)
        raise KeyboardInterrupt

    monkeypatch.setattr("morula.store.blocks.insert_detections", insert_and_interrupt)
    with pytest.raises(KeyboardInterrupt):
        store.write_block("detect", blocks[0], make_detections(blocks[0], n=50), 0.1)
    with pytest.raises(KeyboardInterrupt):
        store.write_block("detect", blocks[1], make_detections(blocks[1]), 0.1)
    monkeypatch.undo()
    store.finish_stage("detect", seconds=1.0, summary={})
    assert store.read_done_blocks("detect") == {0}
    assert _columns(store.read_detections()) == _columns(make_detections(blocks[0]))


@given(st.permutations(range(6)), st.integers(0, 3))
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_order_of_blocks_does_not_show_even_among_equal_positions(
    tmp_path_factory: pytest.TempPathFactory, blocks: list[Block], order: list[int], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    parts = [
        Detections.sorted(
            np.zeros(3, np.int32),
            np.ones((3, 3)),
            rng.integers(0, 2, 3) / 4.0,
            rng.integers(0, 2, (3, 3)),
            *rng.integers(0, 2, (2, 3)).astype(float),
        )
        for _ in blocks
    ]
    read = []
    for sequence in (range(6), order):
        with Store.open(tmp_path_factory.mktemp("order") / "store.sqlite") as store:
            store.begin_stage(StageRecord(0, "detect", "f", {}, {}, (), 6, "running", 0.0))
            for index in sequence:
                store.write_block("detect", blocks[index], parts[index], 0.1)
            store.finish_stage("detect", seconds=1.0, summary={})
            read.append(_columns(store.read_detections()))
    assert read[0] == read[1]


def test_a_graph_and_its_selection_come_back_as_they_were(
    store: Store, blocks: list[Block], graph: CandidateGraph, selection: Selection, make_stage: MakeStage
) -> None:
    _finish_detect(store, graph.nodes, blocks[0])
    store.begin_stage(make_stage("candidates", n_blocks=0))
    store.write_graph("candidates", graph, detections="detect", summary={"edges": 5})
    store.begin_stage(make_stage("solve", n_blocks=0))
    store.write_selection("solve", selection, graph="candidates", seconds=2.0)
    read = store.read_graph()
    assert read.edges.tolist() == graph.edges.tolist()
    assert read.distance_um.tolist() == graph.distance_um.tolist()
    assert _columns(read.nodes) == _columns(graph.nodes)
    chosen = store.read_selection()
    assert chosen.node_selected.tolist() == selection.node_selected.tolist()
    assert chosen.edge_selected.tolist() == selection.edge_selected.tolist()
    assert (chosen.objective, chosen.lower_bound, chosen.status, chosen.seconds) == (-1.25, -np.inf, "feasible", 0.5)
    assert [(record.name, record.state) for record in store.read_stages()] == [
        ("detect", "done"),
        ("candidates", "done"),
        ("solve", "done"),
    ]


def _solve_stored(store: Store, graph: CandidateGraph, selection: Selection, block: Block, make: MakeStage) -> None:
    _finish_detect(store, graph.nodes, block)
    store.begin_stage(make("candidates", n_blocks=0))
    store.write_graph("candidates", graph, detections="detect")
    store.begin_stage(make("solve", n_blocks=0))
    store.write_selection("solve", selection, graph="candidates")
    store.begin_stage(make("confidence", n_blocks=0))


def test_the_confidence_of_a_selection_comes_back_as_it_was(
    store: Store, blocks: list[Block], graph: CandidateGraph, selection: Selection, make_stage: MakeStage
) -> None:
    _solve_stored(store, graph, selection, blocks[0], make_stage)
    assert store.find_confidence() is None
    margins = Margins(node=np.array([1, 2, 0.5, np.inf, 0]), edge=np.arange(5) / 4, lower_bound=-1.5)
    right = np.array([1.0, 0.75, np.nan, 0.5, np.nan])
    store.write_confidence("confidence", Confidence(margins, margins.node, right, "12 links"), selection="solve")
    read = store.find_confidence()
    assert read is not None
    assert (read.margins.lower_bound, read.basis) == (-1.5, "12 links")
    assert read.margins.node.tolist() == read.past_margin.tolist() == [1, 2, 0.5, np.inf, 0]
    assert read.margins.edge.tolist() == [0, 0.25, 0.5, 0.75, 1]
    np.testing.assert_array_equal(read.past_right, right)


def test_the_confidence_of_another_selection_is_refused(
    store: Store, blocks: list[Block], graph: CandidateGraph, selection: Selection, make_stage: MakeStage
) -> None:
    _solve_stored(store, graph, selection, blocks[0], make_stage)
    short = Confidence(Margins(np.ones(5), np.ones(4), 0.0), np.ones(5), np.full(5, 0.5), "nothing")
    with pytest.raises(StoreError, match="does not fit the selection of solve") as caught:
        store.write_confidence("confidence", short, selection="solve")
    assert "(5, 4) in the confidence, (5, 5) in the selection" in caught.value.measured


def test_a_graph_without_edges_or_nodes_can_be_stored(store: Store, blocks: list[Block], make_stage: MakeStage) -> None:
    _finish_detect(store, Detections.empty(), blocks[0])
    store.begin_stage(make_stage("candidates", n_blocks=0))
    empty = CandidateGraph(nodes=Detections.empty(), edges=np.zeros((0, 2), np.int64), distance_um=np.zeros(0))
    store.write_graph("candidates", empty, detections="detect")
    assert (store.read_graph().n_edges, store.read_graph().nodes.n) == (0, 0)


def test_a_graph_on_other_detections_is_refused(
    store: Store, blocks: list[Block], graph: CandidateGraph, make_detections: MakeDetections, make_stage: MakeStage
) -> None:
    _finish_detect(store, make_detections(blocks[0], n=4), blocks[0])
    store.begin_stage(make_stage("candidates", n_blocks=0))
    with pytest.raises(StoreError, match="does not stand on the detections of detect") as caught:
        store.write_graph("candidates", graph, detections="detect")
    assert caught.value.measured == "5 nodes in the graph, 4 detections stored"
    with pytest.raises(StoreError, match="candidates is not done"):
        store.read_graph()


@pytest.mark.parametrize("divisions", [True, False])
def test_a_graph_whose_detections_divide_otherwise_is_refused(
    store: Store, blocks: list[Block], make_detections: MakeDetections, make_stage: MakeStage, divisions: bool
) -> None:
    found = make_detections(blocks[0], n=2, divisions=divisions)
    _finish_detect(store, found, blocks[0])
    store.begin_stage(make_stage("candidates", n_blocks=0))
    other = {name: getattr(found, name) for name in Detections.__slots__} | {"born": np.full(2, 0.5)}
    for nodes, is_refused in ((Detections(**other), True), (found, False)):
        on_nodes = CandidateGraph(nodes=nodes, edges=np.zeros((0, 2), np.int64), distance_um=np.zeros(0))
        with pytest.raises(StoreError, match="does not stand on") if is_refused else nullcontext():
            store.write_graph("candidates", on_nodes, detections="detect")
    assert store.read_graph().nodes.n == 2


def test_a_selection_of_another_graph_is_refused(
    store: Store, blocks: list[Block], graph: CandidateGraph, make_stage: MakeStage
) -> None:
    _finish_detect(store, graph.nodes, blocks[0])
    store.begin_stage(make_stage("candidates", n_blocks=0))
    store.write_graph("candidates", graph, detections="detect")
    store.begin_stage(make_stage("solve", n_blocks=0))
    short = Selection(np.ones(5, bool), np.ones(4, bool), 0.0, 0.0, "optimal", 0.0)
    with pytest.raises(StoreError, match="does not fit the graph of candidates") as caught:
        store.write_selection("solve", short, graph="candidates")
    assert "(5, 4) in the selection, (5, 5) in the graph" in caught.value.measured


def test_results_of_an_unfinished_stage_are_not_given_out(store: Store) -> None:
    with pytest.raises(StoreError, match="detect is not done") as caught:
        store.read_detections()
    assert caught.value.measured == "its state is running"
    with pytest.raises(StoreError, match="candidates is not done"):
        store.read_graph()


def test_a_stage_that_wrote_something_else_is_named(store: Store) -> None:
    store.finish_stage("detect", seconds=1.0, summary={})
    with pytest.raises(StoreError, match="detect wrote no graph"):
        store.read_graph("detect")
    with pytest.raises(StoreError, match="detect wrote no selection"):
        store.read_selection("detect")


def test_writing_to_a_stage_that_has_not_begun_is_refused(store: Store, blocks: list[Block]) -> None:
    with pytest.raises(StoreError, match="baseline has not begun"):
        store.write_block("baseline", blocks[0], Detections.empty(), 0.1)
    with pytest.raises(StoreError, match="baseline has not begun"):
        store.finish_stage("baseline", seconds=0.1, summary={})


def test_two_stages_keep_their_detections_apart(
    store: Store, blocks: list[Block], make_detections: MakeDetections, make_stage: MakeStage
) -> None:
    store.begin_stage(make_stage("baseline"))
    for stage, n in (("detect", 4), ("baseline", 6)):
        store.write_block(stage, blocks[0], make_detections(blocks[0], n=n), 0.1)
        store.finish_stage(stage, seconds=0.1, summary={})
    assert (store.read_detections().n, store.read_detections("baseline").n) == (4, 6)
    store.begin_stage(make_stage(), cleared=[store.require_stage("detect")])
    assert store.read_done_blocks("detect") == frozenset()
    assert store.read_detections("baseline").n == 6


def test_a_stage_begun_again_keeps_done_blocks_and_forgets_failed_ones(
    store: Store, blocks: list[Block], make_stage: MakeStage
) -> None:
    store.write_block("detect", blocks[0], Detections.empty(), 0.1)
    store.write_failed_block("detect", blocks[1], MemoryError(), 1)
    store.fail_stage("detect", seconds=3.0, error="1 block failed")
    store.begin_stage(make_stage())
    assert store.read_done_blocks("detect") == {0}
    assert store.read_failed_blocks("detect") == ()
    record = store.find_stage("detect")
    assert record is not None
    assert (record.state, record.error, record.seconds) == ("running", "", 3.0)


def test_a_summary_is_kept_as_plain_numbers(store: Store) -> None:
    store.finish_stage("detect", seconds=1.5, summary={"recall": np.float64(0.5), "f1": float("nan")})
    record = store.require_stage("detect")
    assert (record.summary, record.seconds) == ({"recall": 0.5, "f1": None}, 1.5)


def test_a_reader_sees_what_was_committed_while_the_writer_writes(
    store: Store, blocks: list[Block], make_detections: MakeDetections
) -> None:
    store.write_block("detect", blocks[0], make_detections(blocks[0]), 0.1)
    with StoreReader.open(store.place) as reader:
        assert reader.read_done_blocks("detect") == {0}
        store.write_block("detect", blocks[1], make_detections(blocks[1]), 0.1)
        assert reader.read_done_blocks("detect") == {0, 1}


def _lock(place: Place) -> Any:
    """Lock a store as a database browser would; closing what is returned ends it."""
    if isinstance(place, Path):
        other = sqlite3.connect(place, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        return other
    import psycopg

    session = psycopg.connect(place.url)
    session.execute(f"LOCK TABLE {place.schema}.blocks")
    return session


def test_a_store_locked_by_another_program_is_named_and_unharmed(store: Store, blocks: list[Block]) -> None:
    other = _lock(store.place)
    with pytest.raises(StoreLockedError, match="another program keeps the store locked") as caught:
        store.write_block("detect", blocks[0], Detections.empty(), 0.1)
    assert store.name in caught.value.what
    other.close()
    store.write_block("detect", blocks[0], Detections.empty(), 0.1)
    assert store.read_done_blocks("detect") == {0}


def test_a_page_overwritten_by_accident_is_a_store_error_not_a_crash(
    tmp_path: Path, blocks: list[Block], make_detections: MakeDetections, make_stage: MakeStage
) -> None:
    path = tmp_path / "store.sqlite"
    with Store.open(path) as store:
        store.begin_stage(make_stage())
        _finish_detect(store, make_detections(blocks[0], n=2000), blocks[0])
    content = bytearray(path.read_bytes())
    content[15 * 4096 : 30 * 4096] = b"\xff" * (15 * 4096)
    path.write_bytes(content)
    with (
        pytest.raises(StoreError, match="this is not a store, or it is damaged"),
        StoreReader.open(path) as reader,
    ):
        reader.read_detections()


def test_what_a_block_of_a_graph_chose_comes_back_with_its_done_mark(
    store: Store, blocks: list[Block], selection: Selection
) -> None:
    store.write_block_selection("detect", blocks[2], selection, 0.3)
    store.write_block_selection("detect", blocks[0], replace(selection, objective=-7.0), 0.3)
    back = store.read_block_selections("detect")
    assert list(back) == [0, 2]
    assert store.read_done_blocks("detect") == {0, 2}
    assert (back[0].objective, back[2].objective, back[2].lower_bound) == (-7.0, -1.25, -np.inf)
    assert np.array_equal(back[2].node_selected, selection.node_selected)
    assert np.array_equal(back[2].edge_selected, selection.edge_selected)
    assert store.read_block_selections("solve") == {}


def test_a_block_that_fails_later_loses_what_it_chose(store: Store, blocks: list[Block], selection: Selection) -> None:
    store.write_block_selection("detect", blocks[2], selection, 0.3)
    store.write_failed_block("detect", blocks[2], MemoryError("no room"), 2)
    assert store.read_block_selections("detect") == {}
    assert store.read_done_blocks("detect") == frozenset()
