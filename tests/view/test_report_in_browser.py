"""The page in a real browser: charts are drawn, the slider works, the console stays silent, nothing is requested."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from morula.view.report import write_report
from morula.view.report_data import ReportData

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no chromium or chrome on this machine")

OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--v=0",
    "--virtual-time-budget=4000",
    "--dump-dom",
]


def open_page(url: str, profile: Path) -> tuple[str, list[str]]:
    """Return the page as the browser sees it, and what it wrote to its console."""
    command = [str(BROWSER), *OPTIONS, f"--user-data-dir={profile}", url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def test_charts_are_drawn_and_the_address_opens_a_frame(full_data: ReportData, tmp_path: Path) -> None:
    path = write_report(full_data, tmp_path / "report.html")

    dom, console = open_page(f"{path.as_uri()}#frame=3", tmp_path / "profile")

    assert console == []
    for chart in ("error-free", "cells", "losses", "recall", "movement"):
        assert re.search(rf'id="chart-{chart}"[^>]*class="[^"]*js-plotly-plot', dom), chart
    assert dom.count('class="main-svg"') >= 5
    assert "<output>frame 3</output>" in dom
    assert 'data-shown="3"' in dom
    groups = re.findall(r'<g data-frame="(\d+)"(?: class="([^"]*)")?>', dom)
    assert [int(t) for t, css in groups if "off" not in css] == [3]


def test_a_forbidden_request_would_be_noticed(full_data: ReportData, tmp_path: Path) -> None:
    path = write_report(full_data, tmp_path / "report.html")
    spoiled = path.read_text(encoding="utf-8").replace("</main>", '<img src="https://example.org/x.png"></main>')
    path.write_text(spoiled, encoding="utf-8")

    _, console = open_page(path.as_uri(), tmp_path / "profile")

    assert any("Content Security Policy" in line for line in console)
