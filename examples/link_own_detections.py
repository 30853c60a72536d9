"""Lineages from your own detections, without a network: a table of points goes in, tracks come out.

    python examples/link_own_detections.py points.csv tracks.csv --max-distance-um 10

`points.csv` has the columns t,z,y,x (µm) and may have score (0 to 1). Without movement vectors, links are sought around
where a cell is, so frames must be close in time: cells should move less than half the distance to their neighbours.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from morula.candidates.link import link_candidates
from morula.candidates.params import CandidatesParams
from morula.core.detections import Detections
from morula.core.lineages import Lineages
from morula.io.tracks.files import write_tracks
from morula.io.tracks.graphs import write_candidate_graph
from morula.solve.graph import solve_graph
from morula.solve.params import SolveParams


def main() -> None:
    """Read points, solve, write tracks; with ``--graph`` also the candidate graph, for `morula solve`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("points", type=Path)
    parser.add_argument("tracks", type=Path)
    parser.add_argument("--max-distance-um", type=float, default=10.0)
    parser.add_argument("--graph", type=Path)
    options = parser.parse_args()

    detections = read_points(options.points)
    graph = link_candidates(detections, CandidatesParams(max_distance_um=options.max_distance_um))
    if options.graph is not None:
        write_candidate_graph(graph, options.graph)
    selection = solve_graph(graph, SolveParams())
    lineages = Lineages.from_selection(graph, selection)
    write_tracks(lineages.tracks, options.tracks, format="csv", columns={"score": lineages.nodes.score})
    divisions = int((lineages.tracks.n_children == 2).sum())
    print(f"{lineages.nodes.n} of {detections.n} detections in lineages, {divisions} divisions, {selection.status}")


def read_points(path: Path) -> Detections:
    """Read a table of detections; without a score every point is believed."""
    table = np.genfromtxt(path, delimiter=",", names=True, encoding="utf-8")
    zyx_um = np.stack([table[axis] for axis in "zyx"], axis=1)
    score = table["score"] if "score" in (table.dtype.names or ()) else np.ones(len(table))
    return Detections.sorted(table["t"].astype(np.int32), zyx_um, score, np.zeros_like(zyx_um))


if __name__ == "__main__":
    main()
