"""Hand corrections from end to end: as properties of a candidate graph, as a table for `morula solve`, and in a run."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from morula.cli.files import solve
from morula.core.detections import Detections
from morula.core.graph import CandidateGraph
from morula.core.pins import Pins
from morula.evaluate.params import EvaluateParams
from morula.io.tracks.files import read_tracks
from morula.io.tracks.geff_write import GeffTable, write_geff
from morula.io.tracks.graphs import write_candidate_graph

Command = Callable[..., subprocess.CompletedProcess[str]]
HEADER = "kind,t,z,y,x,parent_t,parent_z,parent_y,parent_x,pinned\n"


def crossing() -> CandidateGraph:
    """Two cells that pass each other; the links 0 → 3 and 1 → 2 cross.

    t0                t1
     0 -----2.0------- 2
       `-. ,--1.8----'
       ,--`---4.6----.
     1 -----2.0------- 3
    """
    zyx = np.array([[1, 0, 0], [1, 0, 3], [1, 0, 2], [1, 0, 5]], float)
    nodes = Detections(np.array([0, 0, 1, 1]), zyx, np.full(4, 0.9), np.zeros((4, 3)))
    return CandidateGraph(
        nodes=nodes, edges=np.array([[0, 2], [1, 2], [0, 3], [1, 3]]), distance_um=np.array([2.0, 1.8, 4.6, 2.0])
    )


def links(path: Path) -> set[tuple[int, int]]:
    tracks = read_tracks(path)
    return {(int(tracks.id[parent]), int(tracks.id[child])) for parent, child in tracks.edges}


def test_pins_in_a_candidate_graph_are_respected_and_counted(tmp_path: Path, morula: Command) -> None:
    for name, pins in {
        "free": None,
        "link": Pins(node=np.zeros(4), edge=np.array([0, 0, 1, 0])),
        "both": Pins(node=np.array([0, -1, 1, 0]), edge=np.array([-1, 0, 0, 0])),
    }.items():
        write_candidate_graph(crossing(), tmp_path / f"{name}.geff", pins=pins)
        solved = ("solve", "--graph", tmp_path / f"{name}.geff", "--out", tmp_path / f"{name}-out.geff", "--json")
        ended = morula(*solved)
        assert ended.returncode == 0, ended.stderr
        figures = json.loads(ended.stdout)
        counted = (0, 0) if pins is None else (int(np.abs(pins.node).sum()), int(np.abs(pins.edge).sum()))
        assert (figures["pinned_nodes"], figures["pinned_edges"]) == counted
    assert links(tmp_path / "free-out.geff") == {(0, 2), (1, 3)}
    assert links(tmp_path / "link-out.geff") == {(1, 2), (0, 3)}
    assert links(tmp_path / "both-out.geff") == {(0, 3)}
    assert read_tracks(tmp_path / "both-out.geff").id.tolist() == [0, 2, 3]


def test_contradicting_pins_are_named_by_the_ids_of_the_file(tmp_path: Path, morula: Command) -> None:
    props = {
        "t": np.array([1, 0, 0]),
        "z": np.array([0.0, 0, 0]),
        "y": np.array([0.0, 0, 0]),
        "x": np.array([1.5, 0, 3]),
        "score": np.full(3, 0.9),
    }
    edges = {"distance": np.array([1.0, 1.0]), "pinned": np.array([1, 1], np.int8)}
    file = GeffTable(np.array([900, 70, 5]), props, np.array([[70, 900], [5, 900]]), edges)
    write_geff(file, tmp_path / "g.geff", overwrite=False)
    ended = morula("solve", "--graph", tmp_path / "g.geff", "--out", tmp_path / "x.geff")
    assert ended.returncode == 1
    assert "links 70 → 900, 5 → 900 are pinned in, and node 900 can have 1 parent" in ended.stderr
    assert "node 900 at t 1, z 0.00, y 0.00, x 1.50 µm" in ended.stderr
    assert not (tmp_path / "x.geff").exists()


def test_a_table_of_pins_joins_those_of_the_graph(tmp_path: Path, morula: Command) -> None:
    write_candidate_graph(crossing(), tmp_path / "g.geff", pins=Pins(node=np.array([0, 0, 0, -1]), edge=np.zeros(4)))
    (tmp_path / "pins.csv").write_text(HEADER + "link,1,1,0,2.2,0,1,0,2.9,in\n")
    solved = ("solve", "--graph", tmp_path / "g.geff", "--pins", tmp_path / "pins.csv", "--out", tmp_path / "x.geff")
    ended = morula(*solved, "--json")
    assert ended.returncode == 0, ended.stderr
    assert (json.loads(ended.stdout)["pinned_nodes"], json.loads(ended.stdout)["pinned_edges"]) == (1, 1)
    assert links(tmp_path / "x.geff") == {(1, 2)}
    near = morula(*solved, "--overwrite", "--pin-distance-um", "0.1")
    assert near.returncode == 1
    assert re.search(r"pins\.csv, line 2: no detection lies within 0\.1 µm of z 1, y 0, x 2\.2 in frame 1", near.stderr)


def test_pins_reach_as_far_as_the_evaluation_by_default() -> None:
    default = inspect.signature(solve).parameters["pin_distance_um"].default
    assert default == EvaluateParams().max_distance_um


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("solve.end_cost=50", 0),  # nothing that ends before the last frame pays any more
        ("solve.skip_cost=-1000", 2),
        ("solve.start_cost=-50", 0),
        ("solve.method=ascent", 1),
        ("solve.method=exact", 1),
    ],
)
def test_all_costs_can_be_set_on_the_command_line(tmp_path: Path, morula: Command, setting: str, expected: int) -> None:
    """A cell seen in frames 0, 1 and 3; the link over the missing frame is long.

    t0      t1      t3
     0 --1-- 1 --40-- 2
    """
    zyx = np.array([[1, 0, 0], [1, 0, 1], [1, 0, 41]], float)
    nodes = Detections(np.array([0, 1, 3]), zyx, np.full(3, 0.9), np.zeros((3, 3)))
    edges = np.array([[0, 1], [1, 2]])
    graph = CandidateGraph(nodes=nodes, edges=edges, distance_um=np.array([1.0, 40.0]))
    write_candidate_graph(graph, tmp_path / "g.geff")
    out = tmp_path / "x.geff"
    ended = morula("solve", "--graph", tmp_path / "g.geff", "--out", out, "--json", "--set", setting)
    assert ended.returncode == 0, ended.stderr
    figures = json.loads(ended.stdout)
    assert (figures["status"], figures["selected_edges"]) == ("optimal", expected)


def begun(said: str) -> set[str]:
    return {line.split(" ")[0] for line in said.splitlines() if " begins" in line or " runs again" in line}


def test_pins_of_a_run_solve_again_whenever_their_content_changes(tiny: Path, morula: Command) -> None:
    run = ("run", tiny / "run.toml", "--run-dir", tiny / "run", "--set", "annotations.pins=pins.csv")
    found = read_tracks(tiny / "run" / "exports" / "lineages.csv")
    child = int(np.flatnonzero(found.parent_row >= 0)[0])
    parent = int(found.parent_row[child])
    places = [f"{found.t[row]},{','.join(f'{v:.3f}' for v in found.zyx_um[row])}" for row in (child, parent)]
    (tiny / "pins.csv").write_text(f"{HEADER}link,{places[0]},{places[1]},out\n")
    first = morula(*run)
    assert first.returncode == 0, first.stderr
    assert begun(first.stderr) >= {"solve", "evaluate", "export", "report"}
    assert not begun(first.stderr) & {"train", "detect", "candidates", "tune"}
    assert "solve runs again: inputs.pins (none) → " in first.stderr
    assert (int(found.id[parent]), int(found.id[child])) not in links_by_place(tiny, found)
    (tiny / "pins.csv").write_text(f"{HEADER.replace(',', ';')}link;{places[0]},{places[1]},out\n".replace(",", ";"))
    assert begun(morula(*run).stderr) == set()  # the same pins in another layout
    (tiny / "pins.csv").write_text(f"{HEADER}node,{places[0]},,,,,out\n")
    third = morula(*run)
    assert begun(third.stderr) == begun(first.stderr)
    gone = read_tracks(tiny / "run" / "exports" / "lineages.csv")
    same_frame = gone.zyx_um[gone.t == found.t[child]]
    assert (np.linalg.norm(same_frame - found.zyx_um[child], axis=1) > 1e-3).all()
    without = morula(*run[:-2])
    assert re.search(r"solve runs again: inputs\.pins .* → \(none\)", without.stderr)


def links_by_place(tiny: Path, before: object) -> set[tuple[int, int]]:
    """Links of the lineages now, by the ids that the same points had before."""
    now = read_tracks(tiny / "run" / "exports" / "lineages.csv")
    id_at = {
        (int(t), *place): int(name)
        for t, place, name in zip(before.t, before.zyx_um.tolist(), before.id, strict=True)  # type: ignore[attr-defined]
    }
    rows = [(int(t), *place) for t, place in zip(now.t, now.zyx_um.tolist(), strict=True)]
    return {(id_at.get(rows[parent], -1), id_at.get(rows[child], -1)) for parent, child in now.edges.tolist()}


def test_a_pin_of_a_run_that_matches_nothing_stops_it_before_anything_is_lost(tiny: Path, morula: Command) -> None:
    before = (tiny / "run" / "exports" / "lineages.csv").read_bytes()
    (tiny / "pins.csv").write_text(HEADER + "node,0,500,500,500,,,,,in\n")
    ended = morula("run", tiny / "run.toml", "--run-dir", tiny / "run", "--set", "annotations.pins=pins.csv")
    assert ended.returncode == 1
    assert re.search(r"AnnotationError: .*pins\.csv, line 2: no detection lies within", ended.stderr)
    assert (tiny / "run" / "exports" / "lineages.csv").read_bytes() == before
