"""Candidate graphs as GEFF."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from morula.core.detections import DIVISION_COLUMNS, Detections
from morula.core.graph import CandidateGraph
from morula.core.lineages import Lineages, Selection
from morula.core.pins import Pins
from morula.core.tracks import Tracks
from morula.errors import DiskError, GraphError, MorulaError, TracksFormatError, TracksNotFoundError
from morula.io.tracks.files import read_tracks, write_tracks
from morula.io.tracks.geff_write import GeffTable, write_geff
from morula.io.tracks.graphs import GraphFile, read_candidate_graph, read_graph_file, write_candidate_graph


def make_graph(seed: int, n: int = 40, m: int = 60, known: tuple[str, ...] = ()) -> CandidateGraph:
    rng = np.random.default_rng(seed)
    nodes = Detections.sorted(
        rng.integers(0, 6, n).astype(np.int32),
        rng.uniform(0, 100, (n, 3)),
        rng.uniform(0, 1, n),
        rng.normal(0, 1, (n, 3)),
        **{name: np.random.default_rng([seed, i]).uniform(0, 1, n) for i, name in enumerate(known)},
    )
    pairs = np.unique(rng.integers(0, n, (m, 2)), axis=0) if n else np.zeros((0, 2), np.int64)
    pairs = pairs[nodes.t[pairs[:, 0]] < nodes.t[pairs[:, 1]]]
    return CandidateGraph(nodes=nodes, edges=pairs, distance_um=rng.uniform(0, 10, len(pairs)))


def same(one: CandidateGraph, two: CandidateGraph) -> bool:
    nodes = all(
        np.array_equal(getattr(one.nodes, name), getattr(two.nodes, name), equal_nan=name in DIVISION_COLUMNS)
        for name in Detections.__slots__
    )
    return nodes and np.array_equal(one.edges, two.edges) and np.array_equal(one.distance_um, two.distance_um)


#  ids 70 (t 4) → 5 (t 5) and 70 → 900 (t 5), stored in another order than time
def table(**changes: object) -> GeffTable:
    props = {
        "t": np.array([5, 5, 4]),
        "z": np.array([1.0, 1.0, 1.0]),
        "y": np.array([2.0, 9.0, 2.0]),
        "x": np.array([3.0, 3.0, 3.5]),
        "score": np.array([0.5, 0.6, 0.9]),
    }
    content: dict[str, object] = {
        "node_id": np.array([5, 900, 70]),
        "node_props": props,
        "edge_ids": np.array([[70, 5], [70, 900]]),
        "edge_props": {"distance": np.array([0.5, 7.0])},
    }
    return GeffTable(**{**content, **changes})  # type: ignore[arg-type]


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 60))
def test_what_is_written_reads_back_the_same(tmp_path_factory: pytest.TempPathFactory, seed: int, n: int) -> None:
    path = tmp_path_factory.mktemp("graph") / "g.geff"
    graph = make_graph(seed, n)
    write_candidate_graph(graph, path)
    again = read_graph_file(path)
    assert same(again.graph, graph)
    assert again.node_id.tolist() == list(range(n))


def test_what_is_written_is_valid_for_geff_with_axes_and_units(tmp_path: Path) -> None:
    from geff.core_io import read_to_memory
    from geff.validate.data import ValidationConfig

    write_candidate_graph(make_graph(1), tmp_path / "g.geff")
    metadata = read_to_memory(tmp_path / "g.geff", data_validation=ValidationConfig(graph=True))["metadata"]
    assert [(axis.name, axis.unit) for axis in metadata.axes or []] == [
        ("t", "frame"),
        ("z", "micrometer"),
        ("y", "micrometer"),
        ("x", "micrometer"),
    ]
    assert metadata.edge_props_metadata["distance"].unit == "micrometer"
    assert metadata.directed


def test_arbitrary_node_ids_become_rows_sorted_by_frame(tmp_path: Path) -> None:
    write_geff(table(), tmp_path / "g.geff", overwrite=False)
    read = read_graph_file(tmp_path / "g.geff")
    assert read.node_id.tolist() == [70, 5, 900]
    assert read.graph.nodes.t.tolist() == [4, 5, 5]
    assert read.graph.nodes.score.tolist() == [0.9, 0.5, 0.6]
    assert read.graph.edges.tolist() == [[0, 1], [0, 2]]
    assert read.graph.distance_um.tolist() == [0.5, 7.0]


def test_movement_that_is_absent_is_zero(tmp_path: Path) -> None:
    write_geff(table(), tmp_path / "g.geff", overwrite=False)
    assert not read_candidate_graph(tmp_path / "g.geff").nodes.movement_um.any()


@pytest.mark.parametrize("known", [(), ("divides",), ("born",), ("divides", "born")])
def test_who_divides_and_who_is_born_is_written_where_it_is_known(tmp_path: Path, known: tuple[str, ...]) -> None:
    graph = make_graph(3, known=known)
    write_candidate_graph(graph, tmp_path / "g.geff")
    written = {folder.name for folder in (tmp_path / "g.geff/nodes/props").iterdir()}
    assert written & set(DIVISION_COLUMNS) == set(known)
    assert same(read_candidate_graph(tmp_path / "g.geff"), graph)


def test_who_divides_follows_its_node_when_rows_are_sorted_by_frame(tmp_path: Path) -> None:
    props = {**table().node_props, "divides": np.array([0.1, 0.2, 0.9]), "born": np.array([0.8, 0.7, 0.0])}
    write_geff(table(node_props=props), tmp_path / "g.geff", overwrite=False)
    nodes = read_candidate_graph(tmp_path / "g.geff").nodes
    assert nodes.divides.tolist() == [0.9, 0.1, 0.2]
    assert nodes.born.tolist() == [0.0, 0.8, 0.7]


def test_who_divides_is_unknown_where_all_values_are_marked_as_missing(tmp_path: Path) -> None:
    props = {**table().node_props, "divides": np.array([0.1, 0.2, 0.9])}
    write_geff(table(node_props=props), tmp_path / "g.geff", overwrite=False)
    marks = zarr.create_array(tmp_path / "g.geff/nodes/props/divides/missing", data=np.ones(3, bool), zarr_format=3)
    assert np.isnan(read_candidate_graph(tmp_path / "g.geff").nodes.divides).all()
    marks[0] = False
    with pytest.raises(GraphError, match=r"g.geff: detections: divides is known for 1 of 3 rows"):
        read_candidate_graph(tmp_path / "g.geff")


def test_a_solved_graph_keeps_the_ids_of_the_file_it_came_from(tmp_path: Path) -> None:
    write_geff(table(), tmp_path / "in.geff", overwrite=False)
    read = read_graph_file(tmp_path / "in.geff")
    chosen = np.array([True, False, True])
    lineages = Lineages.from_selection(read.graph, Selection(chosen, np.array([False, True]), 0.0, 0.0, "optimal", 0.0))
    nodes = lineages.nodes
    tracks = Tracks(nodes.t, nodes.zyx_um, read.node_id[chosen], lineages.parent_row)
    write_tracks(tracks, tmp_path / "out.geff", format="geff", columns={"score": nodes.score})
    solved = read_tracks(tmp_path / "out.geff")
    assert solved.id.tolist() == [70, 900]
    assert solved.parent_id.tolist() == [-1, 70]


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_pins_are_written_and_read_back(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    path = tmp_path_factory.mktemp("graph") / "g.geff"
    graph, rng = make_graph(seed), np.random.default_rng(seed)
    pins = Pins(node=rng.integers(-1, 2, graph.nodes.n), edge=rng.integers(-1, 2, graph.n_edges))
    write_candidate_graph(graph, path, pins=pins)
    again = read_graph_file(path)
    assert same(again.graph, graph)
    assert np.array_equal(again.pins.node, pins.node)
    assert np.array_equal(again.pins.edge, pins.edge)


def test_pins_follow_their_nodes_when_rows_are_sorted_by_frame(tmp_path: Path) -> None:
    pinned = {**table().node_props, "pinned": np.array([1, 0, -1], np.int8)}
    write_geff(table(node_props=pinned), tmp_path / "g.geff", overwrite=False)
    read = read_graph_file(tmp_path / "g.geff")
    assert dict(zip(read.node_id.tolist(), read.pins.node.tolist(), strict=True)) == {70: -1, 5: 1, 900: 0}
    assert read.pins.edge.tolist() == [0, 0]


def test_a_file_without_pins_pins_nothing_and_missing_ones_are_free(tmp_path: Path) -> None:
    write_geff(table(), tmp_path / "plain.geff", overwrite=False)
    assert not read_graph_file(tmp_path / "plain.geff").pins.any
    props = {**table().edge_props, "pinned": np.array([1, -1], np.int8)}
    write_geff(table(edge_props=props), tmp_path / "g.geff", overwrite=False)
    zarr.create_array(tmp_path / "g.geff/edges/props/pinned/missing", data=np.array([True, False]), zarr_format=3)
    assert read_graph_file(tmp_path / "g.geff").pins.edge.tolist() == [0, -1]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"node_props": {**table().node_props, "pinned": np.array([0, 2, 0])}}, r"g\.geff, node 900: pinned is 2"),
        ({"node_props": {**table().node_props, "pinned": np.array([0, 0, 0.5])}}, "node 70: pinned is 0.5"),
        ({"edge_props": {**table().edge_props, "pinned": np.array([0, np.nan])}}, "edge 70 → 900: pinned is nan"),
    ],
)
def test_pins_of_other_values_are_refused_by_name(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    write_geff(table(**changes), tmp_path / "g.geff", overwrite=False)
    with pytest.raises(GraphError, match=said):
        read_graph_file(tmp_path / "g.geff")


def test_pins_of_another_graph_are_not_written(tmp_path: Path) -> None:
    graph = make_graph(1)
    with pytest.raises(GraphError, match=r"pins for 39 nodes and \d+ links do not fit 40 and"):
        write_candidate_graph(graph, tmp_path / "g.geff", pins=Pins.none(39, graph.n_edges))
    assert not (tmp_path / "g.geff").exists()


def test_edges_of_an_undirected_graph_are_ordered_by_frame(tmp_path: Path) -> None:
    write_geff(table(edge_ids=np.array([[5, 70], [70, 900]])), tmp_path / "g.geff", overwrite=False)
    metadata = tmp_path / "g.geff/zarr.json"
    metadata.write_text(metadata.read_text().replace('"directed": true', '"directed": false'))
    assert read_candidate_graph(tmp_path / "g.geff").edges.tolist() == [[0, 1], [0, 2]]


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"edge_ids": np.array([[5, 70], [70, 900]])}, GraphError, r"g\.geff: .* does not go forward in time"),
        ({"edge_ids": np.array([[70, 6], [70, 900]])}, GraphError, r"edge 0: one of its nodes \[70, 6\] is not"),
        ({"node_id": np.array([5, 5, 70])}, GraphError, "the node id 5 occurs twice"),
        ({"edge_props": {}}, TracksFormatError, "edges/props/distance is not there, expected 2 numbers"),
        ({"edge_props": {"distance": np.array([-1.0, 1])}}, GraphError, "a distance is negative"),
        ({"edge_props": {"distance": np.array([np.nan, 1])}}, GraphError, "distance_um holds 1 values that are not"),
    ],
)
def test_graphs_that_cannot_be_are_refused(
    tmp_path: Path, changes: dict[str, object], error: type[MorulaError], said: str
) -> None:
    write_geff(table(**changes), tmp_path / "g.geff", overwrite=False)
    with pytest.raises(error, match=said):
        read_candidate_graph(tmp_path / "g.geff")


@pytest.mark.parametrize(
    ("name", "values", "error", "said"),
    [
        ("score", None, TracksFormatError, "nodes/props/score is not there, expected 3 numbers"),
        ("t", np.array([5.5, 5, 4]), GraphError, r"node 0: t is 5\.5, a frame is a whole number"),
        ("t", np.array([5, 5, -4]), GraphError, "node 2: t is -4"),
        ("x", np.array([np.inf, 1, 1]), GraphError, "zyx_um holds 1 values that are not finite"),
    ],
)
def test_node_properties_that_cannot_be_are_refused(
    tmp_path: Path, name: str, values: np.ndarray | None, error: type[MorulaError], said: str
) -> None:
    props = dict(table().node_props)
    if values is None:
        del props[name]
    else:
        props[name] = values
    write_geff(table(node_props=props), tmp_path / "g.geff", overwrite=False)
    with pytest.raises(error, match=said):
        read_candidate_graph(tmp_path / "g.geff")


def test_a_graph_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(TracksNotFoundError, match=r"none\.geff: there is no candidate graph"):
        read_candidate_graph(tmp_path / "none.geff")


def test_a_graph_is_not_overwritten_unless_asked(tmp_path: Path) -> None:
    write_candidate_graph(make_graph(1), tmp_path / "g.geff")
    with pytest.raises(DiskError, match="exists already"):
        write_candidate_graph(make_graph(2), tmp_path / "g.geff")
    write_candidate_graph(make_graph(2), tmp_path / "g.geff", overwrite=True)
    assert same(read_candidate_graph(tmp_path / "g.geff"), make_graph(2))


def outcome(path: Path) -> GraphFile | str:
    """What the reader returns, or what it says when it refuses; any other error ends the test."""
    try:
        return read_graph_file(path)
    except MorulaError as error:
        return str(error)


def test_damaged_files_are_refused_or_read_right(
    tmp_path: Path, mutate: Callable[[bytes, int], bytes], mutation_seeds: range
) -> None:
    path = tmp_path / "g.geff"
    write_geff(table(), path, overwrite=False)
    files = sorted(item for item in path.rglob("*") if item.is_file())
    for seed in mutation_seeds:
        damaged = files[seed % len(files)]
        original = damaged.read_bytes()
        damaged.write_bytes(mutate(original, seed))
        result = outcome(path)
        damaged.write_bytes(original)
        assert isinstance(result, GraphFile) or str(path) in result
