"""Progress on stderr: bars in a terminal, sparse lines elsewhere."""

from __future__ import annotations

import pytest

from morula.cli.progress_bars import ProgressBars
from morula.core.progress import Progress


def test_without_a_terminal_the_end_of_each_stage_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressBars() as bars:
        for done in range(1, 6):
            bars(Progress("detect", done, 5, "blocks", "3 M voxels/s"))
        bars(Progress("candidates", 2, 2, "frames"))
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-2:] == ["detect: 5/5 blocks  3 M voxels/s", "candidates: 2/2 frames"]
    assert len(err.splitlines()) <= 3


def test_in_a_terminal_every_stage_has_a_bar(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    with ProgressBars() as bars:
        bars(Progress("train", 10, 40, "iterations", "loss 0.5"))
        bars(Progress("train", 40, 40, "iterations", "loss 0.1"))
        bars(Progress("detect", 1, 3, "blocks"))
    out, err = capsys.readouterr()
    assert out == ""
    assert "40/40 iterations" in err
    assert "loss 0.1" in err
    assert "1/3 blocks" in err
