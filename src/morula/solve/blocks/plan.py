"""How a candidate graph is cut into blocks of frames and µm, and which blocks have to wait for which.

Owns the regions and the order; no costs and no links are looked at beyond how far they reach.

* The write regions tile the graph: every node lies in exactly one. The read region is the write region and a context on
  each side. All regions are half-open boxes of order t, z, y, x in frames and µm, cut at multiples of the block's size
  from frame 0 and the corner of the movie, so that the cut does not depend on where the cells are.
* Blocks of one *colour* have no two read regions that overlap: they share no node and can be solved at the same time.
* Blocks are numbered in the order in which they are solved, colour by colour. A block depends on every earlier block
  whose read region overlaps its own; this order is fixed by the plan, not by who is ready first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product

import numpy as np

from morula.core.blocks import Block, Box
from morula.core.columns import FloatArray, FrameArray, IntArray
from morula.core.graph import CandidateGraph
from morula.errors import ConfigError
from morula.solve.params import SolveParams

_USUAL_FRAMES = 5
"""Frames of context that are taken where nothing is asked for; what fewer and more lose is in docs/performance.md."""

_MOST_CUTS = 100_000
"""Cuts along one axis; more are a block size in the wrong unit."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a block sees beyond its write region, on each side.

    Parameters
    ----------
    frames
        Frames before and after.
    zyx_um
        Width in µm, order z, y, x.
    """

    frames: int
    zyx_um: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class BlockPlan:
    """The blocks of a graph in the order in which they are solved.

    Parameters
    ----------
    blocks
        Blocks with at least one node in their write region; `Block.index` is the place in this order. Their regions
        are in frames and µm.
    colour
        Colour of each block, not decreasing; blocks of one colour can be solved at the same time.
    dependencies
        For each block the numbers of the earlier blocks whose decisions it has to know, ascending.
    """

    blocks: tuple[Block, ...]
    colour: tuple[int, ...]
    dependencies: tuple[tuple[int, ...], ...]


def choose_context(graph: CandidateGraph, params: SolveParams) -> Context:
    """Choose the context the settings ask for, or derive it from how far the graph's links reach.

    Parameters
    ----------
    graph
        The candidate graph.
    params
        `context_frames` and `context_um`; None is derived.

    Returns
    -------
    context
        At least the longest link's frames, and at least twice its reach in µm along each axis: sisters can lie that far
        apart, and a block that decides about one of them has to see the other. Derived, it is twice the longest link's
        frames, at least 5, and just that width.

    Raises
    ------
    ConfigError
        If the settings ask for less.
    """
    parent, child = graph.edges.T
    nodes = graph.nodes
    span = int((nodes.t[child] - nodes.t[parent]).max(initial=1))
    reach_um = np.abs(nodes.zyx_um[child] - nodes.zyx_um[parent]).max(axis=0, initial=0.0)
    least_um = 2 * reach_um * (1 + 1e-9)  # so that rounding does not put the farthest one outside
    frames = max(_USUAL_FRAMES, 2 * span) if params.context_frames is None else params.context_frames
    z, y, x = least_um.tolist() if params.context_um is None else params.context_um
    if frames < span or (np.array([z, y, x]) < 2 * reach_um).any():
        needed = ", ".join(f"{math.ceil(10 * width) / 10:g}" for width in least_um)
        raise ConfigError(
            f"a context of {frames} frames and {z:g}, {y:g}, {x:g} µm (z, y, x) is too small for this graph.",
            measured=f"links reach over {span} frames and up to {', '.join(f'{r:.1f}' for r in reach_um)} µm",
            cause="sisters can lie twice a link's reach apart, and one block has to see them both",
            fix=f"leave solve.context_frames and solve.context_um out, or give at least {span} and [{needed}]",
        )
    return Context(frames, (z, y, x))


def plan_blocks(graph: CandidateGraph, params: SolveParams, context: Context) -> BlockPlan:
    """Cut a graph into blocks and put them in order.

    Parameters
    ----------
    graph
        The candidate graph; only frames and positions of its nodes count.
    params
        `block_frames` and `block_um`; an axis without a size is not cut.
    context
        How much further a block sees.

    Returns
    -------
    plan
        The blocks that hold a node.

    Raises
    ------
    ConfigError
        If a block is so small that an axis falls into more than 100 000.

    Examples
    --------
    >>> from morula.core.detections import Detections
    >>> nodes = Detections.sorted([0, 1, 2, 3, 4, 5], np.zeros((6, 3)), np.ones(6), np.zeros((6, 3)))
    >>> graph = CandidateGraph(nodes=nodes, edges=np.zeros((0, 2)), distance_um=np.zeros(0))
    >>> plan = plan_blocks(graph, SolveParams(block_frames=2), Context(1, (0.0, 0.0, 0.0)))
    >>> [(block.write[0].start, colour) for block, colour in zip(plan.blocks, plan.colour)]
    [(0, 0), (4, 0), (2, 1)]
    >>> plan.dependencies
    ((), (), (0, 1))
    """
    nodes = graph.nodes
    if not nodes.n:
        return BlockPlan((), (), ())
    places = np.column_stack([nodes.t.astype(np.float64), nodes.zyx_um])
    sizes = (params.block_frames, *(params.block_um or (None, None, None)))
    cuts = [_cut_axis(column, size, axis) for column, size, axis in zip(places.T, sizes, "tzyx", strict=True)]
    widths = (float(context.frames), *context.zyx_um)
    periods = [_find_period(along, width) for along, width in zip(cuts, widths, strict=True)]
    cells = np.unique(
        np.column_stack([np.searchsorted(a, x, "right") - 1 for a, x in zip(cuts, places.T, strict=True)]), axis=0
    )
    colour = np.ravel_multi_index(tuple((cells % periods).T), tuple(periods))
    order = np.argsort(colour, kind="stable")
    _, dense_colour = np.unique(colour[order], return_inverse=True)
    corners = [tuple(cell) for cell in cells[order].tolist()]
    blocks = tuple(_make_block(number, corner, cuts, widths) for number, corner in enumerate(corners))
    return BlockPlan(blocks, tuple(dense_colour.tolist()), _find_dependencies(blocks, corners, periods))


def find_rows_inside(t: FrameArray, zyx_um: FloatArray, box: Box) -> IntArray:
    """Return the rows of nodes inside a box, ascending; the nodes are sorted by frame."""
    first, last = (int(row) for row in np.searchsorted(t, [math.ceil(box[0].start), math.ceil(box[0].stop)]))
    near = zyx_um[first:last]
    inside = np.ones(len(near), bool)
    for axis, side in enumerate(box[1:]):
        inside &= (near[:, axis] >= side.start) & (near[:, axis] < side.stop)
    return np.arange(first, last)[inside]


def _cut_axis(places: FloatArray, size: float | None, axis: str) -> FloatArray:
    """Return where an axis is cut, first and last face included: multiples of the size, around all nodes."""
    low, high = float(places.min()), float(places.max())
    if size is None:
        return np.array([math.floor(low), math.floor(high) + 1.0])
    first, last = math.floor(low / size), math.floor(high / size) + 1
    if last - first > _MOST_CUTS:
        raise ConfigError(
            f"blocks of {size:g} along {axis} cut the graph into {last - first} pieces.",
            measured=f"nodes lie between {low:g} and {high:g}",
            fix="raise solve.block_frames (frames) or solve.block_um (µm)",
        )
    cuts = np.arange(first, last + 1, dtype=np.float64) * size
    cuts[0], cuts[-1] = min(cuts[0], low), max(cuts[-1], np.nextafter(high, np.inf))  # where the division was rounded
    return cuts


def _find_period(cuts: FloatArray, width: float) -> int:
    """Return the least number of blocks after which read regions along an axis do not overlap any more."""
    low, high = cuts[:-1] - width, cuts[1:] + width
    for period in range(1, len(low)):
        if (low[period:] >= high[:-period]).all():
            return period
    return len(low)


def _make_block(number: int, corner: tuple[int, ...], cuts: list[FloatArray], widths: tuple[float, ...]) -> Block:
    faces = [(float(along[i]), float(along[i + 1])) for along, i in zip(cuts, corner, strict=True)]
    return Block(
        index=number,
        write=tuple(slice(_plain(low), _plain(high)) for low, high in faces),
        read=tuple(
            slice(_plain(low - width), _plain(high + width)) for (low, high), width in zip(faces, widths, strict=True)
        ),
    )


def _plain(number: float) -> float:
    """Write whole numbers as such, for messages: 3 instead of 3.0."""
    return int(number) if number.is_integer() else number


def _find_dependencies(
    blocks: tuple[Block, ...], corners: list[tuple[int, ...]], periods: list[int]
) -> tuple[tuple[int, ...], ...]:
    number_of = {corner: number for number, corner in enumerate(corners)}
    steps = list(product(*(range(1 - period, period) for period in periods)))
    found = []
    for number, corner in enumerate(corners):
        near = (number_of.get(tuple(a + b for a, b in zip(corner, step, strict=True)), number) for step in steps)
        earlier = sorted(other for other in near if other < number)
        found.append(tuple(other for other in earlier if _overlap(blocks[other], blocks[number])))
    return tuple(found)


def _overlap(one: Block, other: Block) -> bool:
    return all(a.start < b.stop and b.start < a.stop for a, b in zip(one.read, other.read, strict=True))
