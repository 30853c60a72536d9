"""Where a run keeps its tables: chosen once, remembered beside it, asked for again without the password."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from morula.errors import ConfigError, StoreError
from morula.store.paths import RunPaths
from morula.store.places import PostgresPlace, choose_place, find_place, record_place
from morula.store.run_directory import RunDirectory, view_run
from morula.store.sqlite import create_store

URL = "postgresql://ada@db.lab/embryos"
SCHEMA = "morula_" + 32 * "0"


@pytest.fixture
def paths(tmp_path: Path) -> RunPaths:
    return RunPaths(tmp_path)


def test_without_an_address_a_run_is_a_file(paths: RunPaths) -> None:
    assert find_place(paths) is None
    assert choose_place(paths, None) == choose_place(paths, "sqlite") == paths.store
    record_place(paths, paths.store)
    assert not paths.note.exists()


def test_a_run_in_a_database_is_found_again_without_naming_it(paths: RunPaths) -> None:
    place = choose_place(paths, "postgresql://ada:s3cret@db.lab/embryos")
    assert isinstance(place, PostgresPlace)
    assert place.schema != choose_place(paths, URL).schema
    record_place(paths, place)
    assert json.loads(paths.note.read_text()) == {"url": URL, "schema": place.schema}
    assert find_place(paths) == choose_place(paths, None) == choose_place(paths, URL) == place
    again = choose_place(paths, "postgres://ada:s3cret@db.lab:5432/embryos")
    assert again == place
    assert again.url.has_password


@pytest.mark.parametrize("asked", ["postgresql://ada:s3cret@other.lab/embryos", "sqlite"])
def test_a_run_stays_where_it_began(paths: RunPaths, asked: str) -> None:
    record_place(paths, PostgresPlace.new(URL))
    with pytest.raises(StoreError, match="this run has its store elsewhere") as caught:
        choose_place(paths, asked)
    assert f"it is in {URL}, asked for was {asked.replace(':s3cret', '')}" in str(caught.value)


def test_a_run_in_a_file_does_not_move_to_a_database(paths: RunPaths) -> None:
    create_store(paths.store)
    assert choose_place(paths, "sqlite") == choose_place(paths, None) == paths.store
    with pytest.raises(StoreError, match="this run has its store elsewhere") as caught:
        choose_place(paths, URL)
    assert caught.value.measured == f"it is in sqlite, asked for was {URL}"


@pytest.mark.parametrize(
    "note", ["", "{}", "[]", '{"url": 3, "schema": "x"}', '{"url": "nonsense", "schema": "morula_1"}']
)
def test_a_broken_note_is_an_error_and_not_a_new_run(paths: RunPaths, note: str) -> None:
    paths.note.write_text(note)
    with pytest.raises(StoreError, match="does not say where the store is"):
        find_place(paths)


@pytest.mark.parametrize("schema", ["public", "x; DROP TABLE stages", f"{SCHEMA}\n", "pg_catalog"])
def test_a_note_cannot_name_any_other_schema(paths: RunPaths, schema: str) -> None:
    paths.note.write_text(json.dumps({"url": URL, "schema": schema}))
    with pytest.raises(StoreError, match="is not the name of a run's schema"):
        find_place(paths)


def test_a_run_in_a_database_goes_on_and_is_read_by_its_directory_alone(tmp_path: Path, server) -> None:
    with RunDirectory.open(tmp_path / "run", store=server.url) as run, run.stage("train", {}):
        pass
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["run.lock", "store.json"]
    with RunDirectory.open(tmp_path / "run") as run:
        assert run.stage("train", {}).done
    with view_run(tmp_path / "run") as view:
        assert [record.name for record in view.store.read_stages()] == ["train"]


def test_an_address_that_did_not_work_does_not_bind_the_run(tmp_path: Path, server) -> None:
    with pytest.raises(StoreError, match="the database cannot be reached"):
        RunDirectory.open(tmp_path / "run", store="postgresql://ada@127.0.0.1:1/embryos")
    RunDirectory.open(tmp_path / "run", store=server.url).close()


def test_a_missing_library_is_named_with_the_extra_that_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.delitem(sys.modules, "morula.store.postgres", raising=False)
    with pytest.raises(ConfigError, match="needs the package psycopg") as caught:
        RunDirectory.open(tmp_path / "run", store="postgresql://ada:s3cret@db.lab/embryos")
    assert "pip install 'morula[cluster]'" in caught.value.fix
    assert "s3cret" not in str(caught.value)
