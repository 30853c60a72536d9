"""The documentation is executed: the tutorial's commands, the examples of all pages, and the programs beside them."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import re
import shlex
import shutil
import struct
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import typer
from PIL import Image

from morula.cli.app import app, execute_command
from morula.config import build_config
from morula.core.tracks import Tracks
from morula.io.tracks.files import read_tracks, write_tracks

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md"), *(ROOT / "design").glob("*.md")])
RUN_ELSEWHERE = {"metrics.md", "file-formats.md"}  # tests/cases and tests/io run their examples
VOXEL_UM = (2.0, 0.8, 0.8)

# What makes a command of the tutorial small: fewer cells, few and small steps of training, one thread, any peak counts.
_SMALL_RUN = [
    text
    for setting in (
        "train.iterations=2", "train.second_iterations=0", "train.validations=1", "train.batch_size=1",
        "train.threads=1", "detect.threads=1", "detect.threshold=0.02", "tune.enabled=false",
        "candidates.allow_unlinkable=true", "solve.node_constant=-30",
    )
    for text in ("--set", setting)
]  # fmt: skip
SMALL = {
    "synthetic": shlex.split("--cells 12 --frames 6 --set annotate.share=0.9 --set annotate.val_share=0.4"),
    "run": _SMALL_RUN,
}


def blocks(page: Path, *languages: str) -> list[tuple[str, str]]:
    """Language and text of the fenced blocks of a page."""
    found = re.findall(r"^```(\S*)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [(language, text) for language, text in found if not languages or language in languages]


def commands(page: Path) -> list[list[str]]:
    """Return the `morula` commands of a page, as arguments."""
    lines = [line for _, text in blocks(page, "console", "bash") for line in text.replace("\\\n", " ").splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("morula ")]


ALL_COMMANDS = [(page.name, command) for page in PAGES for command in commands(page)]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a folder in which the whole tutorial was run, small, and which holds what the other pages suppose."""
    folder = tmp_path_factory.mktemp("docs")
    before = Path.cwd()
    os.chdir(folder)
    try:
        for arguments in commands(DOCS / "first-hour.md"):
            _run(arguments)
            if arguments[0] == "synthetic":
                _supply_own_data(Path("embryo"))
        yield folder
    finally:
        os.chdir(before)


def _run(arguments: list[str]) -> str:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()) as complaints:
        code = execute_command([*arguments, *SMALL.get(arguments[0], [])])
    assert code == 0, f"morula {shlex.join(arguments)}: {complaints.getvalue()}"
    return printed.getvalue()


def _supply_own_data(embryo: Path) -> None:
    """Put the files into the folder that a reader would bring."""
    Path("movie.ome.zarr").symlink_to(embryo / "movie.ome.zarr")
    _write_mastodon(read_tracks(embryo / "train.csv"), Path("clicked.mastodon"))
    _write_mastodon(read_tracks(embryo / "val.csv"), Path("checked.mastodon"))
    shutil.copy(embryo / "truth.csv", "clicked.csv")
    truth = read_tracks(embryo / "truth.csv")
    for name, unit_um in (("voxels.csv", np.array(VOXEL_UM)), ("pixels.csv", np.array(0.406))):
        write_tracks(replace(truth, zyx_um=truth.zyx_um / unit_um), name, format="csv")


def _write_mastodon(tracks: Tracks, path: Path) -> None:
    """Write a project as Mastodon does (docs of the format: spots little-endian, links big-endian, Java blocks)."""
    spots = zip(tracks.zyx_um[:, ::-1].tolist(), tracks.t.tolist(), strict=True)
    data = struct.pack(">i", tracks.n)
    data += b"".join(struct.pack("<3di7d", *xyz, t, 4, 0, 0, 4, 0, 4, 4) for xyz, t in spots)
    data += struct.pack(">i", len(tracks.edges))
    data += b"".join(struct.pack(">4i", parent, child, 0, 0) for parent, child in tracks.edges.tolist())
    model = b"\xac\xed\x00\x05\x7a" + struct.pack(">i", len(data)) + data
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("project.xml", "<MamutProject><SpaceUnits>um</SpaceUnits></MamutProject>")
        archive.writestr("model.raw", model)


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


# --- commands


