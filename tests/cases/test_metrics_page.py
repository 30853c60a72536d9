"""The page docs/metrics.md: every picture on it is judged, its example runs."""

import inspect
import re
from pathlib import Path

import pytest

from morula.core.lineage_errors import ERROR_KINDS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("number", range(len(blocks("text"))))
def test_every_picture_of_the_page_has_the_figures_below_it(read, number):
    read(blocks("text")[number]).check()


def test_the_pictures_show_every_kind_of_error(read):
    shown = {kind for text in blocks("text") for kind in read(text).evaluate().errors.kind.tolist()}
    assert shown == set(ERROR_KINDS)


def test_the_example_prints_what_the_page_says(capsys):
    (example,), (printed,) = blocks("python"), blocks("console")
    exec(compile(example, str(PAGE), "exec"), {})
    assert capsys.readouterr().out == printed


def test_the_reader_of_pictures_reads_its_own_example(read):
    read(inspect.getmodule(read).__doc__).check()


@pytest.mark.parametrize(
    ("spoiled", "message"),
    [
        ("  0 µm   o---o   -", "strokes that join nothing"),
        ("  0 µm   o---o---", "a line ends in nothing"),
    ],
)
def test_a_picture_with_a_loose_stroke_is_refused(read, spoiled, message):
    with pytest.raises(AssertionError, match=message):
        read(f"truth      0   1   2\n{spoiled}\nreconstruction 0 1 2\nexpect fn_edges 0")


def test_a_picture_that_expects_something_else_fails(read):
    case = "truth      0   1\n  0 µm     o---o\nreconstruction 0 1\nexpect     fn_edges 0"
    with pytest.raises(AssertionError, match="fn_edges"):
        read(case).check()
