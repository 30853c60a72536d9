from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from morula.errors import DiskError
from morula.store.disk import explained_disk_errors, free_bytes, remove_path, write_bytes, write_json, write_text


def test_a_file_is_written_with_its_folder_and_nothing_else_is_left(tmp_path: Path) -> None:
    write_text(tmp_path / "new" / "a.txt", "µm")
    assert (tmp_path / "new" / "a.txt").read_bytes() == "µm".encode()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.txt"]


def test_an_existing_file_is_replaced_whole(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a", b"long old content")
    write_bytes(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"


def test_json_keeps_the_order_of_keys_and_knows_no_nan(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": 1.0, "a": float("nan")})
    assert (tmp_path / "a.json").read_text() == '{\n  "b": 1.0,\n  "a": null\n}\n'
    assert json.loads((tmp_path / "a.json").read_text()) == {"b": 1.0, "a": None}


def test_a_write_that_fails_leaves_the_old_file_and_no_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_bytes(tmp_path / "a", b"old")

    def fail(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(DiskError, match="disk is full, or a quota is reached") as caught:
        write_bytes(tmp_path / "a", bytes(2_500_000))
    assert "MB free, 2.5 MB needed for this write" in caught.value.measured
    assert (tmp_path / "a").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS])
def test_a_place_that_cannot_be_written_to_is_named(code: int) -> None:
    with (
        pytest.raises(DiskError, match="/data/x: this place cannot be written to"),
        explained_disk_errors(Path("/data/x")),
    ):
        raise OSError(code, os.strerror(code))


def test_a_file_where_a_folder_should_be_is_explained(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    with pytest.raises(DiskError, match="a file where a folder should be"):
        write_text(tmp_path / "run" / "config.toml", "")


def test_a_disk_error_is_not_explained_twice(tmp_path: Path) -> None:
    first = DiskError("first.")
    with pytest.raises(DiskError, match=r"^first\.$") as caught, explained_disk_errors(tmp_path):
        raise first
    assert caught.value is first


def test_files_folders_and_nothing_can_be_removed(tmp_path: Path) -> None:
    (tmp_path / "folder" / "inner").mkdir(parents=True)
    (tmp_path / "file").write_text("")
    (tmp_path / "kept").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    for name in ("folder", "file", "link", "absent"):
        remove_path(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_free_space_is_known_for_a_folder_that_is_still_to_be_made(tmp_path: Path) -> None:
    assert free_bytes(tmp_path / "a" / "b") > 0
