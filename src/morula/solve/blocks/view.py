"""What one block sees of a graph: its part of the links, free faces, and all that was decided before.

Owns the cutting of one block's problem out of the whole one. Solves nothing.

Why a block can always be solved, whatever earlier blocks decided. Let D be the links taken so far, by hand or by block.

1. A block takes a link only if both its ends lie in the read region. So any two blocks that decide about links or nodes
   at a node p have p in both read regions: these overlap, one of the two depends on the other, and the later one knows
   and keeps what the earlier one decided there.
2. A child has at most one parent in D: all links to it belong to its own block, which keeps to the rule. A parent has
   at most two children in D: whoever takes a link at p has all links in D at p in its problem (with their far ends,
   where these lie outside), by 1, and keeps to the rule for all of them.
3. No end of a link in D is left: whoever takes the link sees both ends and holds those left by earlier blocks, and the
   block that decides about an end later sees the link and takes the end, by 1 again.

So "the links in D, the nodes taken so far, and nothing else" is a forest that agrees with all pins of the next block's
problem: it always has a solution, and what it adds to D keeps 2 and 3 true. Hand corrections belong to D from the
beginning and are seen by every block; that they do not contradict each other is checked with the whole problem.
Where a decision of a block that this one does not depend on touches its view, it is about a link that leads out of the
view and was left; it is not looked at, so that nothing depends on who is finished first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from morula.core.columns import BoolArray, FloatArray, FrameArray, IntArray, ReadOnlyColumns
from morula.core.graph import CandidateGraph
from morula.core.pins import FREE, IN, OUT, PinArray, Pins
from morula.solve.blocks.plan import BlockPlan, find_rows_inside
from morula.solve.problem.costs import Costs
from morula.solve.problem.problem import Problem


@dataclass(frozen=True, slots=True, eq=False)
class BlockView(ReadOnlyColumns):
    """The problem of one block.

    Parameters
    ----------
    problem
        Nodes of the read region, and the far ends of links already taken; links between them that are not yet left.
    nodes, edges
        For each of its nodes and links the row in the whole graph.
    own_nodes, own_edges
        Rows in the whole graph of the nodes and links the block answers for, ascending.
    """

    problem: Problem
    nodes: IntArray
    edges: IntArray
    own_nodes: IntArray
    own_edges: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class CutProblem(ReadOnlyColumns):
    """A whole problem with a plan to solve it in blocks.

    Parameters
    ----------
    problem
        The whole problem, hand corrections as its pins.
    t, zyx_um
        Frame and position of each node, shapes (n,) and (n, 3); sorted by frame.
    plan
        The blocks.
    block_of_node
        Number of the block that answers for each node, shape (n,); a link is its child's.
    by_child, first_to
        Links sorted by child, shape (m,), and where those to each node begin, shape (n + 1,).
    span
        Frames the longest link reaches over.
    """

    problem: Problem
    t: FrameArray
    zyx_um: FloatArray
    plan: BlockPlan
    block_of_node: IntArray
    by_child: IntArray
    first_to: IntArray
    span: int

    @classmethod
    def of(cls, graph: CandidateGraph, problem: Problem, plan: BlockPlan) -> CutProblem:
        """Say for every node which block answers for it."""
        block_of_node = np.full(problem.n, -1)
        for block in plan.blocks:
            block_of_node[find_rows_inside(graph.nodes.t, graph.nodes.zyx_um, block.write)] = block.index
        t, (parent, child) = graph.nodes.t, problem.edges.T
        return cls(
            problem=problem,
            t=t,
            zyx_um=graph.nodes.zyx_um,
            plan=plan,
            block_of_node=block_of_node,
            by_child=np.argsort(child, kind="stable"),
            first_to=np.concatenate([[0], np.cumsum(np.bincount(child, minlength=problem.n))]),
            span=int((t[child] - t[parent]).max(initial=1)),
        )

    def written_rows(self, number: int) -> tuple[IntArray, IntArray]:
        """Return the nodes and links a block answers for, ascending."""
        rows = find_rows_inside(self.t, self.zyx_um, self.plan.blocks[number].write)
        links = self._links_to(int(rows[0]), int(rows[-1]) + 1)
        links = links[self.block_of_node[self.problem.edges[links, 1]] == number]
        return rows, np.sort(links)

    def look_at(self, number: int, decided: Pins) -> BlockView:
        """Cut out the problem of a block.

        Parameters
        ----------
        number
            Number of the block.
        decided
            What blocks have decided so far, for the whole graph. Only decisions of blocks that this one depends on are
            used, so that the view does not change with what else happens to be finished.

        Returns
        -------
        view
            A track may begin without cost where a candidate parent lies outside the read region and its link is still
            open, and end without cost where such a child does.
        """
        edges, hand = self.problem.edges, self.problem.pins
        seen = np.zeros(self.problem.n, bool)
        rows = find_rows_inside(self.t, self.zyx_um, self.plan.blocks[number].read)
        seen[rows] = True
        links = self._links_near(rows)
        links = links[seen[edges[links]].any(axis=1)]
        known = self._known_blocks(number)
        link_pin = _combine(hand.edge[links], decided.edge[links], known[self.block_of_node[edges[links, 1]]])
        both = seen[edges[links]].all(axis=1)
        crossing = links[~both & (link_pin == FREE)]
        kept = (link_pin == IN) | both & (link_pin == FREE)
        links, link_pin = links[kept], link_pin[kept]
        order = np.argsort(links)
        links, link_pin = links[order], link_pin[order]
        nodes = np.union1d(rows, edges[links])
        node_pin = _combine(hand.node[nodes], decided.node[nodes], known[self.block_of_node[nodes]])
        return BlockView(
            Problem(
                np.searchsorted(nodes, edges[links]),
                self._price(nodes, links, crossing, ~seen[nodes]),
                Pins(node=node_pin, edge=link_pin),
            ),
            nodes,
            links,
            *self.written_rows(number),
        )

    def _price(self, nodes: IntArray, links: IntArray, crossing: IntArray, outside: BoolArray) -> Costs:
        """Make starts and ends at open faces free, and nodes that are here for a decided link only."""
        costs = self.problem.costs.rows(nodes, links)
        parent, child = self.problem.edges[crossing].T
        start, end = costs.start.copy(), costs.end.copy()
        start[np.isin(nodes, child) | outside] = 0.0
        end[np.isin(nodes, parent) | outside] = 0.0
        return Costs(
            node=np.where(outside, 0.0, costs.node), edge=costs.edge, start=start, division=costs.division, end=end
        )

    def _known_blocks(self, number: int) -> BoolArray:
        known = np.zeros(len(self.plan.blocks), bool)
        known[list(self.plan.dependencies[number])] = True
        return known

    def _links_to(self, first: int, stop: int) -> IntArray:
        """Return the links to children in a range of rows."""
        return self.by_child[self.first_to[first] : self.first_to[stop]]

    def _links_near(self, rows: IntArray) -> IntArray:
        """Return all links with an end among these rows, and others of the same frames."""
        stop = int(np.searchsorted(self.t, self.t[rows[-1]] + self.span, "right"))
        return self._links_to(int(rows[0]), stop)


def _combine(hand: PinArray, decided: PinArray, known: BoolArray) -> PinArray:
    """Return what is pinned by hand or decided by a known block; a block's decision agrees with the hand's."""
    return np.where(known & (decided != FREE), decided, hand).astype(np.int8)


def mark(selected: BoolArray) -> PinArray:
    """Return decisions as pins."""
    return np.where(selected, IN, OUT).astype(np.int8)
