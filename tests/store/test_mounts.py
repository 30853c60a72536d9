from __future__ import annotations

import logging
from pathlib import Path

import pytest

from morula.store.mounts import find_shared_disk
from morula.store.run_directory import RunDirectory

MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
server:/home /data nfs4 rw,vers=4.2 0 0
/dev/sdb1 /data/scratch xfs rw 0 0
//lab/share /mnt/lab\\040share cifs rw 0 0
lustre /mnt/big lustre rw 0 0
ada@host:/ /mnt/host fuse.sshfs rw 0 0
old /mnt/twice nfs rw 0 0
/dev/sdc1 /mnt/twice ext4 rw 0 0
"""


@pytest.fixture
def mounts(tmp_path: Path) -> Path:
    (tmp_path / "mounts").write_text(MOUNTS)
    return tmp_path / "mounts"


@pytest.mark.parametrize(
    ("path", "disk"),
    [
        ("/home/ada/run", None),
        ("/data/run", "nfs4, mounted at /data"),
        ("/data", "nfs4, mounted at /data"),
        ("/database/run", None),
        ("/data/scratch/run", None),
        ("/mnt/lab share/run", "cifs, mounted at /mnt/lab share"),
        ("/mnt/big/a/b", "lustre, mounted at /mnt/big"),
        ("/mnt/host/run", "fuse.sshfs, mounted at /mnt/host"),
        ("/mnt/twice/run", None),
    ],
)
def test_a_disk_that_machines_share_is_known_by_its_kind(mounts: Path, path: str, disk: str | None) -> None:
    assert find_shared_disk(Path(path), mounts) == disk


def test_where_no_mounts_are_listed_nothing_is_known(tmp_path: Path) -> None:
    assert find_shared_disk(tmp_path, tmp_path / "absent") is None


@pytest.mark.parametrize("store_url", ["sqlite", "postgres"], indirect=True)
def test_only_sqlite_on_a_shared_disk_is_warned_about(
    tmp_path: Path, store_url: str | None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("morula.store.run_directory.find_shared_disk", lambda path: "nfs4, mounted at /data")
    with caplog.at_level(logging.WARNING, logger="morula"):
        RunDirectory.open(tmp_path / "run", store=store_url).close()
    warned = [message for message in caplog.messages if "SQLite's locks do not hold" in message]
    assert len(warned) == (store_url is None)
    assert all("nfs4, mounted at /data" in message and "--store postgresql://" in message for message in warned)
