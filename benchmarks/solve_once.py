"""One instance, solved once or several times in this process; prints one JSON object.

python benchmarks/solve_once.py --nodes 10000 --edges 40000 --formulation paper

Owns what is measured: CPU seconds of the whole of `solve_graph` (the fastest of the repetitions), after a small graph
has been solved, so that no compilation is counted; and the peak memory of the process, making the instance included.
"""

from __future__ import annotations

import argparse
import json
import logging
import resource
import sys
import time

from instances import HARD, Tissue, make_graph
from morula.core.graph import CandidateGraph
from morula.solve.graph import solve_graph
from morula.solve.params import SolveParams
from morula.solve.problem.costs import price_graph
from morula.solve.problem.problem import Problem

TISSUES = {"easy": Tissue(), "hard": HARD, "still": Tissue(division_rate=0.0)}


def main() -> None:
    """Make the instance, solve it, print the figures."""
    options = parse_options()
    if options.verbose:
        logging.basicConfig(stream=sys.stderr, format="%(relativeCreated)7.0f ms %(message)s")
        logging.getLogger("morula").setLevel(logging.DEBUG)
    cpu = time.process_time()
    tissue = TISSUES[options.tissue]
    graph = make_graph(options.nodes, options.edges, seed=options.seed, n_frames=options.frames, tissue=tissue)
    figures: dict[str, object] = {
        "nodes": graph.nodes.n,
        "edges": graph.n_edges,
        "generate_cpu_s": time.process_time() - cpu,
    }
    figures["generate_mib"] = _read_peak_mib()
    if options.method == "motile":
        figures |= measure_motile(graph)
    else:
        params = SolveParams(
            method=options.method,
            gap=options.gap,
            formulation=options.formulation,
            division_cost=options.division_cost,
        )
        figures |= measure_morula(graph, params, options.repeat)
    print(json.dumps(figures | {"peak_mib": _read_peak_mib()}))


def parse_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=10_000)
    parser.add_argument("--edges", type=int, default=40_000)
    parser.add_argument("--frames", type=int, help="default: the square root of a tenth of the nodes")
    parser.add_argument("--tissue", choices=TISSUES, default="easy")
    parser.add_argument("--method", choices=["auto", "exact", "ascent", "motile"], default="auto")
    parser.add_argument("--formulation", choices=["tight", "paper"], default="tight")
    parser.add_argument("--gap", type=float, default=SolveParams().gap)
    parser.add_argument("--division-cost", type=float, default=SolveParams().division_cost)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--verbose", action="store_true", help="tell how the search goes, on stderr")
    return parser.parse_args()


def measure_morula(graph: CandidateGraph, params: SolveParams, repeat: int) -> dict[str, object]:
    """Solve with `solve_graph`; the first small graph compiles, or loads what was compiled."""
    cpu = time.process_time()
    solve_graph(make_graph(100, 300, seed=0), params)
    compile_cpu_s, cpu_s = time.process_time() - cpu, []
    for _ in range(repeat):
        cpu = time.process_time()
        selection = solve_graph(graph, params)
        cpu_s.append(time.process_time() - cpu)
    return {
        "compile_cpu_s": compile_cpu_s,
        "cpu_s": min(cpu_s),
        "wall_s": selection.seconds,
        "status": selection.status,
        "objective": selection.objective,
        "gap": selection.gap,
        "selected_nodes": int(selection.node_selected.sum()),
        "selected_edges": int(selection.edge_selected.sum()),
    }


def measure_motile(graph: CandidateGraph) -> dict[str, object]:
    """Solve with motile and SCIP; the objective is computed from its choice as ours is."""
    from motile_model import solve_with_motile

    problem, wall = Problem(graph.edges, price_graph(graph, SolveParams())), time.perf_counter()
    choice = solve_with_motile(problem, graph.nodes.t)
    return {
        "build_cpu_s": choice.build_s,
        "cpu_s": choice.solve_s,
        "wall_s": time.perf_counter() - wall,
        "status": "optimal" if choice.optimal else "not optimal",
        "objective": problem.price(choice.node_selected, choice.edge_selected),
        "gap": 0.0 if choice.optimal else float("inf"),
    }


def _read_peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
