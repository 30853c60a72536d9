"""Arrays as rows of the store and back.

Owns the one order in which results come out: detections sorted by all their columns whatever block came first, edges as
they were written. Detections and edges are rows, so that a frame or a region can be asked for; a selection is two bit
fields beside its graph, margins and probabilities are fields of float32. There is no negative zero: -0.0 comes back as
0.0; and no NaN: what nobody knows of divisions is NULL. Knows no transaction and no done mark.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from morula.core.columns import FloatArray, IntArray
from morula.core.confidence import Confidence, Margins
from morula.core.detections import DIVISION_COLUMNS, Detections
from morula.core.graph import CandidateGraph
from morula.core.lineages import Selection
from morula.store.database import Database, Value
from morula.store.records import Region

_ROWS_AT_ONCE = 200_000
_SELECTION_COLUMNS = "n_nodes, n_edges, node_selected, edge_selected, objective, lower_bound, status, seconds"
_CONFIDENCE_FIELDS = ("node_margin", "edge_margin", "past_margin", "past_right")
_MEASURED = ("z", "y", "x", "score", "movement_z", "movement_y", "movement_x", *DIVISION_COLUMNS)
_DETECTION = np.dtype([("id", np.int64), ("t", np.int32), *((name, np.float64) for name in _MEASURED)])
_EDGE = np.dtype([("id", np.int64), ("parent", np.int64), ("child", np.int64), ("distance", np.float64)])

DETECTION_BYTES, EDGE_BYTES, NUMBER_BYTES = 150, 45, 4
"""Room of one row in file, indices and log, rounded up, and of a number in a field: only for saying what a full disk
lacks."""


def insert_detections(database: Database, stage_id: int, block: int, detections: Detections) -> None:
    """Put the detections of one block in place of whatever it left before."""
    database.execute("DELETE FROM detections WHERE stage = ? AND block = ?", (stage_id, block))
    measured = (*detections.zyx_um.T, detections.score, *detections.movement_um.T)
    measured += tuple(getattr(detections, name) for name in DIVISION_COLUMNS)
    columns = {"t": detections.t, **dict(zip(_MEASURED, measured, strict=True))}
    database.insert_columns("detections", columns, stage=stage_id, block=block)


def select_detections(database: Database, stage_id: int, region: Region | None = None) -> tuple[Detections, IntArray]:
    """Return the detections of a stage, or those in a region, sorted, and the row id of each, shape (n,)."""
    # The unary plus keeps the database from walking an index: one pass over the table is faster, nearly all rows match.
    condition, values = ("+stage = ?", (stage_id,)) if region is None else _restrict(stage_id, region)
    query = f"SELECT id, t, {', '.join(_MEASURED)} FROM detections WHERE {condition}"
    rows = _sort_rows(np.fromiter(database.stream(query, values), _DETECTION))
    detections = Detections(
        t=rows["t"].copy(),
        zyx_um=_stack(rows, _MEASURED[:3]),
        score=rows["score"].copy(),
        movement_um=_stack(rows, _MEASURED[4:7]),
        **{name: rows[name].copy() for name in DIVISION_COLUMNS},
    )
    return detections, rows["id"].copy()


def _restrict(stage_id: int, region: Region) -> tuple[str, tuple[Value, ...]]:
    """Return the condition that the index by place answers, frame by frame."""
    frames = tuple(region.frames)
    sides = " AND ".join(f"{name} >= ? AND {name} < ?" for name in _MEASURED[:3])
    limits = [limit for side in zip(region.low_um, region.high_um, strict=True) for limit in side]
    return f"stage = ? AND t IN ({', '.join('?' * len(frames)) or 'NULL'}) AND {sides}", (stage_id, *frames, *limits)


def insert_edges(database: Database, stage_id: int, graph: CandidateGraph, ids: IntArray) -> None:
    """Write the edges of a graph whose node i is the detection with row id ``ids[i]``."""
    for first in range(0, graph.n_edges, _ROWS_AT_ONCE):
        piece = slice(first, first + _ROWS_AT_ONCE)
        parent, child = ids[graph.edges[piece]].T
        columns = {"parent": parent, "child": child, "distance": graph.distance_um[piece]}
        database.insert_columns("edges", columns, stage=stage_id)


def select_graph(database: Database, stage_id: int, detections_id: int) -> CandidateGraph:
    """Return the edges of a stage over the detections of another."""
    nodes, ids = select_detections(database, detections_id)
    query = "SELECT id, parent, child, distance FROM edges WHERE stage = ?"
    rows = np.fromiter(database.stream(query, (stage_id,)), _EDGE)
    if (np.diff(rows["id"]) < 0).any():  # a server may read a table from its middle
        rows = rows[np.argsort(rows["id"])]
    row_of_id = np.full(int(ids.max(initial=0)) + 1, -1)
    row_of_id[ids] = np.arange(len(ids))
    edges = np.stack([row_of_id[rows["parent"]], row_of_id[rows["child"]]], axis=1)
    return CandidateGraph(nodes=nodes, edges=edges, distance_um=rows["distance"].copy())


def insert_selection(database: Database, stage_id: int, graph_id: int, selection: Selection) -> None:
    """Write a selection of a graph in place of an earlier one."""
    database.upsert("selections", ("stage",), {"stage": stage_id, "graph_stage": graph_id, **_pack(selection)})


def insert_block_selection(database: Database, stage_id: int, block: int, selection: Selection) -> None:
    """Write what a block of a stage has chosen in place of what it chose earlier."""
    database.upsert("block_selections", ("stage", "block"), {"stage": stage_id, "block": block, **_pack(selection)})


def select_selection(database: Database, stage_id: int) -> Selection | None:
    """Return the selection of a stage, None if it has none."""
    query = f"SELECT {_SELECTION_COLUMNS} FROM selections WHERE stage = ?"
    row = database.execute(query, (stage_id,)).fetchone()
    return None if row is None else _unpack(row)


def select_block_selections(database: Database, stage_id: int) -> dict[int, Selection]:
    """Return what the blocks of a stage have chosen, by block."""
    query = f"SELECT block, {_SELECTION_COLUMNS} FROM block_selections WHERE stage = ? ORDER BY block"
    return {int(block): _unpack(row) for block, *row in database.execute(query, (stage_id,))}


def _pack(selection: Selection) -> dict[str, Value]:
    return {
        "n_nodes": len(selection.node_selected),
        "n_edges": len(selection.edge_selected),
        "node_selected": np.packbits(selection.node_selected).tobytes(),
        "edge_selected": np.packbits(selection.edge_selected).tobytes(),
        "objective": float(selection.objective),
        "lower_bound": float(selection.lower_bound),
        "status": selection.status,
        "seconds": float(selection.seconds),
    }


def _unpack(row: Sequence[Any]) -> Selection:
    n_nodes, n_edges, nodes, edges, objective, lower_bound, status, seconds = row
    return Selection(
        node_selected=np.unpackbits(np.frombuffer(nodes, np.uint8), count=n_nodes).astype(np.bool_),
        edge_selected=np.unpackbits(np.frombuffer(edges, np.uint8), count=n_edges).astype(np.bool_),
        objective=objective,
        lower_bound=lower_bound,
        status=status,
        seconds=seconds,
    )


def insert_confidence(database: Database, stage_id: int, selection_id: int, confidence: Confidence) -> None:
    """Write the confidence of a selection in place of an earlier one."""
    margins = confidence.margins
    fields = (margins.node, margins.edge, confidence.past_margin, confidence.past_right)
    values: dict[str, Value] = {
        "stage": stage_id,
        "selection_stage": selection_id,
        "lower_bound": float(margins.lower_bound),
        "basis": confidence.basis,
        **{name: numbers.astype("<f4").tobytes() for name, numbers in zip(_CONFIDENCE_FIELDS, fields, strict=True)},
    }
    database.upsert("confidences", ("stage",), values)


def select_confidence(database: Database, stage_id: int) -> Confidence | None:
    """Return the confidence of a stage, None if it has none."""
    query = f"SELECT lower_bound, basis, {', '.join(_CONFIDENCE_FIELDS)} FROM confidences WHERE stage = ?"
    row = database.execute(query, (stage_id,)).fetchone()
    if row is None:
        return None
    lower_bound, basis, *fields = row
    node, edge, past_margin, past_right = (_read_numbers(field) for field in fields)
    margins = Margins(node=node, edge=edge, lower_bound=lower_bound)
    return Confidence(margins=margins, past_margin=past_margin, past_right=past_right, basis=basis)


def _read_numbers(field: bytes) -> FloatArray:
    return np.frombuffer(field, "<f4").astype(np.float64)


def _sort_rows(rows: npt.NDArray[np.void]) -> npt.NDArray[np.void]:
    """Sort by frame and position; where these are equal, by all columns, so that it does not show what came first."""
    rows = rows[np.lexsort([rows[name] for name in "xyzt"])]
    before, after = rows[:-1], rows[1:]
    if np.logical_and.reduce([before[name] == after[name] for name in "xyzt"]).any():
        return rows[np.lexsort([rows[name] for name in (*reversed(_MEASURED), "t")])]
    return rows


def _stack(rows: npt.NDArray[np.void], names: Sequence[str]) -> npt.NDArray[np.float64]:
    return np.stack([rows[name] for name in names], axis=1)
