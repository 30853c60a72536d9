"""The stage `candidates` by every engine: the graph that linking here makes, and what it says of the movie."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import numpy as np
import pytest

from morula.candidates import pieces
from morula.candidates.link import link_candidates
from morula.candidates.params import CandidatesParams
from morula.core.detections import Detections
from morula.core.progress import Progress
from morula.engine.choose import open_engine
from morula.engine.engine import Engine
from morula.errors import UnlinkableFrameError
from morula.linking import link_in_pieces


@pytest.fixture(scope="module", params=[1, 2], ids=["serial", "dask"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    with open_engine(workers=request.param) as opened:
        yield opened


@pytest.fixture
def jumping() -> Detections:
    """Three hundred cells in six frames; the stage jumps by 14 µm before frame 3."""
    rng = np.random.default_rng(3)
    grid = np.stack(np.meshgrid(*[np.arange(7)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)[:300] * 9.0
    frames = [grid + rng.normal(0, 1.0, grid.shape) + [0, 0, 14.0 * (t >= 3)] for t in range(6)]
    zyx = np.concatenate(frames)
    return Detections.sorted(np.repeat(np.arange(6), 300), zyx, rng.uniform(0.5, 1, len(zyx)), np.zeros(zyx.shape))


def test_the_graph_and_what_is_told_are_those_of_linking_here(
    engine: Engine, jumping: Detections, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pieces.plan_pieces, "__kwdefaults__", {"least": 400})
    params, events = CandidatesParams(), []
    with caplog.at_level(logging.WARNING, logger="morula"):
        graph = link_in_pieces(jumping, params, engine, events.append)
    assert "frame 3 is shifted by" in caplog.text
    whole = link_candidates(jumping, params)
    assert graph.edges.tobytes() == whole.edges.tobytes()
    assert graph.distance_um.tobytes() == whole.distance_um.tobytes()
    assert (events[-1].stage, events[-1].done, events[-1].total) == ("candidates", 3, 3)
    assert " detections/s" in events[-1].detail


def test_a_movie_in_the_wrong_unit_is_refused_once(
    engine: Engine, jumping: Detections, caplog: pytest.LogCaptureFixture
) -> None:
    far = Detections.sorted(jumping.t, jumping.zyx_um * 1e3, jumping.score, jumping.movement_um)
    heard: list[Progress] = []
    with pytest.raises(UnlinkableFrameError, match="frame 1: none of 300 cells lies within"):
        link_in_pieces(far, CandidatesParams(), engine, heard.append)
    assert "failed" not in caplog.text
