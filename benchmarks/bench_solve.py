"""How long solve_graph takes, and with ``--errors`` how many errors the default weights leave.

python benchmarks/bench_solve.py --nodes 10000 --edges 40000
python benchmarks/bench_solve.py --errors
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from instances import Instance, Tissue, make_graph, make_instance
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
    """Time one graph, or print the table of errors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=10_000)
    parser.add_argument("--edges", type=int, default=40_000)
    parser.add_argument("--formulation", choices=["tight", "paper"], default="tight")
    parser.add_argument("--division-cost", type=float, default=SolveParams().division_cost)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--errors", action="store_true")
    options = parser.parse_args()
    if options.errors:
        _print_errors(options.seed)
        return
    graph = make_graph(options.nodes, options.edges, seed=options.seed)
    params = SolveParams(formulation=options.formulation, division_cost=options.division_cost)
    cpu = time.process_time()
    selection = solve_graph(graph, params)
    cpu = time.process_time() - cpu
    print("nodes     edges  seconds  cpu_seconds  status    gap      objective")
    print(
        f"{graph.nodes.n:<8d} {graph.n_edges:6d} {selection.seconds:8.2f} {cpu:12.2f}  {selection.status:8s} "
        f"{selection.gap:7.1e} {selection.objective:11.2f}"
    )


def _print_errors(seed: int) -> None:
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
