"""Pins: what is decided before a solver begins, by hand or by a block solved earlier.

Owns the two forms they have: per row of a graph, as solvers take them, and at places of the movie, as people write them
down after a look at the report. Refuses values that are no pin.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from morula.core.columns import FloatArray, FrameArray, IntArray, ReadOnlyColumns, column
from morula.errors import GraphError

PinArray = npt.NDArray[np.int8]
IN, FREE, OUT = 1, 0, -1
"""A pinned node or link is taken (`IN`) or left (`OUT`) whatever it costs; a free one is the solver's to choose."""


@dataclass(frozen=True, slots=True, eq=False)
class Pins(ReadOnlyColumns):
    """The pin of every node and link of a graph.

    Parameters
    ----------
    node, edge
        `IN`, `FREE` or `OUT` for each node and link, shapes (n,) and (m,), int8.

    Raises
    ------
    GraphError
        If another value is among them.
    """

    node: PinArray
    edge: PinArray

    def __post_init__(self) -> None:
        for name, what in (("node", "node pins"), ("edge", "link pins")):
            try:
                values = column(getattr(self, name), np.int8, (None,), what)
            except ValueError as error:
                raise GraphError(f"pins: {error}.", fix="pin with 1 (in), -1 (out) or 0 (free)") from None
            wrong = np.flatnonzero((values < OUT) | (values > IN))
            if len(wrong):
                raise GraphError(
                    f"{what}: row {wrong[0]} has the value {values[wrong[0]]}.",
                    measured=f"{len(wrong)} such values of {len(values)}",
                    fix="pin with 1 (in), -1 (out) or 0 (free)",
                )
            object.__setattr__(self, name, values)

    @classmethod
    def none(cls, n: int, m: int) -> Pins:
        """Pin nothing."""
        return cls(node=np.zeros(n, np.int8), edge=np.zeros(m, np.int8))

    @property
    def any(self) -> bool:
        """Whether anything is pinned."""
        return bool(self.node.any() or self.edge.any())


@dataclass(frozen=True, slots=True, eq=False)
class PlacedPins(ReadOnlyColumns):
    """Pins at places, as a person makes them: "the cell here", "the link from there to here".

    Parameters
    ----------
    file
        Where they stand; for messages.
    line
        Line of each in that file, shape (k,).
    pin
        `IN` or `OUT`, shape (k,), int8.
    t, zyx_um
        Frame and place of the cell, or of the link's child, shapes (k,) and (k, 3), µm, order z, y, x.
    parent_t, parent_zyx_um
        The same of the link's parent; a frame of −1 says that a cell is pinned and no link.
    """

    file: str
    line: IntArray
    pin: PinArray
    t: FrameArray
    zyx_um: FloatArray
    parent_t: FrameArray
    parent_zyx_um: FloatArray

    def __post_init__(self) -> None:
        k = len(self.line)
        for name, dtype, shape in (
            ("line", np.int64, (k,)),
            ("pin", np.int8, (k,)),
            ("t", np.int32, (k,)),
            ("zyx_um", np.float64, (k, 3)),
            ("parent_t", np.int32, (k,)),
            ("parent_zyx_um", np.float64, (k, 3)),
        ):
            object.__setattr__(self, name, column(getattr(self, name), dtype, shape, name))

    @property
    def n(self) -> int:
        """Number of pins."""
        return len(self.line)

    def place(self, row: int) -> str:
        """Say where a pin stands: file and line."""
        return f"{self.file}, line {self.line[row]}"
