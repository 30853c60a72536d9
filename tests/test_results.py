"""What is written beside the lineages."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from morula.core.detections import Detections
from morula.core.graph import CandidateGraph
from morula.core.lineages import Lineages, Selection
from morula.core.pins import Pins
from morula.io.tracks.geff_store import GeffFolder
from morula.io.tracks.graphs import GraphFile
from morula.results import export_lineages, write_solution

KNOWN = {"divides": np.array([0.75, 0.01, 0.02]), "born": np.array([0.0, 0.5, 0.625])}
SCORES = [{}, {"born": KNOWN["born"]}, KNOWN]


def make_graph(known: dict[str, np.ndarray]) -> CandidateGraph:
    """One cell that divides."""
    nodes = Detections(np.array([0, 1, 1]), np.diag([1.0, 2.0, 3.0]), np.full(3, 0.9), np.zeros((3, 3)), **known)
    return CandidateGraph(nodes=nodes, edges=np.array([[0, 1], [0, 2]]), distance_um=np.ones(2))


@pytest.mark.parametrize("known", SCORES, ids=["none", "born", "both"])
def test_division_scores_are_exported_where_the_network_gave_any(tmp_path: Path, known: dict[str, np.ndarray]) -> None:
    lineages = Lineages.from_parents(make_graph(known).nodes, np.array([-1, 0, 0]))
    export_lineages(lineages, tmp_path / "lineages.csv", "csv")
    header, *rows = (line.split(",") for line in (tmp_path / "lineages.csv").read_text().splitlines())
    assert header[6:] == ["score", *known, "tracklet_id", "lineage_id"]
    for name, values in known.items():
        assert [float(row[header.index(name)]) for row in rows] == values.tolist()
    export_lineages(lineages, tmp_path / "lineages.geff", "geff")
    geff = GeffFolder(tmp_path / "lineages.geff")
    assert [name for name in KNOWN if geff.has_node_prop(name)] == list(known)


def test_division_scores_stay_with_the_cells_that_were_chosen(tmp_path: Path) -> None:
    graph = make_graph(KNOWN)
    chosen = Selection(np.array([True, False, True]), np.array([False, True]), 0.0, 0.0, "optimal", 0.0)
    file = GraphFile(graph=graph, node_id=np.array([70, 5, 900]), pins=Pins.none(3, 2))
    write_solution(file, chosen, tmp_path / "out.geff")
    geff = GeffFolder(tmp_path / "out.geff")
    assert geff.node_id.tolist() == [70, 900]
    assert geff.read_node_prop("divides").tolist() == [0.75, 0.02]
    assert geff.read_node_prop("born").tolist() == [0.0, 0.625]
