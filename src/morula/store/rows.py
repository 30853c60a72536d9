"""Arrays as rows of the store and back.

Owns the one order in which results come out: detections sorted by all their columns whatever block came first, edges as
they were written. Detections and edges are rows, so that a frame or a region can be asked for; a selection is two bit
fields beside its graph, margins and probabilities are fields of float32. SQLite has no negative zero: -0.0 comes back
as 0.0. Knows no transaction and no done mark.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from morula.core.columns import FloatArray, IntArray
from morula.core.confidence import Confidence, Margins
from morula.core.detections import Detections
from morula.core.graph import CandidateGraph
from morula.core.lineages import Selection

_ROWS_AT_ONCE = 200_000
_SELECTION_COLUMNS = "n_nodes, n_edges, node_selected, edge_selected, objective, lower_bound, status, seconds"
_DETECTION = np.dtype([("id", np.int64), ("t", np.int32), *((name, np.float64) for name in "zyxsabc")])
_EDGE = np.dtype([("parent", np.int64), ("child", np.int64), ("distance", np.float64)])

DETECTION_BYTES, EDGE_BYTES, NUMBER_BYTES = 130, 45, 4
"""Room of one row in file, indices and log, rounded up, and of a number in a field: only for saying what a full disk
lacks."""


def insert_detections(connection: sqlite3.Connection, stage_id: int, block: int, detections: Detections) -> None:
    """Put the detections of one block in place of whatever it left before (cost: 2.6 s for 1e6)."""
    connection.execute("DELETE FROM detections WHERE stage = ? AND block = ?", (stage_id, block))
    columns = (detections.t, *detections.zyx_um.T, detections.score, *detections.movement_um.T)
    connection.executemany(
        "INSERT INTO detections (stage, block, t, z, y, x, score, movement_z, movement_y, movement_x) "
        f"VALUES ({stage_id:d}, {block:d}, ?, ?, ?, ?, ?, ?, ?, ?)",
        zip(*(values.tolist() for values in columns), strict=True),
    )


def select_detections(connection: sqlite3.Connection, stage_id: int) -> tuple[Detections, IntArray]:
    """Return the detections of a stage, sorted, and the row id of each, shape (n,)."""
    # The unary plus keeps SQLite from walking an index: one pass over the table is faster, nearly all rows match.
    query = (
        "SELECT id, t, z, y, x, score, movement_z, movement_y, movement_x FROM detections WHERE +stage = ? ORDER BY id"
    )
    rows = np.fromiter(connection.execute(query, (stage_id,)), _DETECTION)
    rows = _sort_rows(rows)
    detections = Detections(
        t=rows["t"].copy(), zyx_um=_stack(rows, "zyx"), score=rows["s"].copy(), movement_um=_stack(rows, "abc")
    )
    return detections, rows["id"].copy()


def insert_edges(connection: sqlite3.Connection, stage_id: int, graph: CandidateGraph, ids: IntArray) -> None:
    """Write the edges of a graph whose node i is the detection with row id ``ids[i]``."""
    for first in range(0, graph.n_edges, _ROWS_AT_ONCE):
        piece = slice(first, first + _ROWS_AT_ONCE)
        parent, child = ids[graph.edges[piece]].T
        connection.executemany(
            f"INSERT INTO edges (stage, parent, child, distance) VALUES ({stage_id:d}, ?, ?, ?)",
            zip(parent.tolist(), child.tolist(), graph.distance_um[piece].tolist(), strict=True),
        )


def select_graph(connection: sqlite3.Connection, stage_id: int, detections_id: int) -> CandidateGraph:
    """Return the edges of a stage over the detections of another."""
    nodes, ids = select_detections(connection, detections_id)
    query = "SELECT parent, child, distance FROM edges WHERE stage = ? ORDER BY id"
    rows = np.fromiter(connection.execute(query, (stage_id,)), _EDGE)
    row_of_id = np.full(int(ids.max(initial=0)) + 1, -1)
    row_of_id[ids] = np.arange(len(ids))
    edges = np.stack([row_of_id[rows["parent"]], row_of_id[rows["child"]]], axis=1)
    return CandidateGraph(nodes=nodes, edges=edges, distance_um=rows["distance"].copy())


def insert_selection(connection: sqlite3.Connection, stage_id: int, graph_id: int, selection: Selection) -> None:
    """Write a selection of a graph in place of an earlier one."""
    connection.execute(
        "INSERT OR REPLACE INTO selections VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (stage_id, graph_id, *_pack(selection)),
    )


def insert_block_selection(connection: sqlite3.Connection, stage_id: int, block: int, selection: Selection) -> None:
    """Write what a block of a stage has chosen in place of what it chose earlier."""
    connection.execute(
        "INSERT OR REPLACE INTO block_selections VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (stage_id, block, *_pack(selection)),
    )


def select_selection(connection: sqlite3.Connection, stage_id: int) -> Selection | None:
    """Return the selection of a stage, None if it has none."""
    query = f"SELECT {_SELECTION_COLUMNS} FROM selections WHERE stage = ?"
    row = connection.execute(query, (stage_id,)).fetchone()
    return None if row is None else _unpack(row)


def select_block_selections(connection: sqlite3.Connection, stage_id: int) -> dict[int, Selection]:
    """Return what the blocks of a stage have chosen, by block."""
    query = f"SELECT block, {_SELECTION_COLUMNS} FROM block_selections WHERE stage = ? ORDER BY block"
    return {int(block): _unpack(row) for block, *row in connection.execute(query, (stage_id,))}


def _pack(selection: Selection) -> tuple[int | bytes | float | str, ...]:
    """Return the values of `_SELECTION_COLUMNS`."""
    return (
        len(selection.node_selected),
        len(selection.edge_selected),
        np.packbits(selection.node_selected).tobytes(),
        np.packbits(selection.edge_selected).tobytes(),
        float(selection.objective),
        float(selection.lower_bound),
        selection.status,
        float(selection.seconds),
    )


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


def insert_confidence(connection: sqlite3.Connection, stage_id: int, selection_id: int, confidence: Confidence) -> None:
    """Write the confidence of a selection in place of an earlier one."""
    margins = confidence.margins
    fields = (margins.node, margins.edge, confidence.past_margin, confidence.past_right)
    connection.execute(
        "INSERT OR REPLACE INTO confidences VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            stage_id,
            selection_id,
            float(margins.lower_bound),
            confidence.basis,
            *(values.astype("<f4").tobytes() for values in fields),
        ),
    )


def select_confidence(connection: sqlite3.Connection, stage_id: int) -> Confidence | None:
    """Return the confidence of a stage, None if it has none."""
    query = (
        "SELECT lower_bound, basis, node_margin, edge_margin, past_margin, past_right FROM confidences WHERE stage = ?"
    )
    row = connection.execute(query, (stage_id,)).fetchone()
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
        return rows[np.lexsort([rows[name] for name in "cbasxyzt"])]
    return rows


def _stack(rows: npt.NDArray[np.void], names: str) -> npt.NDArray[np.float64]:
    return np.stack([rows[name] for name in names], axis=1)
