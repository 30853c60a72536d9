from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from morula import __version__
from morula.errors import DiskError, StoreError, StoreVersionError
from morula.store.reader import StoreReader
from morula.store.schema import SCHEMA_VERSION
from morula.store.sqlite import create_store
from morula.store.store import Store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite"


def test_a_new_store_keeps_a_log_syncs_commits_and_is_one_file(path: Path) -> None:
    create_store(path)
    assert list(path.parent.iterdir()) == [path]
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_what_a_killed_creation_left_does_not_disturb(path: Path) -> None:
    path.with_name(".store.sqlite.part").write_bytes(b"half")
    path.with_name(".store.sqlite.part-journal").write_bytes(b"half")
    with Store.open(path) as store:
        assert store.read_stages() == ()
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(("version", "cause"), [(SCHEMA_VERSION + 1, "a newer morula"), (2, "morula was updated")])
def test_a_store_of_another_version_names_both_versions_and_what_to_do(path: Path, version: int, cause: str) -> None:
    create_store(path)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE meta SET value = '9.9.9' WHERE key = 'morula_version'")
    connection.execute(f"PRAGMA user_version = {version}")
    connection.commit()
    connection.close()
    for kind in (Store, StoreReader):
        with pytest.raises(StoreVersionError, match="written by another version of morula") as caught:
            kind.open(path)
        message = str(caught.value)
        assert f"store format {version}, written by morula 9.9.9" in message
        assert f"this is morula {__version__} with store format {SCHEMA_VERSION}" in message
        assert "install morula 9.9.9" in message
        assert cause in message


def test_a_file_that_is_not_sqlite_is_refused_and_left_as_it_is(path: Path) -> None:
    path.write_bytes(b"t,z,y,x,id,parent_id\n" * 100)
    for kind in (Store, StoreReader):
        with pytest.raises(StoreError, match="this is not a store, or it is damaged"):
            kind.open(path)
    assert path.read_bytes() == b"t,z,y,x,id,parent_id\n" * 100


def test_another_programs_database_is_refused_and_left_as_it_is(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE notes (text)")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="this file was not made by morula"):
        Store.open(path)
    assert path.read_bytes() == before


def test_an_empty_file_is_refused(path: Path) -> None:
    path.touch()
    with pytest.raises(StoreError, match="this file was not made by morula"):
        Store.open(path)


def test_a_store_that_was_cut_short_is_refused_when_it_is_used(path: Path) -> None:
    create_store(path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(StoreError, match="this is not a store, or it is damaged"), Store.open(path) as store:
        store.read_stages()


def test_reading_a_store_that_is_not_there_says_so_and_makes_none(path: Path) -> None:
    with pytest.raises(StoreError, match="there is no store here"):
        StoreReader.open(path)
    assert not path.exists()


def test_a_folder_under_the_stores_name_is_a_disk_error(path: Path) -> None:
    path.mkdir()
    with pytest.raises(DiskError, match="cannot be written to"):
        Store.open(path)
