"""Disks that are really full, or really read-only, at every point of a run: said in words, and nothing is lost."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from postgres_server import PostgresServer
from processes import BLOCKS, PATIENCE_S, THOROUGH
from traces import check_blocks, list_left_overs, read_results, read_tables

pytestmark = pytest.mark.long

Command = Callable[..., subprocess.CompletedProcess[str]]
KIB = 1024


def mount(*arguments: str | Path) -> None:
    done = subprocess.run(["mount", *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"mounting is not permitted here: {done.stderr.strip()}")


@contextmanager
def small_disk(place: Path, n_bytes: int, options: str = "mode=755") -> Iterator[Callable[[int], None]]:
    """A disk of so many bytes; what it yields changes its size."""
    mount("-t", "tmpfs", "-o", f"size={n_bytes},{options}", "tmpfs", place)

    def resize(n_bytes: int) -> None:
        mount("-o", f"remount,size={n_bytes}", place)

    try:
        yield resize
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def check_message(ended: subprocess.CompletedProcess[str], *words: str) -> None:
    """A disk's trouble is told in one message, with what was measured and what to do."""
    assert ended.returncode == 1, ended.stderr
    message = ended.stderr[ended.stderr.index("DiskError: ") :]
    for expected in (*words, "measured:", "fix:"):
        assert expected in message
    assert "Traceback" not in ended.stderr


def last_stage(said: str) -> str:
    words = (" begins", " runs again", " goes on where it stopped")
    begun = [line.split()[0] for line in said.splitlines() if any(word in line for word in words)]
    return begun[-1] if begun else "start"


def test_a_run_on_a_disk_that_is_full_again_and_again_ends_with_the_same_bytes(
    tmp_path: Path, fresh: Path, undisturbed: Path, morula: Command
) -> None:
    """The disk gets 1.3 MB more whenever it is full: until it holds all, the run stops in every large stage."""
    disk, wanted = tmp_path / "disk", read_results(undisturbed / "run")
    disk.mkdir()
    stopped: list[str] = []
    size = 64 * KIB
    with small_disk(disk, size) as resize:
        while True:
            ended = morula("run", fresh / "run.toml", "--run-dir", disk / "run", *BLOCKS)
            if ended.returncode == 0:
                break
            check_message(ended, f"DiskError: {disk}/run", "free some space")
            assert re.search("the disk is full, or a quota is reached|No space left on device", ended.stderr)
            stopped.append(last_stage(ended.stderr))
            check_blocks(disk / "run")
            found = read_results(disk / "run")
            assert {name for name, content in found.items() if content != wanted[name]} == set()
            size += 1300 * KIB
            assert size < 64 * KIB * KIB
            resize(size)
        assert read_results(disk / "run") == wanted
        assert read_tables(disk / "run") == read_tables(undisturbed / "run")
        assert list_left_overs(disk / "run") == []
    assert len(stopped) >= 8
    assert len(set(stopped)) >= 3


