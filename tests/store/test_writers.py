"""Several processes that write to one store at the same time: no error, and nothing is lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from morula.core.detections import Detections
from morula.store.address import StoreUrl
from morula.store.places import Place, PostgresPlace
from morula.store.reader import StoreReader
from morula.store.records import StageRecord
from morula.store.store import Store

WRITERS, PER_BLOCK, SHARED = 4, 60, 5

_PROGRAM = """
import sys, time
from pathlib import Path
import test_writers as same
from morula.core.blocks import Block
from morula.store.store import Store

where, number, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
with Store.open(same.name_place(where)) as store:
    print("open", flush=True)
    sys.stdin.readline()
    ends, n = time.monotonic() + seconds, 0
    while time.monotonic() < ends:
        own = same.SHARED + n * same.WRITERS + number
        for index in (own, n % same.SHARED):  # a block of its own, and one that all of them write
            store.write_block("detect", same.make_block(index), same.make_result(index), 0.1)
        n += 1
    print(n, flush=True)
"""


def name_place(where: str) -> Place:
    url, _, schema = where.partition(" ")
    return PostgresPlace(StoreUrl.parse(url), schema) if schema else Path(where)


def make_block(index: int):
    from morula.core.blocks import Block

    return Block(index, *[(slice(index, index + 1), slice(0, 9), slice(0, 9), slice(0, 9))] * 2)


def make_result(index: int) -> Detections:
    rng = np.random.default_rng(index)
    place, movement = rng.uniform(0, 9, (2, PER_BLOCK, 3))
    return Detections.sorted(np.full(PER_BLOCK, index), place, rng.uniform(0, 1, PER_BLOCK), movement)


def _write_together(place: Place, seconds: float) -> list[int]:
    """Let the writers write for so long; return how many blocks of its own each wrote."""
    where = str(place) if isinstance(place, Path) else f"{place.url} {place.schema}"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, where, str(number), str(seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for number in range(WRITERS)
    ]
    assert [writer.stdout.readline() for writer in writers] == ["open\n"] * WRITERS
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    said = [writer.communicate(timeout=seconds + 120) for writer in writers]
    assert [(writer.returncode, errors) for writer, (_, errors) in zip(writers, said, strict=True)] == [
        (0, "")
    ] * WRITERS
    return [int(counted) for counted, _ in said]


@pytest.mark.parametrize("seconds", [2.0, pytest.param(60.0, marks=pytest.mark.long)])
def test_four_writers_lose_nothing(place: Place, seconds: float) -> None:
    with Store.open(place) as store:
        store.begin_stage(StageRecord(0, "detect", "f", {}, {}, (), 0, "running", 0.0))
        counted = _write_together(place, seconds)
        store.finish_stage("detect", seconds=1.0, summary={})
    assert min(counted) > 0
    own = {SHARED + n * WRITERS + number for number, many in enumerate(counted) for n in range(many)}
    written = own | set(range(min(SHARED, max(counted))))
    with StoreReader.open(place) as reader:
        assert reader.read_done_blocks("detect") == written
        found = reader.read_detections()
    wanted = Detections.concatenated([make_result(index) for index in sorted(written)])
    for name in Detections.__slots__:
        assert getattr(found, name).tobytes() == getattr(wanted, name).tobytes()
    sys.stdout.write(f"blocks of their own, and as many shared ones, in {seconds:g} s: {counted}\n")  # for pytest -rP
