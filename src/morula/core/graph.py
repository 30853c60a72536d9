"""The candidate graph: detections and the links that could join them, stored parent → child."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from morula.core.columns import FloatArray, IntArray, ReadOnlyColumns, column
from morula.core.detections import Detections
from morula.errors import GraphError


@dataclass(frozen=True, slots=True, eq=False)
class CandidateGraph(ReadOnlyColumns):
    """Detections and candidate links.

    Parameters
    ----------
    nodes
        The detections; a row of `edges` points into them.
    edges
        Rows of parent and child, shape (m, 2), int64; the parent is earlier; no pair twice.
    distance_um
        Distance from the child's predicted earlier position to the parent, µm, shape (m,), not negative.

    Raises
    ------
    GraphError
        If a row does not exist, time does not increase, a pair repeats or a distance is negative or not finite.
    """

    nodes: Detections
    edges: IntArray
    distance_um: FloatArray

    def __post_init__(self) -> None:
        try:
            edges = column(self.edges, np.int64, (None, 2), "edges")
            distance = column(self.distance_um, np.float64, (len(edges),), "distance_um")
        except ValueError as error:
            raise GraphError(f"candidate graph: {error}.", fix="look for broken rows in its source") from None
        n = self.nodes.n
        if len(edges):
            if int(edges.min()) < 0 or int(edges.max()) >= n:
                row = int(edges.min()) if int(edges.min()) < 0 else int(edges.max())
                raise GraphError(
                    f"candidate graph: an edge names row {row}, there are {n} nodes.",
                    fix="number nodes from 0 in the order of the table",
                )
            backwards = np.flatnonzero(self.nodes.t[edges[:, 0]] >= self.nodes.t[edges[:, 1]])
            if len(backwards):
                raise GraphError(
                    f"candidate graph: edge {edges[backwards[0]].tolist()} does not go forward in time.",
                    measured=f"{len(backwards)} such edges of {len(edges)}",
                    cause="edges stored child → parent",
                    fix="store edges parent → child",
                )
            pairs = np.sort(edges[:, 0] * n + edges[:, 1])  # np.unique would hash, 100 times slower at 10⁶ edges
            if (pairs[1:] == pairs[:-1]).any():
                raise GraphError("candidate graph: a pair of nodes is linked twice.", fix="drop the duplicates")
            if float(distance.min()) < 0:
                raise GraphError("candidate graph: a distance is negative.", fix="store distances in µm, not costs")
        object.__setattr__(self, "edges", edges)
        object.__setattr__(self, "distance_um", distance)

    @property
    def n_edges(self) -> int:
        """Number of candidate links."""
        return len(self.edges)