def test_a_run_whose_database_has_a_full_disk_ends_with_the_same_bytes_when_there_is_room(
    fresh: Path, undisturbed: Path, morula: Command, server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tables are in a tablespace on a disk of its own, which gets a little more whenever it is full."""
    import psycopg

    disk, wanted = server.folder / "small", read_results(undisturbed / "run")
    disk.mkdir()
    shutil.chown(disk, "postgres")
    monkeypatch.setenv("MORULA_STORE", server.url)
    full, size = 0, 192 * KIB
    options = f"mode=700,uid={disk.stat().st_uid}" if os.getuid() == 0 else "mode=700"
    with small_disk(disk, size, options) as resize:
        with psycopg.connect(server.url, autocommit=True) as session:
            session.execute(f"CREATE TABLESPACE small LOCATION '{disk}'")
            session.execute("ALTER ROLE postgres SET default_tablespace = small")
        while True:
            ended = morula("run", fresh / "run.toml", "--run-dir", fresh / "run", *BLOCKS)
            if ended.returncode == 0:
                break
            check_message(ended, "the disk of the database is full, or a quota is reached", "No space left on device")
            full += 1
            check_blocks(fresh / "run")
            size += 64 * KIB  # more than what PostgreSQL leaves of a transaction that failed
            assert size < 8 * KIB * KIB
            resize(size)
        assert read_results(fresh / "run") == wanted
        assert read_tables(fresh / "run") == read_tables(undisturbed / "run")
        with psycopg.connect(server.url, autocommit=True) as session:
            session.execute("ALTER ROLE postgres RESET default_tablespace")
            for (schema,) in session.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'morula_%'"):
                session.execute(f"DROP SCHEMA {schema} CASCADE")
            session.execute("DROP TABLESPACE small")
    assert full >= 3
    sys.stdout.write(f"full {full} times, enough at {size // KIB} KiB\n")  # for pytest -rP


def test_a_run_whose_directory_became_read_only_says_so_and_loses_nothing(
    fresh: Path, undisturbed: Path, morula: Command
) -> None:
    run = ("run", fresh / "run.toml", "--run-dir", fresh / "run", *BLOCKS)
    assert morula(*run, "--until", "detect").returncode == 0
    before = read_results(fresh / "run")
    mount("--bind", fresh / "run", fresh / "run")
    try:
        mount("-o", "remount,ro,bind", fresh / "run")
        ended = morula(*run)
        assert ended.returncode == 1
        assert "DiskError: " in ended.stderr
        assert "this place cannot be written to" in ended.stderr
        assert "a disk mounted read-only" in ended.stderr
        assert "Traceback" not in ended.stderr
        assert "detect      done" in morula("status", fresh / "run").stdout
    finally:
        subprocess.run(["umount", fresh / "run"], check=True)
    assert read_results(fresh / "run") == before
    assert morula(*run).returncode == 0
    assert read_results(fresh / "run") == read_results(undisturbed / "run")


@pytest.mark.parametrize("closed", ["run", "run/model", "."] if THOROUGH else ["."])
def test_a_run_of_another_user_is_refused_in_words(closed: str, fresh: Path, undisturbed: Path) -> None:
    """Directories that may be read but not written, and one that may not even be entered."""
    as_anybody = ["setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner", "--"]  # root without privileges
    if os.getuid() != 0 or subprocess.run([*as_anybody, "true"], capture_output=True, check=False).returncode:
        pytest.skip("only root can give files to another user, and setpriv is needed")
    shutil.copytree(undisturbed / "run", fresh / "run")
    (fresh / "run" / "model" / "train.safetensors").unlink()
    before = read_results(fresh / "run")
    shutil.chown(fresh / closed, 65534, 65534)
    (fresh / closed).chmod(0o700 if closed == "." else 0o755)
    command = [sys.executable, "-m", "morula", "run", str(fresh / "run.toml"), "--run-dir", str(fresh / "run"), *BLOCKS]
    ended = subprocess.run([*as_anybody, *command], capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert ended.returncode == 1, ended.stderr
    assert "Traceback" not in ended.stderr
    if closed == ".":
        assert "run.toml: this cannot be read: Permission denied" in ended.stderr
    else:
        assert f"DiskError: {fresh / closed}/" in ended.stderr
        assert "this place cannot be written to" in ended.stderr
        assert "a folder of another user" in ended.stderr
    assert "fix:" in ended.stderr
    left = read_results(fresh / "run")  # with "run/model" the exports are gone: they stood on the weights
    assert left == {name: before[name] for name in left}
    assert closed == "run/model" or left == before
    if closed == ".":
        return
    shutil.chown(fresh / closed, 0, 0)
    again = subprocess.run([*as_anybody, *command], capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert again.returncode == 0, again.stderr
    assert read_results(fresh / "run") == read_results(undisturbed / "run")
