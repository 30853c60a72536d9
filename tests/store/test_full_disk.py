"""Disks without room: a real one of one megabyte where mounting is allowed, and a limit on the size of files."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from morula.core.blocks import Block, tile_blocks
from morula.core.detections import Detections
from morula.errors import DiskError
from morula.store.disk import write_bytes
from morula.store.run_directory import RunDirectory, view_run

MakeDetections = Callable[..., Detections]

_PER_BLOCK = 500


@pytest.fixture
def many_blocks() -> list[Block]:
    return tile_blocks((60, 1, 1, 1), (1, 1, 1, 1), [(0, 0)] * 4)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"mounting is not permitted here: {mounted.stderr.strip()}")
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


@pytest.fixture
def lift_quota() -> Iterator[Callable[[], None]]:
    """No file may grow beyond 300 kB, as under a quota, until the limit is lifted."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def lift() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, before[1]))
    yield lift
    lift()


def _detect(folder: Path, blocks: list[Block], make_detections: MakeDetections) -> None:
    with RunDirectory.open(folder) as run, run.stage("detect", {}, n_blocks=len(blocks)) as stage:
        for block in stage.pending_blocks(blocks):
            stage.write_block(block, make_detections(block, n=_PER_BLOCK), 0.1)


def _count_done(folder: Path) -> int:
    with view_run(folder) as run:
        return len(run.store.read_done_blocks("detect"))


def test_a_full_disk_is_named_and_the_run_goes_on_when_there_is_room(
    small_disk: Path, many_blocks: list[Block], make_detections: MakeDetections
) -> None:
    folder = small_disk / "run"
    with pytest.raises(DiskError, match="the disk is full, or a quota is reached") as caught:
        _detect(folder, many_blocks, make_detections)
    assert "MB free, 0.1 MB needed for this write" in caught.value.measured
    done = _count_done(folder)
    assert 0 < done < len(many_blocks)
    subprocess.run(["mount", "-o", "remount,size=20m", str(small_disk)], check=True)
    with RunDirectory.open(folder) as run:
        assert len(run.store.read_done_blocks("detect")) == done
    _detect(folder, many_blocks, make_detections)
    with view_run(folder) as run:
        assert run.store.read_detections().n == len(many_blocks) * _PER_BLOCK


def test_a_file_that_finds_no_room_is_named_and_the_old_one_stays(small_disk: Path) -> None:
    write_bytes(small_disk / "report.html", b"old")
    with pytest.raises(DiskError, match=r"report\.html: the disk is full") as caught:
        write_bytes(small_disk / "report.html", bytes(3_000_000))
    assert "3.0 MB needed" in caught.value.measured
    assert (small_disk / "report.html").read_bytes() == b"old"
    assert [path.name for path in small_disk.iterdir()] == ["report.html"]


def test_a_disk_too_small_for_an_empty_store_leaves_no_half_store(small_disk: Path) -> None:
    (small_disk / "filler").write_bytes(bytes(1_000_000))
    with pytest.raises(DiskError, match="the disk is full, or a quota is reached"):
        RunDirectory.open(small_disk / "run")
    assert not (small_disk / "run" / "store.sqlite").exists()
    (small_disk / "filler").unlink()
    RunDirectory.open(small_disk / "run").close()


def test_a_quota_is_named_and_what_was_done_is_kept(
    tmp_path: Path, many_blocks: list[Block], make_detections: MakeDetections, lift_quota: Callable[[], None]
) -> None:
    with pytest.raises(DiskError, match="the disk is full, or a quota is reached"):
        _detect(tmp_path / "run", many_blocks, make_detections)
    lift_quota()
    done = _count_done(tmp_path / "run")
    assert 0 < done < len(many_blocks)
    _detect(tmp_path / "run", many_blocks, make_detections)
    assert _count_done(tmp_path / "run") == len(many_blocks)
