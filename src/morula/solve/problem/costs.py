"""What each node, link, start and division of a candidate graph costs.

Owns the cost function of Malin-Mayor et al. 2023, as arrays and as the plain sum for a given choice. Refuses costs that
are not finite.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

import numpy as np

from morula.core.columns import BoolArray, FloatArray, IntArray, ReadOnlyColumns, column
from morula.core.graph import CandidateGraph
from morula.errors import GraphError
from morula.solve.params import SolveParams
from morula.solve.problem.evidence import weigh_divisions
from morula.solve.problem.sisters import price_distant_sisters

logger = logging.getLogger(__name__)

_LARGEST = 1e200
"""Larger costs are refused: sums of them would overflow."""

_MOST_BITS, _FEWEST_BITS = 600, 1000
"""In its unit no cost is larger than 2**601, and the unit itself not smaller than 2**-1000."""


@dataclass(frozen=True, slots=True, eq=False)
class Costs(ReadOnlyColumns):
    """One number per thing that may be chosen, any sign; what is chosen is summed.

    Parameters
    ----------
    node, start, division, end
        Cost of taking each node, of a track that begins there, of a division there, and of a track that ends there
        (an empty array stands for 0 everywhere), shape (n,).
    edge
        Cost of each link, shape (m,).

    Raises
    ------
    GraphError
        If lengths differ or a cost is not finite.
    """

    node: FloatArray
    edge: FloatArray
    start: FloatArray
    division: FloatArray
    end: FloatArray = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        n, m = len(self.node), len(self.edge)
        if not len(self.end):
            object.__setattr__(self, "end", np.zeros(n))
        for name, size in (("node", n), ("edge", m), ("start", n), ("division", n), ("end", n)):
            try:
                values = column(getattr(self, name), np.float64, (size,), f"{name} costs")
            except ValueError as error:
                raise GraphError(
                    f"costs: {error}.",
                    cause="a score, distance or weight too large, or arrays of different graphs",
                    fix="check the scores and distances of the graph and the weights in [solve]",
                ) from None
            object.__setattr__(self, name, values)
        if self.find_largest() > _LARGEST:
            raise GraphError(
                f"costs: {self.find_largest():.3g} is too large to be added to others.",
                measured=f"the largest size allowed is {_LARGEST:g}",
                cause="a score, distance or weight that is no number of this kind",
                fix="check the scores and distances of the graph and the weights in [solve]",
            )

    def find_unit(self) -> float:
        """Return the power of two nearest below the median size of all costs that are not 0 (1 if all are).

        Solvers compare costs with fixed tolerances; in this unit a typical cost is near 1 whatever the user's weights.
        Where sizes differ absurdly, it is larger, so that all costs keep a size in this unit.
        """
        sizes = np.abs(np.concatenate([self.node, self.edge, self.start, self.division, self.end]))
        sizes = sizes[sizes > 0]
        if not len(sizes):
            return 1.0
        typical, largest = np.floor(np.log2([np.median(sizes), sizes.max()]))
        return float(2.0 ** max(typical, largest - _MOST_BITS, -_FEWEST_BITS))

    def find_largest(self) -> float:
        """Return the largest size of any cost (0 if there are none)."""
        columns = (self.node, self.edge, self.start, self.division, self.end)
        return max(float(np.abs(column).max(initial=0.0)) for column in columns)

    def scaled(self, factor: float) -> Costs:
        """Return all costs times `factor`."""
        return Costs(
            node=self.node * factor,
            edge=self.edge * factor,
            start=self.start * factor,
            division=self.division * factor,
            end=self.end * factor,
        )

    def rows(self, nodes: IntArray, edges: IntArray) -> Costs:
        """Return the costs of some nodes and links, in the order of the rows given."""
        return Costs(
            node=self.node[nodes],
            edge=self.edge[edges],
            start=self.start[nodes],
            division=self.division[nodes],
            end=self.end[nodes],
        )


def price_graph(graph: CandidateGraph, params: SolveParams, *, extent_um: FloatArray | None = None) -> Costs:
    """Turn scores and distances into costs.

    Parameters
    ----------
    graph
        The candidate graph.
    params
        Cost weights.
    extent_um
        Centre of the movie's last voxel, µm, order z, y, x, shape (3,); None for a bare graph.

    Returns
    -------
    costs
        ``tau_V + w_V s`` per node, ``w_E d`` per edge plus the skip cost for each frame it leaves out, c_T and c_D per
        node (Malin-Mayor et al. 2023, "Candidate graph optimisation"), and the end cost; c_T is 0 in the first frame
        that has nodes, the end cost in the last, and both near the movie's faces, as the settings say. To c_D is added
        the division score's weight times the evidence of `weigh_divisions`, which is 0 where nobody knows, and w_E
        times the price of `price_distant_sisters`.

    Raises
    ------
    GraphError
        If a cost overflows.
    """
    nodes = graph.nodes
    start = np.full(nodes.n, params.start_cost)
    if params.free_first_frame and nodes.n:
        start[nodes.t == nodes.t[0]] = 0.0
    end = np.full(nodes.n, params.end_cost)
    end[nodes.t == nodes.t[-1:]] = 0.0
    if params.free_border_um > 0 and extent_um is not None:
        near = _lie_near_faces(nodes.zyx_um, np.asarray(extent_um), params.free_border_um)
        start[near], end[near] = 0.0, 0.0
    skipped = nodes.t[graph.edges[:, 1]] - nodes.t[graph.edges[:, 0]] - 1
    apart = price_distant_sisters(graph, params.sister_distance_um)
    with np.errstate(over="ignore", invalid="ignore"):
        return Costs(
            node=params.node_constant + params.node_score_weight * nodes.score,
            edge=params.edge_distance_weight * graph.distance_um + params.skip_cost * skipped,
            start=start,
            division=params.division_cost
            + params.division_score_weight * weigh_divisions(graph)
            + params.edge_distance_weight * apart,
            end=end,
        )


def _lie_near_faces(zyx_um: FloatArray, extent_um: FloatArray, border_um: float) -> BoolArray:
    thin = np.flatnonzero(extent_um <= 2 * border_um)
    if len(thin):
        logger.warning(
            "every place lies within %g µm of a %s face of the movie (%g µm deep): no track start costs anything. "
            "Lower solve.free_border_um.",
            border_um,
            "zyx"[thin[0]],
            extent_um[thin[0]],
        )
    near = (zyx_um <= border_um) | (zyx_um >= extent_um - border_um)
    return np.asarray(near.any(axis=1))


def sum_costs(costs: Costs, edges: IntArray, node_selected: BoolArray, edge_selected: BoolArray) -> float:
    """Return the cost of a choice, the plain sum in float64, constants included.

    A selected node without selected parent edge is a start, one without selected child edge an end; one with two
    selected child edges is a division.

    Parameters
    ----------
    costs
        Costs of the graph.
    edges
        Rows of parent and child, shape (m, 2).
    node_selected, edge_selected
        The choice, shapes (n,) and (m,); every end of a selected edge is selected.
    """
    n = len(costs.node)
    parents = np.bincount(edges[edge_selected, 1], minlength=n)
    children = np.bincount(edges[edge_selected, 0], minlength=n)
    return float(
        costs.node[node_selected].sum()
        + costs.edge[edge_selected].sum()
        + costs.start[node_selected & (parents == 0)].sum()
        + costs.division[children == 2].sum()
        + costs.end[node_selected & (children == 0)].sum()
    )
