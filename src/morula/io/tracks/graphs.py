"""Candidate graphs as GEFF: detections with score and movement, possible links with their distance.

Node properties t, z, y, x and score, edge property distance (µm), axes with units, edges parent → child; the movement
vectors movement_z, movement_y, movement_x (µm) may be absent and are zero then; so may divides and born, the
probabilities that a nucleus divides before the next frame and that it is a daughter in its first, which are unknown
then. Nodes and edges may have a property pinned: 1 where they are to be taken whatever they cost, −1 where they are to
be left, 0 (or missing) elsewhere. Node ids in the file are arbitrary; inside, nodes are rows sorted by frame, and
`read_graph_file` says which id each row has.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from morula.core.columns import FloatArray, FrameArray, IntArray
from morula.core.detections import DIVISION_COLUMNS, Detections
from morula.core.graph import CandidateGraph
from morula.core.pins import FREE, IN, OUT, PinArray, Pins
from morula.errors import GraphError, TracksNotFoundError
from morula.io.tracks.geff_store import GeffFolder
from morula.io.tracks.geff_write import GeffTable, write_geff
from morula.io.tracks.id_rows import find_rows
from morula.io.tracks.units import choose_um_per_unit

_MOVEMENT = ("movement_z", "movement_y", "movement_x")
_PINNED = "pinned"
_LARGEST_FRAME = 2**31 - 1


@dataclass(frozen=True, slots=True, eq=False)
class GraphFile:
    """A candidate graph and the names its nodes have in the file.

    Parameters
    ----------
    graph
        The graph; rows are sorted by frame and otherwise as in the file.
    node_id
        Id in the file of each row, shape (n,), int64.
    pins
        What the file says is decided already.
    """

    graph: CandidateGraph
    node_id: IntArray
    pins: Pins


def read_candidate_graph(path: Path | str) -> CandidateGraph:
    """Read a candidate graph; as `read_graph_file`, without the node ids."""
    return read_graph_file(path).graph


def read_graph_file(path: Path | str) -> GraphFile:
    """Read a candidate graph with its node ids; 10⁶ nodes and 3·10⁶ edges take less than two seconds.

    Parameters
    ----------
    path
        GEFF folder.

    Raises
    ------
    TracksNotFoundError
        If there is no folder at this place.
    TracksFormatError
        If this is no GEFF, a property is absent or damaged.
    GraphError
        If an edge names an unknown node, does not go forward in time, a number is not finite, or a pin is none of
        1, 0 and −1.
    """
    path = Path(path)
    if not path.exists():
        raise TracksNotFoundError(f"{path}: there is no candidate graph at this place.", fix="check the path")
    geff = GeffFolder(path)
    t, zyx_um, um_per_unit = geff.read_positions(1.0)
    _check_frames(t, path)
    _check_unique(geff.node_id, path)
    order = np.argsort(t, kind="stable")
    node_id = geff.node_id[order]
    try:
        nodes = Detections(
            t=t[order].astype(np.int32),
            zyx_um=zyx_um[order],
            score=geff.read_node_prop("score")[order],
            movement_um=_read_movement(geff, um_per_unit)[order],
            **_read_division_columns(geff, order),
        )
        edges = _find_edges(geff, node_id, nodes.t)
        graph = CandidateGraph(nodes=nodes, edges=edges, distance_um=_read_distance(geff))
    except GraphError as error:
        raise GraphError(f"{path}: {error.what}", measured=error.measured, cause=error.cause, fix=error.fix) from None
    return GraphFile(graph=graph, node_id=node_id, pins=_read_pins(geff, order))


def write_candidate_graph(
    graph: CandidateGraph, path: Path | str, *, pins: Pins | None = None, overwrite: bool = False
) -> None:
    """Write a candidate graph as GEFF; node ids are the rows.

    Parameters
    ----------
    graph
        The graph.
    path
        Folder to write; it appears whole or not at all.
    pins
        What is decided already, as properties pinned of nodes and edges; None writes none.
    overwrite
        Replace a zarr folder that exists.

    Raises
    ------
    GraphError
        If the pins are of another graph.
    DiskError
        If the folder exists and `overwrite` is false, or the disk refuses.
    """
    nodes = graph.nodes
    if pins is not None and (len(pins.node), len(pins.edge)) != (nodes.n, graph.n_edges):
        raise GraphError(
            f"pins for {len(pins.node)} nodes and {len(pins.edge)} links do not fit {nodes.n} and {graph.n_edges}.",
            fix="make the pins from the graph they are for",
        )
    columns = {
        "t": nodes.t,
        **{name: nodes.zyx_um[:, axis] for axis, name in enumerate("zyx")},
        "score": nodes.score,
        **{name: nodes.movement_um[:, axis] for axis, name in enumerate(_MOVEMENT)},
        **{name: getattr(nodes, name) for name in nodes.known_division_columns},
        **({} if pins is None else {_PINNED: pins.node}),
    }
    table = GeffTable(
        node_id=np.arange(nodes.n),
        node_props={name: np.ascontiguousarray(values) for name, values in columns.items()},
        edge_ids=graph.edges,
        edge_props={"distance": graph.distance_um, **({} if pins is None else {_PINNED: pins.edge})},
        in_um=frozenset({*_MOVEMENT, "distance"}),
    )
    write_geff(table, Path(path), overwrite=overwrite)


def _check_frames(t: FloatArray, path: Path) -> None:
    whole = (t >= 0) & (t <= _LARGEST_FRAME) & (t == np.floor(t))
    if not whole.all():
        row = int(whole.argmin())
        raise GraphError(
            f"{path}, node {row}: t is {t[row]:g}, a frame is a whole number from 0 upwards.",
            measured=f"{int((~whole).sum())} such nodes of {len(t)}",
            cause="times in seconds in place of frame numbers",
            fix="write the number of the frame as t",
        )


def _check_unique(node_id: IntArray, path: Path) -> None:
    ordered = np.sort(node_id)
    again = np.flatnonzero(np.diff(ordered) == 0)
    if len(again):
        raise GraphError(
            f"{path}: the node id {ordered[again[0]]} occurs twice.",
            measured=f"{len(again)} repeated ids among {len(node_id)} nodes",
            fix="give every node its own id",
        )


def _read_movement(geff: GeffFolder, um_per_unit: FloatArray) -> FloatArray:
    if not all(geff.has_node_prop(name) for name in _MOVEMENT):
        return np.zeros((len(geff.node_id), 3))
    with np.errstate(over="ignore", invalid="ignore"):  # values that are not finite are refused by Detections
        return np.stack([geff.read_node_prop(name) for name in _MOVEMENT], axis=1) * um_per_unit


def _read_division_columns(geff: GeffFolder, order: IntArray) -> dict[str, FloatArray]:
    found = (name for name in DIVISION_COLUMNS if geff.has_node_prop(name))
    return {name: geff.read_node_prop(name, missing=np.nan)[order] for name in found}


def _read_distance(geff: GeffFolder) -> FloatArray:
    unit = geff.edge_prop_unit("distance")
    um_per_unit = 1.0 if unit is None else choose_um_per_unit(unit, 1.0, f"{geff.path}, edge property distance")
    with np.errstate(over="ignore", invalid="ignore"):  # values that are not finite are refused by CandidateGraph
        return geff.read_edge_prop("distance") * um_per_unit


def _read_pins(geff: GeffFolder, order: IntArray) -> Pins:
    """Return what is pinned; node pins in the order of rows."""
    node, edge = np.zeros(len(geff.node_id)), np.zeros(len(geff.edge_ids))
    if geff.has_node_prop(_PINNED):
        node = geff.read_node_prop(_PINNED, missing=FREE)
    if geff.has_edge_prop(_PINNED):
        edge = geff.read_edge_prop(_PINNED, missing=FREE)
    node_pins = _check_pins(node, geff, lambda row: f"node {geff.node_id[row]}")
    edge_pins = _check_pins(edge, geff, lambda row: f"edge {geff.edge_ids[row, 0]} → {geff.edge_ids[row, 1]}")
    return Pins(node=node_pins[order], edge=edge_pins)


def _check_pins(values: FloatArray, geff: GeffFolder, name: Callable[[int], str]) -> PinArray:
    wrong = np.flatnonzero(~np.isin(values, [IN, FREE, OUT]))
    if len(wrong):
        raise GraphError(
            f"{geff.path}, {name(int(wrong[0]))}: pinned is {values[wrong[0]]:g}.",
            measured=f"{len(wrong)} such values of {len(values)}",
            cause="a property of this name with another meaning",
            fix="write 1 (to be taken), -1 (to be left) or 0 (free)",
        )
    return values.astype(np.int8)


def _find_edges(geff: GeffFolder, node_id: IntArray, t: FrameArray) -> IntArray:
    edges = find_rows(node_id, geff.edge_ids)
    if len(edges) and int(edges.min()) < 0:
        first = int(np.flatnonzero((edges < 0).any(axis=1))[0])
        raise GraphError(
            f"edge {first}: one of its nodes {geff.edge_ids[first].tolist()} is not in the graph.",
            measured=f"{int((edges < 0).any(axis=1).sum())} such edges of {len(edges)}",
            cause="nodes were removed without their edges",
            fix="check it with `geff validate`, or write it again",
        )
    if not geff.directed:
        swapped = t[edges[:, 0]] > t[edges[:, 1]]
        edges[swapped] = edges[swapped][:, ::-1]
    return edges
