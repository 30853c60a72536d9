from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from morula.core.blocks import Block
from morula.core.detections import Detections
from morula.store.address import StoreUrl
from morula.store.places import PostgresPlace
from morula.store.records import Region, StageRecord
from morula.store.store import Store

MakeDetections = Callable[..., Detections]

_BLOCK = Block(0, *[(slice(0, 6),) * 4] * 2)


@pytest.fixture(params=["sqlite", "postgres"])
def full_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A store with two stages of points on a lattice, so that many lie on the sides of boxes."""
    is_file = request.param == "sqlite"
    url = "" if is_file else request.getfixturevalue("server").url
    rng = np.random.default_rng(3)
    with Store.open(tmp_path / "store.sqlite" if is_file else PostgresPlace.new(StoreUrl.parse(url))) as store:
        for stage in ("detect", "other"):
            points = rng.integers(0, 4, (300, 4))
            scores = rng.uniform(0, 1, 300)
            nodes = Detections.sorted(points[:, 0], points[:, 1:], scores, np.zeros((300, 3)), scores)
            store.begin_stage(StageRecord(0, stage, "f", {}, {}, (), 1, "running", 0.0))
            store.write_block(stage, _BLOCK, nodes, 0.1)
            store.finish_stage(stage, seconds=0.1, summary={})
        yield store


def _filter(nodes: Detections, region: Region) -> Detections:
    inside = np.isin(nodes.t, region.frames) & (nodes.zyx_um >= region.low_um).all(1)
    return nodes.rows(inside & (nodes.zyx_um < region.high_um).all(1))


_SIDE = st.integers(-1, 5)
_CORNER = st.tuples(_SIDE, _SIDE, _SIDE)


@given(first=st.integers(-1, 4), n=st.integers(0, 6), one=_CORNER, other=_CORNER)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_region_holds_what_a_filter_of_everything_leaves(
    full_store: Store, first: int, n: int, one: tuple[int, int, int], other: tuple[int, int, int]
) -> None:
    low, high = np.minimum(one, other), np.maximum(one, other)
    region = Region(range(first, first + n), tuple(low.tolist()), tuple(high.tolist()))
    found = full_store.read_detections(region=region)
    wanted = _filter(full_store.read_detections(), region)
    for name in Detections.__slots__:
        assert getattr(found, name).tobytes() == getattr(wanted, name).tobytes()


def test_frames_without_a_box_are_whole(full_store: Store) -> None:
    whole = full_store.read_detections("other")
    found = full_store.read_detections("other", region=Region(range(1, 4, 2)))
    assert found.n == np.isin(whole.t, [1, 3]).sum() > 0
    assert set(found.t.tolist()) == {1, 3}


def test_a_region_is_found_by_an_index_and_not_by_looking_at_everything(full_store: Store) -> None:
    query = "SELECT * FROM detections WHERE stage = 1 AND t IN (1, 2) AND z >= 0 AND z < 2"
    database = full_store._database
    if isinstance(full_store.place, Path):
        plan = database.execute(f"EXPLAIN QUERY PLAN {query}").fetchall()
        assert "detections_by_place (stage=? AND t=? AND z>? AND z<?)" in str(plan)
    else:
        with database.reading():
            database.execute("SET LOCAL enable_seqscan = off")  # a table of 600 rows is read whole otherwise
            plan = database.execute(f"EXPLAIN {query}").fetchall()
        assert "detections_by_place" in str(plan)
