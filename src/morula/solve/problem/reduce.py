"""Smaller problems with the same answer: what pins exclude is taken out, and decided links leave only what is open.

Owns the cutting and the way back; every piece remembers its rows in the problem it was cut from.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from morula.core.columns import BoolArray, IntArray
from morula.solve.problem.problem import IN, OUT, Pins, Problem


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A problem cut out of a larger one.

    Parameters
    ----------
    problem
        The smaller problem.
    nodes, edges
        For each of its nodes and links the row in the larger one.
    """

    problem: Problem
    nodes: IntArray
    edges: IntArray


def drop_excluded(problem: Problem) -> Piece:
    """Leave out the links that pins exclude, and sort the rest by child.

    Gone are links pinned out or at a node pinned out, other candidate parents of a child with a pinned link, and other
    candidate children of a parent with two. Nodes pinned out stay, as rows nothing leads to; they are the caller's to
    leave.
    """
    edges, pins = problem.edges, problem.pins
    keep = pins.edge != OUT
    if pins.any:
        parent, child = edges.T
        pinned = pins.edge == IN
        keep &= (pins.node[parent] != OUT) & (pins.node[child] != OUT)
        keep &= pinned | (np.bincount(child[pinned], minlength=problem.n)[child] == 0)
        keep &= pinned | (np.bincount(parent[pinned], minlength=problem.n)[parent] < 2)
    rows = np.flatnonzero(keep)
    by_child = edges[rows, 1]
    if (by_child[1:] < by_child[:-1]).any():
        rows = rows[np.argsort(by_child, kind="stable")]
    nodes = np.arange(problem.n)
    if len(rows) == problem.m and (rows == np.arange(problem.m)).all():
        return Piece(problem, nodes, rows)
    return Piece(problem.cut(nodes, rows), nodes, rows)


def cut_open_parts(problem: Problem, taken: BoolArray, is_open: BoolArray, part: IntArray) -> Iterator[Piece]:
    """Cut out what is left to decide when all links but the open ones are decided, part by part.

    Parameters
    ----------
    problem
        The whole problem.
    taken, is_open
        Links decided to be taken, and links still open, shape (m,); all others are left.
    part
        Number of the part each node belongs to, −1 for none, shape (n,). An open link has both ends in one part.

    Yields
    ------
    piece
        The open links of a part, and the taken links that touch it, pinned in, with their far ends. Its cost differs
        from that of the same choice in the whole problem by a constant.
    """
    rows, owner = _assign_links(problem.edges, taken, is_open, part)
    order = np.argsort(owner, kind="stable")
    rows, owner = rows[order], owner[order]
    for some in np.split(rows, np.flatnonzero(np.diff(owner)) + 1):
        if len(some):
            nodes = np.unique(problem.edges[some])
            cut = problem.cut(nodes, some)
            edge = np.where(taken[some], IN, cut.pins.edge).astype(np.int8)
            yield Piece(Problem(cut.edges, cut.costs, Pins(node=cut.pins.node, edge=edge)), nodes, some)


def _assign_links(edges: IntArray, taken: BoolArray, is_open: BoolArray, part: IntArray) -> tuple[IntArray, IntArray]:
    """List the links of every part; a taken link between two parts is listed for both."""
    of_parent, of_child = part[edges[:, 0]], part[edges[:, 1]]
    by_parent = np.flatnonzero((is_open | taken) & (of_parent >= 0))
    by_child = np.flatnonzero(taken & (of_child >= 0) & (of_child != of_parent))
    return np.concatenate([by_parent, by_child]), np.concatenate([of_parent[by_parent], of_child[by_child]])
