from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from morula.candidates.link import link_candidates
from morula.candidates.params import CandidatesParams
from morula.candidates.pieces import find_rows, join_pieces, link_piece, plan_pieces
from morula.core.detections import Detections
from morula.core.graph import CandidateGraph
from morula.errors import UnlinkableFrameError


def link_one_by_one(found: Detections, params: CandidatesParams, least: int) -> CandidateGraph:
    """Link every piece from nothing but what it is handed, the last one first."""
    blocks = plan_pieces(found, params, least=least)
    pieces = {
        block.index: link_piece(block, found.rows(find_rows(found, block.read[0])), params=params)
        for block in reversed(blocks)
    }
    return join_pieces(found, blocks, pieces)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_pieces_joined_are_the_whole_byte_for_byte(data: st.DataObject) -> None:
    n = data.draw(st.integers(0, 60))
    rng = np.random.default_rng(data.draw(st.integers(0, 999)))
    found = Detections.sorted(rng.integers(0, 9, n), rng.uniform(0, 9, (n, 3)), rng.random(n), rng.normal(0, 1, (n, 3)))
    params = CandidatesParams(
        max_distance_um=3.0, max_skip_frames=data.draw(st.integers(0, 3)), flow_neighbours=3, allow_unlinkable=True
    )
    whole, joined = link_candidates(found, params), link_one_by_one(found, params, data.draw(st.integers(1, 40)))
    assert joined.edges.tobytes() == whole.edges.tobytes()
    assert joined.distance_um.tobytes() == whole.distance_um.tobytes()


def test_every_frame_is_answered_for_once_and_sees_what_it_reaches_back_to() -> None:
    t = np.repeat([2, 3, 4, 7, 8], [5, 5, 5, 5, 1]).astype(np.int32)
    found = Detections.sorted(t, np.zeros((21, 3)), np.ones(21), np.zeros((21, 3)))
    blocks = plan_pieces(found, CandidatesParams(max_skip_frames=1), least=10)
    assert [(b.write[0].start, b.write[0].stop) for b in blocks] == [(2, 4), (4, 8), (8, 9)]
    assert [b.read[0].start for b in blocks] == [0, 2, 6]
    assert all(a.write[0].stop == b.write[0].start for a, b in pairwise(blocks))
    assert plan_pieces(Detections.empty(), CandidatesParams()) == []


def test_the_first_frame_that_cannot_be_linked_is_the_one_named(detections) -> None:
    found = detections([[0, 0, 0.0]], [[0, 0, 60.0]], [[0, 0, 61.0]], [[0, 0, 0.0]])
    params = CandidatesParams(max_distance_um=5.0)
    with pytest.raises(UnlinkableFrameError, match="frame 1: none of 1 cells lies within 5 µm"):
        link_one_by_one(found, params, 1)
