"""What a finished run on the real movie of docs/results.md found: nuclei a frame, and one mitosis nobody annotated.

python benchmarks/real_movie.py --run runs/cho
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from scipy.spatial.distance import pdist

from morula.core.graph import CandidateGraph
from morula.core.lineages import Lineages, Selection
from morula.store.run_directory import view_run

EXTENT_YX_UM = np.array([89.3, 103.2])  # centre of the last voxel of 443 x 512 at 0.202 um
HALF_WIDTH_UM = 6.7  # of a nucleus, as `morula init` measures it
MITOSIS_YX_UM, MITOSIS_FRAMES, NEAR_UM = np.array([70.0, 65.0]), range(4), 11.0


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True)
    with view_run(parser.parse_args().run) as run:
        graph, selection = run.store.read_graph(), run.store.read_selection()
    print_nuclei(Lineages.from_selection(graph, selection))
    print_mitosis(graph, selection)


def print_nuclei(lineages: Lineages) -> None:
    """Count chosen nuclei frame by frame; near a face are those less than a half-width from an edge in the plane."""
    print("frame  nuclei  near a face  closest pair (um)")
    t, zyx = lineages.nodes.t, lineages.nodes.zyx_um
    for frame in np.unique(t):
        here = zyx[t == frame]
        from_face = np.minimum(here[:, 1:], EXTENT_YX_UM - here[:, 1:]).min(axis=1)
        print(f"{frame:5d}  {len(here):6d}  {int((from_face < HALF_WIDTH_UM).sum()):11d}  {pdist(here).min():17.1f}")


def print_mitosis(graph: CandidateGraph, selection: Selection) -> None:
    """List the detections around the mitosis and the candidate links between them."""
    nodes = graph.nodes
    near = np.linalg.norm(nodes.zyx_um[:, 1:] - MITOSIS_YX_UM, axis=1) < NEAR_UM
    near &= np.isin(nodes.t, MITOSIS_FRAMES)
    print("\nrow  frame  z, y, x (um)        score  chosen")
    for row in np.flatnonzero(near):
        z, y, x = nodes.zyx_um[row]
        chosen = "yes" if selection.node_selected[row] else "no"
        print(f"{row:3d}  {nodes.t[row]:5d}  {z:4.1f}, {y:5.1f}, {x:5.1f}  {nodes.score[row]:10.2f}  {chosen}")
    print("\nlink       distance (um)")
    for (parent, child), distance in zip(graph.edges, graph.distance_um, strict=True):
        if near[parent] and near[child]:
            print(f"{parent:3d} → {child:3d}  {distance:12.1f}")


if __name__ == "__main__":
    main()
