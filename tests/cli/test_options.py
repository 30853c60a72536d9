from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from morula.cli.app import execute_command
from morula.cli.options import choose_store, fill_in_store
from morula.config import RunConfig, build_config
from morula.errors import ConfigError
from morula.store.paths import RunPaths
from morula.store.places import PostgresPlace, record_place
from morula.store.sqlite import create_store

HERE, THERE = "postgresql://ada@db.lab/embryos", "postgresql://ada@other.lab/embryos"


@pytest.fixture
def config() -> RunConfig:
    return build_config({"movie": {"path": "x"}, "annotations": {}})


def test_the_option_is_the_setting_and_wins() -> None:
    assert choose_store(None, {"solve.start_cost": "4"}) == {"solve.start_cost": "4"}
    assert choose_store(HERE, {"store.url": THERE}) == {"store.url": HERE}


@pytest.mark.parametrize("text", ["db.lab/embryos", "mysql://db.lab/embryos"])
def test_what_is_no_address_is_refused_at_once(text: str) -> None:
    with pytest.raises(ConfigError, match="this address of a store cannot be used"):
        choose_store(text, {})


def test_the_environment_counts_where_nothing_else_names_a_store(
    config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MORULA_STORE", raising=False)
    assert fill_in_store(config, tmp_path).store.url is None
    monkeypatch.setenv("MORULA_STORE", "postgresql://ada:s3cret@db.lab/embryos")
    filled = fill_in_store(config, tmp_path)
    assert filled.store.url == HERE
    assert "s3cret" not in repr(filled)
    named = replace(config, store=replace(config.store, url=THERE))
    assert fill_in_store(named, tmp_path).store.url == THERE
    create_store(RunPaths(tmp_path).store)
    assert fill_in_store(config, tmp_path).store.url is None


def test_a_run_begun_elsewhere_stays_there_whatever_the_environment_says(
    config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MORULA_STORE", HERE)
    record_place(RunPaths(tmp_path), PostgresPlace.new(THERE))
    assert fill_in_store(config, tmp_path).store.url is None


@pytest.mark.parametrize(
    "arguments",
    [
        ["--set", "store=postgresql://ada:s3cret@db.lab/embryos"],
        ["--store", "postgresql://ada:s3cret@db.lab:x/embryos"],
    ],
)
def test_no_message_repeats_a_password(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    (tmp_path / "run.toml").write_text('[movie]\npath = "x"\n[annotations]\n')
    assert execute_command(["run", str(tmp_path / "run.toml"), "--run-dir", str(tmp_path / "run"), *arguments]) == 1
    assert "s3cret" not in "".join(capsys.readouterr())
