"""The page docs/file-formats.md: what it shows is run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from morula.core.pins import IN, OUT
from morula.io.tracks.files import read_tracks
from morula.io.tracks.pin_table import read_pins

PAGE = Path(__file__).resolve().parents[2] / "docs" / "file-formats.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_the_table_shown_is_read_and_the_example_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    table, _ = blocks("csv")
    (tmp_path / "tracks.csv").write_text(table)
    for example in blocks("python"):
        exec(compile(example, str(PAGE), "exec"), {})
    assert capsys.readouterr().out == "4 points, 3 links\n"
    assert read_tracks("tracks.csv").n_children.tolist() == [1, 2, 0, 0]


def test_the_pins_shown_are_read(tmp_path: Path) -> None:
    (tmp_path / "pins.csv").write_text(blocks("csv")[1])
    pins = read_pins(tmp_path / "pins.csv")
    assert (pins.t.tolist(), pins.parent_t.tolist(), pins.pin.tolist()) == ([12, 13], [-1, 12], [OUT, IN])
