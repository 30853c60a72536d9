"""The choice of a forest as an integer program, in arrays only.

Every node v has a variable y_v (taken), T_v (a track begins here) and, if it has at least two candidate children, D_v
(it divides); every link e = (p, c) has y_e. All are 0 or 1. To be minimised, with the costs of `costs.Costs`::

    sum_v node_v y_v + sum_e edge_e y_e + sum_v start_v T_v + sum_v division_v D_v

Both formulations share, for every node v with candidate parents P(v) and children C(v)::

    sum_{p in P} y_pv + T_v = y_v          taken means linked to one parent, or a start              (1)
    sum_{c in C} y_vc >= 2 D_v             a division has two children                               (2)

"tight" (the default) adds::

    sum_{c in C} y_vc <= y_v + D_v         one child if taken, two if it divides                     (3)
    y_vc <= y_v                            for each child, where there are at least two              (4)

(1) implies that a link needs its child, (3) or (4) that it needs its parent. Nearly all linear relaxations of this form
are integral. "paper" (Malin-Mayor et al. 2023) adds instead::

    2 y_e <= y_p + y_c                     a link needs both its ends
    sum_{c in C} y_vc <= 2 y_v             at most two children
    sum_{c in C} y_vc <= 1 + D_v           two only in a division

It has the same optimal 0/1 points and a weaker relaxation: half a division is free. Where divisions cost nothing or
more, (2) is left out: D_v is then 1 without two children only where that changes no cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.sparse import block_array, csr_array, eye_array

from morula.core.columns import FloatArray, IntArray
from morula.solve.costs import Costs

Formulation = Literal["tight", "paper"]
Matrix = csr_array[np.float64, tuple[int, int]]
_Rows = tuple[list[Matrix | None], float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """Minimise ``cost @ y`` with ``lower <= rows @ y <= upper`` and y in {0, 1}.

    Columns stand in the order nodes, edges, starts, divisions.

    Parameters
    ----------
    cost
        Shape (columns,).
    rows
        Compressed sparse rows, shape (rows, columns).
    lower, upper
        Bounds of the rows, infinite where there is none.
    """

    cost: FloatArray
    rows: Matrix
    lower: FloatArray
    upper: FloatArray


def formulate(edges: IntArray, costs: Costs, formulation: Formulation = "tight") -> Program:
    """Write the cheapest forest of a graph as an integer program.

    Parameters
    ----------
    edges
        Rows of parent and child, shape (m, 2).
    costs
        Costs of the n nodes and m edges.
    formulation
        See the module's text.

    Returns
    -------
    program
        Columns: n nodes, m edges, n starts, and one division per node with at least two candidate children.
    """
    n, m = len(costs.node), len(edges)
    node, edge = _identity(n), _identity(m)
    as_child, as_parent = _select(edges[:, 1], n), _select(edges[:, 0], n)  # (m, n): the node at each link's end
    n_children = np.bincount(edges[:, 0], minlength=n)
    forks = np.flatnonzero(n_children >= 2)
    divides = _select(forks, n)  # (forks, n)
    paying = np.flatnonzero(costs.division[forks] < 0)
    to_children = as_parent.T.tocsr()
    empty = csr_array((n, len(forks)))
    blocks: list[_Rows] = [([-node, as_child.T.tocsr(), node, empty], 0.0, 0.0)]
    blocks.append(([None, to_children[forks[paying]], None, -2 * _identity(len(forks))[paying]], 0.0, np.inf))
    if formulation == "tight":
        parents, shared = np.flatnonzero(n_children), np.flatnonzero(n_children[edges[:, 0]] >= 2)
        blocks.append(([-node[parents], to_children[parents], None, -divides.T.tocsr()[parents]], -np.inf, 0.0))
        blocks.append(([-as_parent[shared], edge[shared], None, None], -np.inf, 0.0))
    else:
        blocks.append(([-as_parent - as_child, 2 * edge, None, None], -np.inf, 0.0))
        blocks.append(([-2 * node, to_children, None, None], -np.inf, 0.0))
        blocks.append(([None, to_children[forks], None, -_identity(len(forks))], -np.inf, 1.0))
    cost = np.concatenate([costs.node, costs.edge, costs.start, costs.division[forks]])
    return _stack(cost, [rows for rows in blocks if any(part is not None and part.shape[0] for part in rows[0])])


def _select(rows: IntArray, n: int) -> Matrix:
    """Return the matrix whose k-th row picks entry ``rows[k]`` of n."""
    return csr_array((np.ones(len(rows)), (np.arange(len(rows)), rows)), shape=(len(rows), n))


def _identity(n: int) -> Matrix:
    return csr_array(eye_array(n, format="csr"))


def _stack(cost: FloatArray, blocks: list[_Rows]) -> Program:
    matrix = csr_array(block_array([parts for parts, _, _ in blocks], format="csr"))
    sizes = [next(part.shape[0] for part in parts if part is not None) for parts, _, _ in blocks]
    lower = np.repeat([low for _, low, _ in blocks], sizes)
    upper = np.repeat([high for _, _, high in blocks], sizes)
    matrix.sort_indices()
    return Program(cost=cost, rows=matrix, lower=lower, upper=upper)
