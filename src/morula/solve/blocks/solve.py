"""Solving a graph block by block, each block with the decisions of those before it held.

Owns what a block leaves behind and how blocks add up to one forest. Which blocks there are is `plan`, what each
sees is `view`; running them elsewhere, or going on after a kill, is the caller's.

A link belongs to the block of its child. What a block decides in its context, beyond its write region, is thrown away:
it is there so that the decisions inside are made in view of what comes next. The forest depends on the plan alone, not
on the order in which blocks of one colour, or blocks that are far apart, happen to be finished.
"""

from __future__ import annotations

import time

import numpy as np

from morula.core.blocks import Block
from morula.core.graph import CandidateGraph
from morula.core.lineages import Selection
from morula.core.pins import FREE, PinArray, Pins
from morula.core.progress import Progress, ProgressSink, ignore_progress
from morula.errors import SolveError
from morula.solve.ascent.bound import find_lower_bound
from morula.solve.blocks.plan import choose_context, plan_blocks
from morula.solve.blocks.view import BlockView, CutProblem, mark
from morula.solve.forest import check_forest
from morula.solve.method import solve_problem
from morula.solve.params import SolveParams
from morula.solve.problem.problem import Problem
from morula.solve.solution import Solution

_EQUAL = 1e-9


def asks_for_blocks(params: SolveParams) -> bool:
    """Say whether the settings cut the graph at all."""
    return params.block_frames is not None or params.block_um is not None


def cut_problem(graph: CandidateGraph, problem: Problem, params: SolveParams) -> CutProblem:
    """Plan the blocks of a graph whose costs are known.

    Parameters
    ----------
    graph
        The candidate graph.
    problem
        Its costs, and hand corrections as pins.
    params
        Size and context of the blocks.

    Raises
    ------
    ConfigError
        If the context is too small for the graph's links, or the blocks are.
    """
    return CutProblem.of(graph, problem, plan_blocks(graph, params, choose_context(graph, params)))


def solve_block(block: Block, view: BlockView, *, params: SolveParams) -> Selection:
    """Solve one block, given what the blocks it depends on have decided.

    Parameters
    ----------
    block
        A block of the plan, for its name.
    view
        What it sees, as `CutProblem.look_at` gives it: small enough to be sent elsewhere.
    params
        Method and limits; the time limit holds for this block.

    Returns
    -------
    selection
        Choice of the nodes and links this block answers for, in the order of `CutProblem.written_rows`. Objective,
        lower bound and status are those of the block's own problem, context included.

    Raises
    ------
    SolveError
        If the block was not solved within the time limit, or not at all; the message begins with its name.
    """
    began = time.perf_counter()
    try:
        solution = solve_problem(view.problem, params)
    except SolveError as error:
        raise SolveError(
            f"{block.name}: {error.what}", measured=error.measured, cause=error.cause, fix=error.fix
        ) from error
    check_forest(view.problem.edges, solution.node_selected, solution.edge_selected)
    objective = view.problem.price(solution.node_selected, solution.edge_selected)
    selection = Selection(
        node_selected=np.isin(view.own_nodes, view.nodes[solution.node_selected]),
        edge_selected=np.isin(view.own_edges, view.edges[solution.edge_selected]),
        objective=objective,
        lower_bound=objective if solution.proven else min(solution.lower_bound, objective),
        status="optimal" if solution.proven else "feasible",
        seconds=time.perf_counter() - began,
    )
    _refuse_late(selection, block.name, params)
    return selection


def _refuse_late(selection: Selection, name: str, params: SolveParams) -> None:
    late = params.time_limit_s is not None and selection.seconds >= params.time_limit_s
    if late and selection.status != "optimal" and selection.gap > (0.0 if params.method == "exact" else params.gap):
        raise SolveError(
            f"{name}: not solved within {params.time_limit_s:g} s.",
            measured=f"the best forest so far may cost {selection.gap:.2g} more than the cheapest",
            cause="a time limit too short for blocks of this size, or a busy machine",
            fix="raise or remove solve.time_limit_s, or make solve.block_frames or solve.block_um smaller",
        )


class Decisions:
    """What has been decided about each node and link of a graph, block after block.

    Parameters
    ----------
    cut
        The problem that is being solved in blocks.
    """

    def __init__(self, cut: CutProblem) -> None:
        self._cut = cut
        self._node: PinArray = np.full(cut.problem.n, FREE, np.int8)
        self._edge: PinArray = np.full(cut.problem.m, FREE, np.int8)
        self.pins = Pins(node=self._node, edge=self._edge)
        """The decisions so far, for `CutProblem.look_at`: a view, in which later decisions appear."""

    def add(self, number: int, selection: Selection) -> None:
        """Take over what a block has decided.

        Raises
        ------
        SolveError
            If the selection has another number of nodes or links than the block answers for.
        """
        nodes, links = self._cut.written_rows(number)
        lengths = (len(selection.node_selected), len(selection.edge_selected))
        if lengths != (len(nodes), len(links)):
            raise SolveError(
                f"{self._cut.plan.blocks[number].name}: its decisions are not about this graph.",
                measured=f"nodes and links: {lengths} decided, {(len(nodes), len(links))} in the block",
                fix="solve all blocks with the same graph and the same settings",
            )
        self._node[nodes], self._edge[links] = mark(selection.node_selected), mark(selection.edge_selected)

    def join(self, *, bound: bool) -> Solution:
        """Return the forest of all blocks, and the lower bound of the whole graph if asked for.

        Raises
        ------
        SolveError
            If a block is missing, or the blocks do not make a forest.
        """
        undecided = np.unique(self._cut.block_of_node[self._node == FREE])
        if len(undecided):
            raise SolveError(
                f"{self._cut.plan.blocks[undecided[0]].name} is not solved, nor are {len(undecided) - 1} others.",
                fix="run again: only the blocks that are not done are solved",
            )
        problem, node, edge = self._cut.problem, self._node > 0, self._edge > 0
        check_forest(problem.edges, node, edge)
        cost = problem.price(node, edge)
        least = min(find_lower_bound(problem), cost) if bound else -np.inf
        proven = cost - least <= _EQUAL * max(1.0, abs(cost))
        return Solution(node_selected=node, edge_selected=edge, lower_bound=least, proven=proven)


def solve_in_blocks(
    graph: CandidateGraph, problem: Problem, params: SolveParams, *, progress: ProgressSink = ignore_progress
) -> Solution:
    """Find a cheap forest of a candidate graph block by block, one after the other in this process.

    Parameters
    ----------
    graph
        The candidate graph.
    problem
        Its costs, and hand corrections as pins.
    params
        Limits, and size and context of the blocks.
    progress
        Hears of every block solved; `detail` is its status and gap.

    Returns
    -------
    solution
        Forest and lower bound of the whole graph; the bound is −inf without `params.block_bound`. Proven only if both
        are equal: that every block is optimal does not make the whole so.

    Raises
    ------
    ConfigError
        If the context is too small for the graph's links, or the blocks are.
    SolveError
        If a block was not solved within the time limit, or not at all; the message begins with its name.
    """
    cut = cut_problem(graph, problem, params)
    decisions = Decisions(cut)
    total = len(cut.plan.blocks)
    for block in cut.plan.blocks:
        solved = solve_block(block, cut.look_at(block.index, decisions.pins), params=params)
        decisions.add(block.index, solved)
        progress(Progress("solve", block.index + 1, total, "blocks", f"{solved.status}, gap {solved.gap:.2g}"))
    return decisions.join(bound=params.block_bound)
