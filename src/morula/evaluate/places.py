"""Where each error is: one table from the findings of all measures."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from morula.core.columns import IntArray
from morula.core.lineage_errors import ERROR_KINDS, ErrorKind, LineageErrors
from morula.evaluate.matched import MatchedTracks
from morula.evaluate.rows import look_up

_AT_RECONSTRUCTION: frozenset[ErrorKind] = frozenset({"fp_division", "fp_edge"})


def list_places(matched: MatchedTracks, found: Mapping[ErrorKind, IntArray]) -> LineageErrors:
    """List every error with its place, sorted by frame, then kind, then position.

    Parameters
    ----------
    matched
        The tracks the rows point into.
    found
        Rows of each kind of error: of the reconstruction for `fp_division` and `fp_edge`, of the truth for all others.
        The point on the other side is the one its parent edge is matched to or, without, the point itself.
    """
    parts = [_locate(matched, kind, np.asarray(rows, np.int64)) for kind, rows in found.items()]
    kind, truth_row, row, at_reconstruction = (np.concatenate(part) for part in zip(*parts, strict=True))
    truth, reconstruction = matched.truth, matched.reconstruction
    t = np.where(
        at_reconstruction, look_up(reconstruction.t.astype(np.int64), row), look_up(truth.t.astype(np.int64), truth_row)
    )
    zyx_um = np.empty((len(t), 3))
    zyx_um[at_reconstruction] = reconstruction.zyx_um[row[at_reconstruction]]
    zyx_um[~at_reconstruction] = truth.zyx_um[truth_row[~at_reconstruction]]
    order = np.lexsort((zyx_um[:, 2], zyx_um[:, 1], zyx_um[:, 0], kind, t))
    return LineageErrors(
        kind=np.array(ERROR_KINDS)[kind][order],
        t=t[order],
        zyx_um=zyx_um[order],
        truth_id=look_up(truth.id, truth_row)[order],
        reconstruction_id=look_up(reconstruction.id, row)[order],
    )


def _locate(matched: MatchedTracks, kind: ErrorKind, rows: IntArray) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Return number of the kind, truth row, reconstructed row, and whether the place is the reconstructed one."""
    number = np.full(len(rows), ERROR_KINDS.index(kind))
    if kind in _AT_RECONSTRUCTION:
        by_edge, by_point = matched.edge_of_reconstruction[rows], matched.point_of_reconstruction[rows]
        return number, np.where(by_edge >= 0, by_edge, by_point), rows, np.ones(len(rows), np.bool_)
    by_edge, by_point = matched.edge_of_truth[rows], matched.point_of_truth[rows]
    return number, rows, np.where(by_edge >= 0, by_edge, by_point), np.zeros(len(rows), np.bool_)
