"""The choice of a forest as an integer program, in arrays only.

Every node v has a variable y_v (taken) and T_v (a track begins here), if it has at least two candidate children D_v (it
divides), and if it has any and ending costs something E_v (a track ends here); every link e = (p, c) has y_e. All are 0
or 1. To be minimised, with the costs of `problem.costs`::

    sum_v node_v y_v + sum_e edge_e y_e + sum_v start_v T_v + sum_v division_v D_v + sum_v end_v E_v

Both formulations share, for every node v with candidate parents P(v) and children C(v)::

    sum_{p in P} y_pv + T_v = y_v          taken means linked to one parent, or a start              (1)
    sum_{c in C} y_vc >= 2 D_v             a division has two children                               (2)

"tight" (the default) adds, with equality where E_v exists::

    sum_{c in C} y_vc + E_v <= y_v + D_v   one child if taken, two if it divides, none if it ends    (3)
    y_vc <= y_v                            for each child, where there are at least two              (4)

(1) implies that a link needs its child, (3) or (4) that it needs its parent. Nearly all linear relaxations of this form
are integral. "paper" (Malin-Mayor et al. 2023) adds instead::

    2 y_e <= y_p + y_c                     a link needs both its ends
    sum_{c in C} y_vc <= 2 y_v             at most two children
    sum_{c in C} y_vc <= 1 + D_v           two only in a division
    y_v <= sum_{c in C} y_vc + E_v         none only at an end
    y_vc + E_v <= y_v                      for each child, where ending pays

It has the same optimal 0/1 points and a weaker relaxation: half a division is free. Where neither dividing nor ending
pays, (2) is left out: D_v is then 1 without two children only where that changes no cost. A node without candidate
children always ends, so its end cost is part of its own. Pins are bounds of the columns y_v and y_e.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.sparse import block_array, csr_array, eye_array

from morula.core.columns import FloatArray, IntArray
from morula.solve.problem.problem import IN, OUT, Problem

Formulation = Literal["tight", "paper"]
Matrix = csr_array[np.float64, tuple[int, int]]
_Rows = tuple[list[Matrix | None], float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """Minimise ``cost @ y`` with ``lower <= rows @ y <= upper`` and y in {least, most}, which are 0 or 1.

    Columns stand in the order nodes, edges, starts, divisions, ends.

    Parameters
    ----------
    cost, least, most
        Shape (columns,); `least` and `most` differ where nothing is pinned.
    rows
        Compressed sparse rows, shape (rows, columns).
    lower, upper
        Bounds of the rows, infinite where there is none.
    """

    cost: FloatArray
    least: FloatArray
    most: FloatArray
    rows: Matrix
    lower: FloatArray
    upper: FloatArray


def formulate(problem: Problem, formulation: Formulation = "tight") -> Program:
    """Write the cheapest forest of a graph as an integer program.

    Parameters
    ----------
    problem
        Links, costs and pins.
    formulation
        See the module's text.

    Returns
    -------
    program
        Columns: n nodes, m edges, n starts, one division per node with at least two candidate children, and one end
        per node with candidate children whose end cost is not 0.
    """
    edges, costs, n = problem.edges, problem.costs, problem.n
    node, edge = _identity(n), _identity(problem.m)
    as_child, as_parent = _select(edges[:, 1], n), _select(edges[:, 0], n)  # (m, n): the node at each link's end
    n_children = np.bincount(edges[:, 0], minlength=n)
    forks, enders = np.flatnonzero(n_children >= 2), np.flatnonzero((n_children > 0) & (costs.end != 0))
    divides, ends = _select(forks, n), _select(enders, n)  # (forks, n), (enders, n)
    paying = np.flatnonzero(np.minimum(costs.division, costs.end)[forks] < 0)
    to_children = as_parent.T.tocsr()
    nothing = csr_array((n, len(forks))), csr_array((n, len(enders)))
    blocks: list[_Rows] = [([-node, as_child.T.tocsr(), node, *nothing], 0.0, 0.0)]
    blocks.append(([None, to_children[forks[paying]], None, -2 * _identity(len(forks))[paying], None], 0.0, np.inf))
    shared = np.flatnonzero(n_children[edges[:, 0]] >= 2)
    if formulation == "tight":
        children = [-node, to_children, None, -divides.T.tocsr(), ends.T.tocsr()]
        open_ended = np.flatnonzero((n_children > 0) & (costs.end == 0))
        blocks.append(([_pick(part, open_ended) for part in children], -np.inf, 0.0))
        blocks.append(([_pick(part, enders) for part in children], 0.0, 0.0))
        blocks.append(([-as_parent[shared], edge[shared], None, None, None], -np.inf, 0.0))
    else:
        costly, well_paid = enders[costs.end[enders] > 0], np.flatnonzero(costs.end[edges[:, 0]] < 0)
        blocks.append(([-as_parent - as_child, 2 * edge, None, None, None], -np.inf, 0.0))
        blocks.append(([-2 * node, to_children, None, None, None], -np.inf, 0.0))
        blocks.append(([None, to_children[forks], None, -_identity(len(forks)), None], -np.inf, 1.0))
        blocks.append(([node[costly], -to_children[costly], None, None, -ends.T.tocsr()[costly]], -np.inf, 0.0))
        rewarded = [-as_parent[well_paid], edge[well_paid], None, None, (as_parent @ ends.T).tocsr()[well_paid]]
        blocks.append((rewarded, -np.inf, 0.0))
    childless = np.where(n_children == 0, costs.end, 0.0)
    cost = np.concatenate([costs.node + childless, costs.edge, costs.start, costs.division[forks], costs.end[enders]])
    pinned = np.concatenate([problem.pins.node, problem.pins.edge])
    least, most = np.zeros(len(cost)), np.ones(len(cost))
    least[: len(pinned)][pinned == IN] = 1.0
    most[: len(pinned)][pinned == OUT] = 0.0
    return _stack(cost, least, most, [rows for rows in blocks if any(_height(part) for part in rows[0])])


def _pick(part: Matrix | None, rows: IntArray) -> Matrix | None:
    return None if part is None else csr_array(part[rows])


def _height(part: Matrix | None) -> int:
    return 0 if part is None else int(part.shape[0])


def _select(rows: IntArray, n: int) -> Matrix:
    """Return the matrix whose k-th row picks entry ``rows[k]`` of n."""
    return csr_array((np.ones(len(rows)), (np.arange(len(rows)), rows)), shape=(len(rows), n))


def _identity(n: int) -> Matrix:
    return csr_array(eye_array(n, format="csr"))


def _stack(cost: FloatArray, least: FloatArray, most: FloatArray, blocks: list[_Rows]) -> Program:
    matrix = csr_array(block_array([parts for parts, _, _ in blocks], format="csr"))
    sizes = [max(_height(part) for part in parts) for parts, _, _ in blocks]
    lower = np.repeat([low for _, low, _ in blocks], sizes)
    upper = np.repeat([high for _, _, high in blocks], sizes)
    matrix.sort_indices()
    return Program(cost=cost, least=least, most=most, rows=matrix, lower=lower, upper=upper)
