"""How many errors the default weights leave on simulated candidates, beside greedy linking.

python benchmarks/linking_errors.py
"""

from __future__ import annotations

import argparse

import numpy as np

from instances import Instance, Tissue, make_instance
from morula.candidates.link import link_candidates
from morula.candidates.params import CandidatesParams
from morula.core.graph import CandidateGraph
from morula.core.lineages import Selection
from morula.solve.graph import solve_graph
from morula.solve.greedy import link_greedily
from morula.solve.params import SolveParams

TISSUES = {
    "movement known to 0.8 um": Tissue(spacing_um=10),
    "movement known to 1.5 um": Tissue(spacing_um=10, movement_error_um=1.5, daughter_error_um=2.5),
    "a quarter of false cells": Tissue(
        spacing_um=10, movement_error_um=1.2, daughter_error_um=2.0, missed=0.05, false=0.25
    ),
}


def main() -> None:
    """Print the table of errors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    seed = parser.parse_args().seed
    print("tissue                    linking  missed_links  wrong_links  divisions  found  made_up  false_cells")
    for name, tissue in TISSUES.items():
        instance = make_instance(4000, 25, seed=seed, tissue=tissue)
        graph = link_candidates(instance.detections, CandidatesParams())
        choices = {"optimal": solve_graph(graph, SolveParams()), "greedy": link_greedily(graph, max_distance_um=10.0)}
        for linking, selection in choices.items():
            counts = _count_errors(instance, graph, selection)
            print(f"{name:25s} {linking:7s} {counts[0]:13d} {counts[1]:12d} {counts[2]:10d} {counts[3]:6d} "
                  f"{counts[4]:8d} {counts[5]:12d}")  # fmt: skip


def _count_errors(instance: Instance, graph: CandidateGraph, selection: Selection) -> list[int]:
    """Count missed and wrong links, true, found and made-up divisions, and false cells, by exact identity."""
    true, n = instance.parent_row, graph.nodes.n
    chosen = graph.edges[selection.edge_selected]
    parent = np.full(n, -1)
    parent[chosen[:, 1]] = chosen[:, 0]
    children = np.bincount(true[true >= 0], minlength=n)
    divides = np.bincount(chosen[:, 0], minlength=n) == 2
    right = np.bincount(true[(true >= 0) & (parent == true)], minlength=n)
    found = (children == 2) & divides & (right == 2)
    return [
        int((parent[true >= 0] != true[true >= 0]).sum()),
        int(((parent >= 0) & (parent != true)).sum()),
        int((children == 2).sum()),
        int(found.sum()),
        int((divides & ~found).sum()),
        int((selection.node_selected & ~instance.is_cell).sum()),
    ]


if __name__ == "__main__":
    main()
