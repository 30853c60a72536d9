"""The stage `candidates`: frames linked by an engine, some at a time, and the graph of all of them stored.

Pieces leave no done marks: all of them together take seconds where detection takes hours, so a run that was killed
links all frames again.
"""

from __future__ import annotations

import logging
from functools import partial

from morula.candidates.link import tell, warn_of_empty_frames
from morula.candidates.params import CandidatesParams
from morula.candidates.pieces import LinkedPiece, find_rows, join_pieces, link_piece, plan_pieces
from morula.config import RunConfig, plain_values
from morula.core.blocks import Block
from morula.core.detections import Detections
from morula.core.graph import CandidateGraph
from morula.core.progress import ProgressSink
from morula.engine.engine import BlockJob, Engine
from morula.store.run_directory import RunDirectory

_LOG = logging.getLogger(__name__)


def link(run: RunDirectory, config: RunConfig, engine: Engine, progress: ProgressSink) -> None:
    """Offer possible links between the detections of a run.

    Raises
    ------
    UnlinkableFrameError
        If two consecutive frames hold detections and no possible link.
    """
    with run.stage("candidates", {"candidates": plain_values(config.candidates)}, after=["detect"]) as stage:
        if stage.done:
            return
        detections = run.store.read_detections()
        if not detections.n:
            _LOG.warning(
                "no nucleus was found in the whole movie; lower detect.threshold (%g) or train longer",
                config.detect.threshold,
            )
        graph = link_in_pieces(detections, config.candidates, engine, progress)
        stage.write_graph(graph, summary={"amount": detections.n, "unit": "detections", "links": graph.n_edges})


def link_in_pieces(
    detections: Detections, params: CandidatesParams, engine: Engine, progress: ProgressSink
) -> CandidateGraph:
    """Return what `link_candidates` returns, computed by an engine.

    Raises
    ------
    UnlinkableFrameError
        As `link_candidates`.
    WorkerError
        If a piece could not be computed.
    """
    warn_of_empty_frames(detections)
    blocks = plan_pieces(detections, params)
    pieces: dict[int, LinkedPiece] = {}

    def keep(block: Block, piece: LinkedPiece, _: float) -> None:
        tell(piece.notes)
        pieces[block.index] = piece

    def give_up(_: Block, error: Exception, __: int) -> None:
        raise error

    job = BlockJob(
        "candidates",
        blocks,
        partial(link_piece, params=params),
        weigh=partial(_count_detections, detections),
        unit="detections",
        hand=lambda block: detections.rows(find_rows(detections, block.read[0])),
    )
    engine.run_blocks(job, on_done=keep, on_failed=give_up, progress=progress)
    return join_pieces(detections, blocks, pieces)


def _count_detections(detections: Detections, block: Block) -> float:
    rows = find_rows(detections, block.write[0])
    return float(rows.stop - rows.start)
