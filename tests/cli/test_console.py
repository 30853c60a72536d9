"""What goes to stdout, what to stderr, what into the log."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from morula.cli.console import log_in, messages_on_stderr, print_figures, print_json
from morula.errors import StoreError

LOGGER = logging.getLogger("morula.somewhere")


def test_messages_go_to_stderr_warnings_marked_and_nothing_twice(capsys: pytest.CaptureFixture[str]) -> None:
    with messages_on_stderr():
        LOGGER.info("detect begins")
        LOGGER.warning("frame %d is constant", 3)
        LOGGER.warning("frame %d is constant", 3)
        LOGGER.debug("a detail")
    LOGGER.info("too late")
    assert capsys.readouterr() == ("", "detect begins\nwarning: frame 3 is constant\n")


def test_the_log_of_a_run_has_times_and_is_appended_to(tmp_path: Path) -> None:
    for word in ("first", "second"):
        with messages_on_stderr(), log_in(tmp_path / "run"):
            LOGGER.info("the %s run", word)
    lines = (tmp_path / "run" / "morula.log").read_text().splitlines()
    assert [line.split(" ", 2)[2] for line in lines] == [
        "INFO morula.somewhere: the first run",
        "INFO morula.somewhere: the second run",
    ]


def test_passwords_of_addresses_reach_neither_stderr_nor_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with messages_on_stderr(), log_in(tmp_path / "run"):
        LOGGER.warning("cannot use %s", "postgresql://ada:s3cret@db.lab/embryos")
    for text in (capsys.readouterr().err, (tmp_path / "run" / "morula.log").read_text()):
        assert text.endswith("cannot use postgresql://ada:***@db.lab/embryos\n")


def test_a_log_on_a_full_disk_says_nothing_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "morula.log").symlink_to("/dev/full")
    with messages_on_stderr(), log_in(tmp_path / "run"):
        LOGGER.info("detect begins")
    assert capsys.readouterr().err == "detect begins\n"


def test_a_run_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("x")
    with pytest.raises(StoreError, match="this is a file, a run needs a folder"), log_in(tmp_path / "run"):
        pass


def test_json_is_one_line_without_numbers_json_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"gap": float("inf"), "path": Path("a/b"), "list": (1, float("nan")), "word": "µm"})
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert json.loads(out) == {"gap": None, "path": "a/b", "list": [1, None], "word": "µm"}


def test_figures_for_people_stand_one_under_the_other(capsys: pytest.CaptureFixture[str]) -> None:
    print_figures({"node_recall": 0.123456789, "n_true": 12, "score": None, "curve": [1, 2]})
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines] == [["node", "recall", "0.123457"], ["n", "true", "12"], ["score", "-"]]
