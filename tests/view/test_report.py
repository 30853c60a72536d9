"""The page: complete, self-contained, safe against names with markup, the same bytes every time."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from morula.core.detections import Detections
from morula.core.lineages import Lineages
from morula.core.movie import Movie
from morula.errors import DiskError
from morula.view import charts
from morula.view.report import render_report, write_report
from morula.view.report_data import LabelledEvaluation, ReportData

SECTIONS = ["summary", "warnings", "movie", "trees", "cells", "errors", "places", "checks"]
SECTIONS += ["training", "work", "settings"]
LOADING = {"src", "href", "xlink:href", "srcset", "data", "action", "poster", "background", "formaction", "ping"}
VOID = {"meta", "link", "input", "br", "image", "rect", "path"}


class Page(HTMLParser):
    """What a page loads, which sections and text it has, and whether its elements are closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.loads: list[str] = []
        self.sections: list[str] = []
        self.links: list[str] = []
        self.scripts: list[str] = []
        self.styles = self.text = ""
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in LOADING and value:
                (self.links if tag == "a" else self.loads).append(value)
            if name == "style" and value:
                self.styles += value
        if tag == "section":
            self.sections.append(dict(attrs)["id"] or "")
        if tag == "script":
            self.scripts.append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts[-1] += data
        elif self.open and self.open[-1] == "style":
            self.styles += data
        else:
            self.text += data


@pytest.fixture(scope="module")
def html(full_data: ReportData) -> str:
    return render_report(full_data)


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_every_section_appears_once_and_in_order(page: Page) -> None:
    assert page.sections == SECTIONS
    assert page.open == []


def test_the_contents_lead_to_sections_and_the_worst_places_to_frames(page: Page) -> None:
    anchors = [link[1:] for link in page.links if "frame=" not in link]
    frames = [link for link in page.links if "frame=" in link]

    assert set(anchors) == set(SECTIONS) - {"warnings"}
    assert frames
    assert all(re.fullmatch(r"#frame=\d+", link) for link in frames)


def test_the_page_loads_nothing_from_the_network(page: Page, html: str) -> None:
    plotly = charts.load_plotly_script()
    own_scripts = [script for script in page.scripts if script != plotly]

    assert len(own_scripts) == len(page.scripts) - 1  # the library is there, once
    assert all(load.startswith("data:") for load in page.loads)
    assert not re.search(r"url\(|@import", page.styles)
    assert not any(re.search(r"https?:|fetch\(|XMLHttpRequest|import\(|WebSocket|sendBeacon", s) for s in own_scripts)
    assert not re.search(r"https?://", html.replace(plotly, ""))
    assert "default-src 'none'" in html  # and the browser itself is told to refuse


def test_the_same_data_give_the_same_bytes(full_data: ReportData, html: str) -> None:
    assert render_report(full_data) == html


def test_names_with_markup_are_shown_as_they_are(full_data: ReportData, change: Callable[..., ReportData]) -> None:
    evil = "<script>alert('é')</script><b>&amp;"
    judged = LabelledEvaluation(evil, full_data.evaluations[0].evaluation, evil)
    movie = Movie(full_data.movie.tzyx, full_data.movie.voxel_size_um, name=evil)
    html = render_report(
        change(
            title=evil,
            movie=movie,
            evaluations=(judged,),
            warnings=(evil,),
            settings={evil: {evil: evil}},
            versions={evil: evil},
            made_at=evil,
        )
    )

    assert "<script>alert" not in html
    assert Page(html).sections == SECTIONS
    assert Page(html).text.count(evil) >= 8


def test_sections_without_data_are_left_out_and_the_page_says_why_nothing_is_judged(bare_data: ReportData) -> None:
    page = Page(render_report(bare_data))

    assert page.sections == ["summary", "movie", "trees", "cells", "errors"]
    assert "There is nothing to judge by" in page.text
    assert "annotated, held out" not in page.text


def test_judging_on_sparse_annotations_is_said(full_data: ReportData, change: Callable[..., ReportData]) -> None:
    one = full_data.evaluations[0]
    sparse = replace(one, evaluation=replace(one.evaluation, dense=False), note="against the validation annotations")

    assert "Judged on the validation annotations only" in Page(render_report(change(evaluations=(sparse,)))).text
    assert "Judged on the validation annotations only" not in Page(render_report(full_data)).text


def test_an_embryo_without_lineages_still_gives_a_page(bare_data: ReportData) -> None:
    nothing = replace(
        bare_data,
        movie=Movie(np.zeros((1, 2, 3, 4), np.uint8), np.ones(3)),
        detections=Detections.empty(),
        lineages=Lineages.from_parents(Detections.empty(), np.zeros(0, np.int64)),
    )
    page = Page(render_report(nothing))

    assert "There are no lineages to draw" in page.text
    assert "0 nuclei in 1 frame" in page.text


def test_settings_and_versions_and_times_are_all_listed(full_data: ReportData, page: Page) -> None:
    for stage, values in full_data.settings.items():
        assert stage in page.text
        assert all(name in page.text and str(value) in page.text for name, value in values.items())
    assert all(name in page.text and version in page.text for name, version in full_data.versions.items())
    assert all(stage.name in page.text for stage in full_data.stages)
    assert "2 min 28 s" in page.text.replace("\N{NO-BREAK SPACE}", " ")


def test_a_page_is_written_whole_or_not_at_all(
    bare_data: ReportData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "report.html"
    target.write_text("the page before")

    def fill_disk(self: Path, text: str, **_: object) -> None:
        with self.open("w") as file:
            file.write(text[:100])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", fill_disk)
        with pytest.raises(DiskError, match="the report cannot be written") as caught:
            write_report(bare_data, target)

    assert "No space left" in caught.value.measured
    assert target.read_text() == "the page before"
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert write_report(bare_data, target) == target
    assert target.read_text(encoding="utf-8") == render_report(bare_data)


def test_a_missing_folder_is_named(bare_data: ReportData, tmp_path: Path) -> None:
    with pytest.raises(DiskError, match=re.escape(str(tmp_path / "nowhere" / "report.html"))):
        write_report(bare_data, tmp_path / "nowhere" / "report.html")
