"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import resource
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from morula.core.tracks import Tracks
from morula.errors import DiskError, TracksError
from morula.io import atomic
from morula.io.atomic import replace_file, replace_folder
from morula.io.tracks.files import TracksWriteFormat, write_tracks


def full_disk() -> OSError:
    return OSError(errno.ENOSPC, "No space left on device")


def test_a_file_appears_only_when_all_is_written(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    with replace_file(path, overwrite=False) as temporary:
        temporary.write_text("all")
        assert not path.exists()
    assert path.read_text() == "all"
    assert [item.name for item in path.parent.iterdir()] == ["a.txt"]


def fail_halfway(path: Path, error: Exception) -> None:
    with replace_file(path, overwrite=True) as temporary:
        temporary.write_text("half")
        raise error


def fail_halfway_in_folder(path: Path, error: Exception) -> None:
    with replace_folder(path, overwrite=True, is_replaceable=lambda _: True) as temporary:
        temporary.mkdir()
        (temporary / "half").touch()
        raise error


def test_a_full_disk_leaves_the_old_file_and_no_rubbish(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(DiskError, match=r"a\.txt could not be written: No space left on device(.|\n)*free some space"):
        fail_halfway(path, full_disk())
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_of_another_kind_passes_and_leaves_no_rubbish(tmp_path: Path) -> None:
    with pytest.raises(TracksError, match="bad tracks"):
        fail_halfway(tmp_path / "a", TracksError("bad tracks"))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.mkdir()
    (path / "old").touch()
    with replace_folder(path, overwrite=True, is_replaceable=lambda _: True) as temporary:
        temporary.mkdir()
        (temporary / "new").touch()
        assert (path / "old").exists()
    assert [item.name for item in path.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_folder_and_no_rubbish(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.mkdir()
    (path / "old").touch()
    with pytest.raises(DiskError, match="No space left on device"):
        fail_halfway_in_folder(path, full_disk())
    assert [item.name for item in path.iterdir()] == ["old"]
    assert list(tmp_path.iterdir()) == [path]


def test_what_other_threads_write_after_the_failure_is_removed_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(atomic, "_QUIET_S", 1.5)  # a busy machine may let the thread wait
    written = threading.Event()

    def write_late(folder: Path) -> None:
        for k in range(5):
            time.sleep(0.02)
            folder.mkdir(exist_ok=True)
            (folder / f"chunk{k}").write_text("late")
        written.set()

    def fail_while_another_thread_writes() -> None:
        with replace_folder(tmp_path / "out", overwrite=False, is_replaceable=lambda _: True) as new:
            threading.Thread(target=write_late, args=(new,)).start()
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(DiskError, match="No space left"):
        fail_while_another_thread_writes()
    assert written.is_set()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_put_in_its_place_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.mkdir()
    (path / "old").touch()
    with (
        pytest.raises(DiskError, match="could not be written"),
        replace_folder(path, overwrite=True, is_replaceable=lambda _: True),
    ):
        pass  # nothing was written, so there is nothing to rename
    assert [item.name for item in path.iterdir()] == ["old"]


def test_a_file_does_not_replace_a_folder_nor_the_other_way_round(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with (
        pytest.raises(DiskError, match="is a folder, a file was to be written"),
        replace_file(tmp_path / "folder", overwrite=True),
    ):
        pytest.fail("the block must not run")
    with (
        pytest.raises(DiskError, match="is something else than what would replace it"),
        replace_folder(tmp_path / "file", overwrite=True, is_replaceable=lambda _: True),
    ):
        pytest.fail("the block must not run")


def test_a_place_below_a_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DiskError, match="could not be written"), replace_file(tmp_path / "file/a", overwrite=False):
        pytest.fail("the block must not run")


@contextmanager
def largest_file(n_bytes: int) -> Iterator[None]:
    """Let the operating system refuse to write more than `n_bytes` into one file, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("format", ["csv", "geff", "napari"])
def test_every_writer_of_tracks_survives_a_disk_that_refuses(tmp_path: Path, format: TracksWriteFormat) -> None:
    n = 20_000
    positions = np.random.default_rng(0).uniform(1, 100, (n, 3))
    tracks = Tracks(np.zeros(n, np.int32), positions, np.arange(n), np.full(n, -1))
    one = tracks.rows(tracks.id == 0)
    write_tracks(one, tmp_path / "out", format=format)
    with largest_file(50_000), pytest.raises(DiskError, match=r"out could not be written: File too large"):
        write_tracks(tracks, tmp_path / "out", format=format, overwrite=True)
    assert [item.name for item in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out").stat().st_size < 50_000


def left_by(pid: int, path: Path, ending: str = ".tmp") -> Path:
    return path.with_name(f".{path.name}.{socket.gethostname()}-{pid}{ending}")


def dead_pid() -> int:
    done = subprocess.Popen(["true"])
    done.wait()
    return done.pid


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_writes_is_not(tmp_path: Path) -> None:
    path = tmp_path / "tracks.csv"
    abandoned, busy = left_by(dead_pid(), path), left_by(os.getppid(), path)
    elsewhere = path.with_name(".tracks.csv.another-host-1.tmp")
    other = left_by(dead_pid(), tmp_path / "more.csv")
    for place in (abandoned, busy, elsewhere, other):
        place.write_text("half")
    with replace_file(path, overwrite=False) as temporary:
        temporary.write_text("whole")
    assert {place.name for place in tmp_path.iterdir()} == {"tracks.csv", busy.name, elsewhere.name, other.name}


def test_a_folder_moved_aside_by_a_killed_process_is_put_back(tmp_path: Path) -> None:
    path = tmp_path / "tracks.geff"
    pid = dead_pid()
    for place in (left_by(pid, path), left_by(pid, path, ".tmp.old")):
        place.mkdir()
    with pytest.raises(DiskError, match="exists already"), replace_folder(path, overwrite=False, is_replaceable=bool):
        pass
    assert [place.name for place in tmp_path.iterdir()] == ["tracks.geff"]
