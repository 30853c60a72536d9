"""What only a database server can do to a run: locks across machines, lost connections, a full disk, other owners."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from postgres_server import PASSWORD, PostgresServer

from morula.core.blocks import Block
from morula.core.detections import Detections
from morula.errors import DiskError, StoreError, StoreLockedError, StoreVersionError
from morula.store.address import StoreUrl
from morula.store.places import PostgresPlace
from morula.store.reader import StoreReader
from morula.store.records import StageRecord
from morula.store.run_directory import RunDirectory
from morula.store.status import read_status
from morula.store.store import Store

MakeDetections = Callable[..., Detections]
MakeStage = Callable[..., StageRecord]


def _do(url: str, *statements: str) -> list[tuple[object, ...]]:
    """Run statements as another program would; return the rows of the last."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def _end_connections(server: PostgresServer, schema: str) -> None:
    named = f"application_name = 'morula {schema}'"
    ended = _do(server.url, f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE {named}")
    assert ended == [(True,)]


def _wait_until_free(folder: Path) -> None:
    deadline = time.monotonic() + 20
    while read_status(folder).running:
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def place(server: PostgresServer) -> PostgresPlace:
    return PostgresPlace.new(StoreUrl.parse(server.url))


@pytest.fixture
def run(server: PostgresServer, tmp_path: Path) -> Iterator[RunDirectory]:
    with RunDirectory.open(tmp_path / "run", store=server.url) as opened:
        yield opened


def _schema(run: RunDirectory) -> str:
    assert isinstance(run.store.place, PostgresPlace)
    return run.store.place.schema


# --- one writer


def test_a_copy_of_a_run_directory_cannot_write_beside_the_first_which_is_named(
    run: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As seen from another machine: the lock file says nothing there."""
    monkeypatch.setattr("morula.store.postgres._CLAIM_PATIENCE_S", 0.2)
    copied = tmp_path / "elsewhere"
    copied.mkdir()
    shutil.copy(run.paths.note, copied)
    assert read_status(copied).running
    with pytest.raises(StoreLockedError, match="another morula is working in this run directory") as caught:
        RunDirectory.open(copied)
    assert caught.value.measured.startswith(f"process {os.getpid()} on ")
    run.close()
    _wait_until_free(copied)
    RunDirectory.open(copied).close()


def test_runs_share_a_database_without_seeing_each_other(run: RunDirectory, tmp_path: Path, server) -> None:
    with RunDirectory.open(tmp_path / "other", store=server.url) as other:
        with other.stage("train", {}):
            pass
        assert run.store.read_stages() == ()
        assert _schema(run) != _schema(other)


# --- connections


def test_a_connection_cut_while_idle_is_made_anew(
    run: RunDirectory, blocks: list[Block], caplog: pytest.LogCaptureFixture
) -> None:
    server_url = str(run.store.place.url)
    stage = run.stage("detect", {}, n_blocks=len(blocks))
    for block in blocks[:3]:
        pid = _do(server_url, f"SELECT pid FROM pg_stat_activity WHERE application_name = 'morula {_schema(run)}'")
        _do(server_url, f"SELECT pg_terminate_backend({pid[0][0]}, 5000)")
        with caplog.at_level(logging.WARNING, logger="morula"):
            stage.write_block(block, Detections.empty(), 0.1)
    assert [message.partition(": ")[2] for message in caplog.messages] == ["the connection was lost, and made anew"] * 3
    assert run.store.read_done_blocks("detect") == {0, 1, 2}
    assert run.store.is_claimed()


def test_a_connection_cut_while_somebody_else_wrote_is_not_made_anew(
    run: RunDirectory, tmp_path: Path, server: PostgresServer, blocks: list[Block]
) -> None:
    stage = run.stage("detect", {}, n_blocks=len(blocks))
    copied = tmp_path / "elsewhere"
    copied.mkdir()
    shutil.copy(run.paths.note, copied)
    _end_connections(server, _schema(run))
    with RunDirectory.open(copied) as other:
        other.stage("detect", {}, n_blocks=len(blocks)).write_block(blocks[0], Detections.empty(), 0.1)
    with pytest.raises(StoreError, match="the connection to the database was lost"):
        stage.write_block(blocks[1], Detections.empty(), 0.1)


def test_a_connection_cut_in_the_middle_changes_nothing_and_says_what_to_do(
    place: PostgresPlace, server: PostgresServer, blocks: list[Block], make_stage: MakeStage
) -> None:
    with Store.open(place) as store:
        store.begin_stage(make_stage())

        def write_and_cut() -> None:
            with store._database.writing():
                store._database.execute("UPDATE stages SET state = 'done'")
                _end_connections(server, place.schema)
                store._database.execute("UPDATE stages SET seconds = 3")

        with pytest.raises(StoreError, match="the connection to the database was lost") as caught:
            write_and_cut()
        assert "run again: what is finished is kept" in caught.value.fix
    with StoreReader.open(place) as reader:
        assert [(record.state, record.seconds) for record in reader.read_stages()] == [("running", 0.0)]


def test_a_server_that_is_killed_and_started_again_kept_every_committed_block(
    tmp_path: Path, blocks: list[Block], make_detections: MakeDetections, server: PostgresServer
) -> None:
    with PostgresServer("fsync=off") as mortal, RunDirectory.open(tmp_path / "run", store=mortal.url) as run:
        stage = run.stage("detect", {}, n_blocks=len(blocks))
        for block in blocks[:4]:
            stage.write_block(block, make_detections(block), 0.1)
        mortal.kill()
        for _ in range(2):
            with pytest.raises(StoreError, match="the database cannot be reached") as caught:
                stage.write_block(blocks[4], make_detections(blocks[4]), 0.1)
            assert "what is finished is kept" in caught.value.fix
        with pytest.raises(StoreError, match="the database cannot be reached"):
            read_status(tmp_path / "run")
        mortal.start()
        for block in blocks[4:]:
            stage.write_block(block, make_detections(block), 0.1)
        stage.finish()
        assert run.store.read_detections().n == 5 * len(blocks)


# --- what is refused


@pytest.mark.parametrize(
    ("change", "said"),
    [("@", "the database cannot be reached"), (":", "the database cannot be reached")],
)
def test_a_wrong_password_or_port_is_told_without_the_password(
    server: PostgresServer, tmp_path: Path, change: str, said: str
) -> None:
    url = server.network_url("wr0ng@secret")
    if change == ":":
        url = url.replace(str(server.port), "1")
    with pytest.raises(StoreError, match=said) as caught:
        RunDirectory.open(tmp_path / "run", store=url)
    shown = f"{caught.value} {caught.value!r} {caught.value.__cause__!r}"
    assert "wr0ng" not in shown
    assert "PGPASSWORD" in caught.value.fix


@pytest.mark.parametrize("how", ["url", "PGPASSWORD", "PGPASSFILE", "MORULA_STORE"])
def test_a_password_may_come_from_four_places(
    server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    full = server.network_url()
    bare = StoreUrl(StoreUrl.parse(full))
    if how == "PGPASSFILE":
        (tmp_path / "pgpass").write_text(f"127.0.0.1:{server.port}:*:postgres:{PASSWORD}\n")
        (tmp_path / "pgpass").chmod(0o600)
        monkeypatch.setenv("PGPASSFILE", str(tmp_path / "pgpass"))
    elif how != "url":
        monkeypatch.setenv(how, full if how == "MORULA_STORE" else PASSWORD)
    with RunDirectory.open(tmp_path / "run", store=full if how == "url" else bare) as run:
        assert PASSWORD not in run.store.name + run.paths.note.read_text() + repr(run.store.place)


def test_tables_that_were_dropped_are_not_made_anew_in_silence(run: RunDirectory, server: PostgresServer) -> None:
    run.close()
    _do(server.url, f"DROP SCHEMA {_schema(run)} CASCADE")
    for look in (RunDirectory.open, read_status):
        with pytest.raises(StoreError, match="the tables of this run are not in the database"):
            look(run.paths.path)


def test_tables_dropped_while_a_run_goes_on_are_told(run: RunDirectory, server: PostgresServer) -> None:
    _do(server.url, f"DROP SCHEMA {_schema(run)} CASCADE")
    with pytest.raises(StoreError, match="the tables of this run are not in the database"):
        run.stage("train", {})


def test_another_format_is_refused_with_both_versions(place: PostgresPlace, server: PostgresServer) -> None:
    Store.open(place).close()
    _do(server.url, f"UPDATE {place.schema}.meta SET value = '99' WHERE key = 'schema_version'")
    for kind in (Store, StoreReader):
        with pytest.raises(StoreVersionError, match="written by another version of morula") as caught:
            kind.open(place)
        assert "store format 99, written by morula 0.1.0" in caught.value.measured


def test_a_user_who_may_not_create_is_told_what_to_ask_for(server: PostgresServer, place: PostgresPlace) -> None:
    _do(server.url, "DROP ROLE IF EXISTS guest", "CREATE ROLE guest LOGIN")
    url = StoreUrl.parse(server.url.replace("postgres@", "guest@"))
    with pytest.raises(StoreError, match="this database does not let the user write") as caught:
        Store.open(PostgresPlace.new(url))
    assert "GRANT CREATE ON DATABASE" in caught.value.fix
    Store.open(place).close()
    with pytest.raises(StoreError, match="this database does not let the user write"):
        StoreReader.open(PostgresPlace(url, place.schema))


def test_a_database_that_cannot_hold_all_signs_is_refused(server: PostgresServer) -> None:
    _do(
        server.url,
        "DROP DATABASE IF EXISTS latin",
        "CREATE DATABASE latin ENCODING LATIN1 TEMPLATE template0 LOCALE 'C'",
    )
    url = StoreUrl.parse(server.url.replace("/postgres?", "/latin?"))
    with pytest.raises(StoreError, match="cannot hold all signs") as caught:
        Store.open(PostgresPlace.new(url))
    assert caught.value.measured == "its encoding is LATIN1"


def test_a_read_only_database_is_refused(server: PostgresServer) -> None:
    url = StoreUrl.parse(f"{server.url}&options=-cdefault_transaction_read_only%3Don")
    with pytest.raises(StoreError, match="this database does not let the user write"):
        Store.open(PostgresPlace.new(url))


def test_a_full_disk_of_the_server_is_named_and_the_run_goes_on_when_there_is_room(
    server: PostgresServer, tmp_path: Path, make_detections: MakeDetections, blocks: list[Block]
) -> None:
    disk = server.folder / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m,uid=postgres", "tmpfs", str(disk)], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"mounting is not permitted here: {mounted.stderr.strip()}")
    try:
        _do(server.url, f"CREATE TABLESPACE small LOCATION '{disk}'", "CREATE DATABASE small TABLESPACE small")
        with RunDirectory.open(tmp_path / "run", store=server.url.replace("/postgres?", "/small?")) as run:
            stage = run.stage("detect", {}, n_blocks=len(blocks))

            def write_missing() -> None:
                for block in stage.pending_blocks(blocks):
                    stage.write_block(block, make_detections(block, n=20_000), 0.1)

            with pytest.raises(DiskError, match="the disk of the database is full, or a quota is reached") as caught:
                write_missing()
            assert "3.0 MB needed for this write" in caught.value.measured
            done = run.store.read_done_blocks("detect")
            assert 0 < len(done) < len(blocks)
            subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
            write_missing()
            stage.finish()
            assert run.store.read_detections().n == 20_000 * len(blocks)
    finally:
        _do(server.url, "DROP DATABASE IF EXISTS small WITH (FORCE)", "DROP TABLESPACE IF EXISTS small")
        subprocess.run(["umount", str(disk)], check=True)


# --- values


def test_both_back_ends_give_the_same_bytes_back(
    place: PostgresPlace, tmp_path: Path, blocks: list[Block], make_stage: MakeStage
) -> None:
    """Also of numbers that one of them cannot hold: minus zero; and the smallest and largest there are."""
    odd = np.array([[-0.0, 5e-324, 1.7976931348623157e308], [0.1, -1 / 3, 2**53 + 2.0]])
    nodes = Detections.sorted(np.zeros(2, np.int32), odd, np.array([1.0, -0.0]), -odd, None, np.array([0.25, 1.0]))
    found = []
    for where in (place, tmp_path / "store.sqlite"):
        with Store.open(where) as store:
            store.begin_stage(make_stage())
            store.write_block("detect", blocks[0], nodes, 0.1)
            store.finish_stage("detect", seconds=1.0, summary={"a": 1e-300, "why": "5 µm → 6 µm"})
            read = store.read_detections()
            found.append([getattr(read, name).tobytes() for name in Detections.__slots__])
            assert store.require_stage("detect").summary == {"a": 1e-300, "why": "5 µm → 6 µm"}
    assert found[0] == found[1]


def test_an_error_text_with_a_character_no_database_holds_is_kept_readable(
    place: PostgresPlace, blocks: list[Block], make_stage: MakeStage
) -> None:
    with Store.open(place) as store:
        store.begin_stage(make_stage())
        store.write_failed_block("detect", blocks[0], ValueError("broken at \0 here"), 1)
        assert store.read_failed_blocks("detect")[0].error == "broken at ␀ here"
