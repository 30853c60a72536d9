"""The candidate graph in pieces of some frames each, which may be linked in any order and in other processes.

A frame is linked with what lies in it and in the frames it reaches back to, and a piece is handed no more than these.
Joined in the frames' order the pieces are the graph that `link_candidates` makes, byte for byte.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from morula.candidates.frame import Links, Note, link_frame
from morula.candidates.link import build_graph, find_frames
from morula.candidates.params import CandidatesParams
from morula.core.blocks import Block
from morula.core.detections import Detections
from morula.core.graph import CandidateGraph
from morula.errors import UnlinkableFrameError

_LEAST_DETECTIONS = 20_000  # a quarter of a second: many times what it costs to send them


@dataclass(frozen=True, slots=True, eq=False)
class LinkedPiece:
    """What linking a piece came to.

    Parameters
    ----------
    found
        Links of its frames, rows counted within the piece.
    notes
        What is to be told.
    refusal
        Its first frame that cannot be linked; the others of the piece were not tried then.
    """

    found: tuple[Links, ...]
    notes: tuple[Note, ...]
    refusal: UnlinkableFrameError | None = None


def plan_pieces(detections: Detections, params: CandidatesParams, *, least: int = _LEAST_DETECTIONS) -> list[Block]:
    """Cut a movie into pieces along time, each with at least so many detections if there are as many.

    Only t is meant: the other axes of these blocks are one long.
    """
    starts, in_piece = [], least
    for t, rows in find_frames(detections).items():
        if in_piece >= least:
            starts.append(t)
            in_piece = 0
        in_piece += rows.stop - rows.start
    stops = [*starts[1:], int(detections.t.max(initial=-1)) + 1]
    beside = (slice(0, 1),) * 3
    return [
        Block(i, (slice(a, b), *beside), (slice(a - 1 - params.max_skip_frames, b), *beside))
        for i, (a, b) in enumerate(zip(starts, stops, strict=False))
    ]


def find_rows(detections: Detections, frames: slice) -> slice:
    """Return the rows of some frames: those that a piece sees, or answers for."""
    first, last = np.searchsorted(detections.t, [frames.start, frames.stop])
    return slice(int(first), int(last))


def link_piece(block: Block, detections: Detections, *, params: CandidatesParams) -> LinkedPiece:
    """Link the frames a piece answers for; `detections` are those that it sees."""
    rows = find_frames(detections)
    trees = {t: cKDTree(detections.zyx_um[where]) for t, where in rows.items()}
    found: list[Links] = []
    notes: list[Note] = []
    for t in rows:
        if t < block.write[0].start:
            continue
        earlier = {s: tree for s, tree in trees.items() if s < t}
        try:
            found.extend(link_frame(detections, rows, earlier, t, params, notes))
        except UnlinkableFrameError as refusal:
            return LinkedPiece((), tuple(notes), refusal)
    return LinkedPiece(tuple(found), tuple(notes))


def join_pieces(detections: Detections, blocks: list[Block], pieces: Mapping[int, LinkedPiece]) -> CandidateGraph:
    """Return the graph of all pieces, given by their blocks' numbers.

    Raises
    ------
    UnlinkableFrameError
        The first one, if frames could not be linked.
    """
    found: list[Links] = []
    for block in blocks:
        piece, offset = pieces[block.index], find_rows(detections, block.read[0]).start
        if piece.refusal is not None:
            raise piece.refusal
        found += [(parent + offset, child + offset, distance) for parent, child, distance in piece.found]
    return build_graph(detections, found)
