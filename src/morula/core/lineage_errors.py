"""The place of every error of a reconstruction, as a table for people, the report and napari."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from morula.core.columns import FloatArray, FrameArray, IntArray, ReadOnlyColumns, column

ErrorKind = Literal[
    "fn_edge",
    "identity_switch",
    "fp_division",
    "one_unconnected_child",
    "no_connection",
    "unconnected_parent",
    "fp_edge",
]
"""What can be wrong at a place. The two kinds of missed division are `one_unconnected_child` and `no_connection`.
`unconnected_parent` and `fp_edge` (dense truth) are listed for people and stand outside the sum of errors."""

ERROR_KINDS: tuple[ErrorKind, ...] = get_args(ErrorKind)


@dataclass(frozen=True, slots=True, eq=False)
class LineageErrors(ReadOnlyColumns):
    """The place of every error, sorted by frame: for people, the report and napari.

    Parameters
    ----------
    kind
        One of `ERROR_KINDS`, shape (n,), str.
    t
        Frame, shape (n,), int32, not decreasing. A missing or false edge is placed at its child.
    zyx_um
        Position in µm, z, y, x, shape (n, 3): of the truth point, or of the reconstructed one for `fp_division` and
        `fp_edge`.
    truth_id
        Id of the truth point, −1 for none, shape (n,).
    reconstruction_id
        Id of the reconstructed point, −1 for none, shape (n,).

    Raises
    ------
    ValueError
        If lengths differ, a kind is unknown or frames are not sorted: the evaluation itself is wrong.
    """

    kind: npt.NDArray[np.str_]
    t: FrameArray
    zyx_um: FloatArray
    truth_id: IntArray
    reconstruction_id: IntArray

    def __post_init__(self) -> None:
        n = len(self.t)
        columns = {
            "kind": column(self.kind, np.str_, (n,), "kind"),
            "t": column(self.t, np.int32, (n,), "t"),
            "zyx_um": column(self.zyx_um, np.float64, (n, 3), "zyx_um"),
            "truth_id": column(self.truth_id, np.int64, (n,), "truth_id"),
            "reconstruction_id": column(self.reconstruction_id, np.int64, (n,), "reconstruction_id"),
        }
        if unknown := sorted(set(columns["kind"].tolist()) - set(ERROR_KINDS)):
            raise ValueError(f"errors: unknown kinds {unknown}, expected {ERROR_KINDS}")
        if n and (np.diff(columns["t"]) < 0).any():
            raise ValueError("errors: frames are not in order")
        for name, values in columns.items():
            object.__setattr__(self, name, values)

    @property
    def n(self) -> int:
        """Number of places."""
        return len(self.t)

    def count(self, kind: ErrorKind) -> int:
        """Return the number of places of this kind."""
        return int((self.kind == kind).sum())