def test_the_tutorial_runs_from_top_to_bottom(workplace: Path) -> None:
    tracks = read_tracks(workplace / "embryo-lineages.csv")
    assert tracks.n > 0
    assert len(tracks.edges) > 0
    assert (workplace / "runs/embryo/report.html").stat().st_size > 10_000
    assert (workplace / "runs/own/exports/lineages.csv").exists()


def test_a_finished_run_of_the_tutorial_does_nothing_the_second_time(workplace: Path) -> None:
    (last,) = [arguments for arguments in commands(DOCS / "first-hour.md") if arguments[:2] == ["run", "own.toml"]]
    before = (workplace / "runs/own/report.html").stat().st_mtime_ns
    _run(last)
    assert (workplace / "runs/own/report.html").stat().st_mtime_ns == before


@pytest.mark.parametrize(("page", "command"), ALL_COMMANDS, ids=lambda value: str(value)[:60])
def test_every_command_shown_is_understood(page: str, command: list[str]) -> None:
    known = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert command[0] in known, f"{page}: there is no `morula {command[0]}`"
    known[command[0]].make_context(command[0], command[1:])


# --- examples


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "python") and p.name not in RUN_ELSEWHERE], ids=str)
def test_the_examples_of_a_page_run_and_print_what_it_says(page: Path, workplace: Path) -> None:
    names: dict[str, object] = {}
    shown = blocks(page)
    for (language, text), (after, expected) in pairwise([*shown, ("", "")]):
        if language != "python":
            continue
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(compile(text, str(page), "exec"), names)
        if after == "output":
            assert printed.getvalue() == expected


def test_the_split_of_the_annotations_keeps_lineages_whole(workplace: Path) -> None:
    train, val = read_tracks(workplace / "train.csv"), read_tracks(workplace / "val.csv")
    whole = read_tracks(workplace / "clicked.csv")
    assert train.n + val.n == whole.n
    assert len(train.edges) + len(val.edges) == len(whole.edges)


def test_points_in_voxels_and_pixels_become_micrometres(workplace: Path) -> None:
    whole = read_tracks(workplace / "clicked.csv")
    for name in ("clicked-um.csv", "clicked-um-too.csv"):
        np.testing.assert_allclose(read_tracks(workplace / name).zyx_um, whole.zyx_um, atol=1e-5)


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "toml")], ids=str)
def test_settings_shown_exist(page: Path) -> None:
    for _, text in blocks(page, "toml"):
        build_config({"movie": {"path": "x"}, "annotations": {"train": "y"}} | tomllib.loads(text))


def test_own_detections_become_lineages(workplace: Path) -> None:
    points = "t,z,y,x\n" + "".join(f"{t},5,{y},{t}\n" for t in range(4) for y in (0, 30))
    (workplace / "points.csv").write_text(points)
    script = ROOT / "examples" / "link_own_detections.py"
    command = [sys.executable, str(script), "points.csv", "linked.csv", "--graph", "candidates.geff"]
    done = subprocess.run(command, cwd=workplace, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "8 of 8 detections in lineages, 0 divisions, optimal\n"
    assert len(read_tracks(workplace / "linked.csv").edges) == 6
    (solve,) = [command for page, command in ALL_COMMANDS if page == "own-data.md" and command[0] == "solve"]
    _run(solve)
    assert len(read_tracks(workplace / "lineages.geff").edges) == 6


def test_two_seeds_are_compared(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    example = _load(ROOT / "examples" / "compare_seeds.py")
    monkeypatch.setattr(sys, "argv", ["compare_seeds.py", "embryo.toml", "runs/twice", *SMALL["run"]])
    example.main()
    assert re.fullmatch(r"\d+\.\d% of the second run's \d+ links are in the first run, too\n", capsys.readouterr().out)
    assert {path.name for path in (workplace / "runs/twice").iterdir()} == {"seed-1", "seed-2"}


def test_the_picture_can_be_drawn_again(workplace: Path) -> None:
    program = _load(DOCS / "images" / "make_demo_picture.py")
    movie, tracks = program.open_movie("embryo/movie.ome.zarr"), read_tracks("embryo/truth.csv")
    program.write_picture(movie, tracks, workplace / "picture.png")
    with Image.open(workplace / "picture.png") as picture:
        assert picture.size == program.SIZE
        left, right = (np.asarray(picture.crop(box)).astype(int) for box in ((0, 0, 800, 600), (840, 40, 1260, 560)))
    for part in (left, right):  # more than the background was drawn, and in colours
        assert (part.max(axis=2) - part.min(axis=2) > 60).sum() > 500
