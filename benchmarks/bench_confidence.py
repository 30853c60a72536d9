"""How good the probabilities are, how tight the margins, and how long both take.

python benchmarks/bench_confidence.py            learned from a tenth of the lineages, judged on the rest
python benchmarks/bench_confidence.py --exact    margins beside solving anew with the decision flipped
python benchmarks/bench_confidence.py --time --nodes 100000 --edges 500000
python benchmarks/bench_confidence.py --prior    weights fitted to whole tissues (seeds 1 and 2)
python benchmarks/bench_confidence.py --run demo/run --embryo demo/embryo-2    a rendered embryo, whose truth is known
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from instances import HARD, Instance, make_graph, make_instance
from linking_errors import TISSUES
from morula.candidates.link import link_candidates
from morula.candidates.params import CandidatesParams
from morula.core.columns import BoolArray, FloatArray
from morula.core.confidence import Margins
from morula.core.graph import CandidateGraph
from morula.core.lineages import Selection
from morula.core.tracks import Tracks
from morula.evaluate.held_out import find_unannotated
from morula.evaluate.matched import match_tracks
from morula.io.tracks.files import read_tracks
from morula.solve.ascent.margins import measure_margins, measure_selection
from morula.solve.graph import solve_graph
from morula.solve.ilp.exact import solve_exactly
from morula.solve.params import SolveParams
from morula.solve.problem.costs import price_graph
from morula.solve.problem.problem import IN, OUT, Pins, Problem
from morula.solve.solution import Limits, Solution
from morula.tune.calibrate import estimate_confidence, fit_weights
from morula.tune.pasts import describe_pasts

PARAMS = SolveParams()
ALL_TISSUES = {**TISSUES, "hard: 5 um, scores overlap": HARD}
SHARES = (0.0, 0.01, 0.1)


@dataclass(frozen=True, kw_only=True)
class Solved:
    """An instance, its graph, the cheapest forest, the margins, and whether each past is right."""

    instance: Instance
    graph: CandidateGraph
    selection: Selection
    margins: Margins
    linked: BoolArray
    right: BoolArray


def main() -> None:
    """Print one of the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=20_000)
    parser.add_argument("--edges", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=3)
    for name in ("exact", "time", "prior"):
        parser.add_argument(f"--{name}", action="store_true")
    parser.add_argument("--run", type=Path)
    parser.add_argument("--embryo", type=Path)
    options = parser.parse_args()
    if options.exact:
        _compare_with_solving_anew(options.seed)
    elif options.time:
        _measure_time(options.nodes, options.edges, options.seed)
    elif options.run:
        _judge_run(options.run, options.embryo)
    elif options.prior:
        _print_prior(options.nodes)
    else:
        _print_quality(options.nodes, options.seed)


def _print_quality(nodes: int, seed: int) -> None:
    print("                                          all pasts                     links only")
    print("tissue                      annotated  errors  off by  in the list   errors  off by  in the list")
    for name, tissue in ALL_TISSUES.items():
        solved = _solve(make_instance(nodes, 40, seed=seed, tissue=tissue, with_truth=True))
        for share in SHARES:
            annotations, annotated = _annotate(solved.instance, share, seed)
            confidence = estimate_confidence(
                solved.graph,
                solved.selection,
                solved.margins,
                annotations,
                max_distance_um=3.0,
                free_start=solved.graph.nodes.t == 0,
            )
            judged = (confidence.past_right < 1) & ~annotated
            figures = []
            for rows in (judged, judged & solved.linked):
                chance, right = confidence.past_right[rows], solved.right[rows]
                figures.append(
                    f"{np.count_nonzero(~right):6d} {measure_miscalibration(chance, right):7.4f} "
                    f"{100 * find_in_list(chance, right):10.1f} %"
                )
            print(f"{name:28s} {100 * share:6.0f} %  {figures[0]}   {figures[1]}", flush=True)


def measure_miscalibration(chance: FloatArray, right: BoolArray, bins: int = 15) -> float:
    """Return the expected calibration error: |mean chance − share right| over bins of equally many pasts."""
    parts = np.array_split(np.argsort(chance, kind="stable"), bins)
    return float(sum(abs(chance[p].mean() - right[p].mean()) * len(p) for p in parts if len(p)) / len(chance))


def find_in_list(chance: FloatArray, right: BoolArray) -> float:
    """Return the share of errors among the twice as many most doubtful pasts."""
    n_wrong = int((~right).sum())
    return float((~right[np.argsort(chance, kind="stable")[: 2 * n_wrong]]).sum() / max(n_wrong, 1))


def _solve(instance: Instance) -> Solved:
    graph = link_candidates(instance.detections, CandidatesParams())
    selection = solve_graph(graph, PARAMS)
    chosen = graph.edges[selection.edge_selected]
    parent = np.full(graph.nodes.n, -1)
    parent[chosen[:, 1]] = chosen[:, 0]
    return Solved(
        instance=instance,
        graph=graph,
        selection=selection,
        margins=measure_selection(graph, PARAMS, selection),
        linked=parent >= 0,
        right=(parent >= 0) & (parent == instance.parent_row),  # in these tissues no cell comes from nowhere
    )


def _annotate(instance: Instance, share: float, seed: int) -> tuple[Tracks, BoolArray]:
    """Annotate a share of the lineages, clicked 0.3 µm beside; return them and which detections they are of."""
    truth, rng = instance.truth, np.random.default_rng(seed)
    if truth is None:
        raise ValueError("this instance was made without its truth")
    lineage = truth.lineage_id()
    size = np.bincount(lineage)
    order = rng.permutation(len(size))
    annotated = np.isin(lineage, order[np.cumsum(size[order]) <= share * truth.n])
    tracks = truth.rows(annotated)
    clicked = replace(tracks, zyx_um=tracks.zyx_um + rng.normal(0, 0.3, tracks.zyx_um.shape))
    return clicked, np.append(annotated, False)[instance.truth_row]


def _compare_with_solving_anew(seed: int) -> None:
    print("tissue                     decision   looked at  exact median  margin/exact median  mean  correlation  over")
    for name, tissue in TISSUES.items():
        graph = link_candidates(make_instance(1500, 12, seed=seed, tissue=tissue).detections, CandidatesParams())
        problem = Problem(graph.edges, price_graph(graph, PARAMS))
        solution = solve_exactly(problem, Limits())
        cost = problem.price(solution.node_selected, solution.edge_selected)
        margins = measure_margins(problem, solution.node_selected, solution.edge_selected)
        for label, rows, of_edges in (
            ("link taken", _pick(solution.edge_selected, seed), True),
            ("link left", _pick(~solution.edge_selected, seed), True),
            ("cell taken", _pick(solution.node_selected, seed), False),
        ):
            exact = np.array([_solve_flipped(problem, solution, row, of_edges) for row in rows]) - cost
            margin = (margins.edge if of_edges else margins.node)[rows]
            ratio = margin / np.maximum(exact, 1e-9)
            print(
                f"{name:26s} {label:10s} {len(rows):9d} {np.median(exact):13.2f} {np.median(ratio):20.3f} "
                f"{ratio.mean():5.3f} {np.corrcoef(margin, exact)[0, 1]:12.3f} {int((margin > exact + 1e-6).sum()):5d}",
                flush=True,
            )


def _pick(which: BoolArray, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).choice(np.flatnonzero(which), 60, replace=False)


def _solve_flipped(problem: Problem, solution: Solution, row: int, of_edges: bool) -> float:
    node, edge = np.zeros(problem.n, np.int8), np.zeros(problem.m, np.int8)
    taken = (solution.edge_selected if of_edges else solution.node_selected)[row]
    (edge if of_edges else node)[row] = OUT if taken else IN
    other = solve_exactly(Problem(problem.edges, problem.costs, Pins(node=node, edge=edge)), Limits())
    return problem.price(other.node_selected, other.edge_selected)


def _measure_time(nodes: int, edges: int, seed: int) -> None:
    graph = make_graph(nodes, edges, seed=seed)
    selection = solve_graph(graph, PARAMS)
    small = make_graph(100, 200, seed=seed)
    measure_selection(small, PARAMS, solve_graph(small, PARAMS))  # compiles
    began, cpu = time.perf_counter(), time.process_time()
    margins = measure_selection(graph, PARAMS, selection)
    measured, cpu = time.perf_counter() - began, time.process_time() - cpu
    began = time.perf_counter()
    free = graph.nodes.t == 0
    estimate_confidence(graph, selection, margins, _no_tracks(), max_distance_um=3.0, free_start=free)
    print("nodes     edges    margins_s  cpu_s  probabilities_s")
    print(f"{nodes:<8d} {graph.n_edges:8d} {measured:9.2f} {cpu:6.2f} {time.perf_counter() - began:16.2f}")


def _judge_run(run: Path, embryo: Path) -> None:
    """Judge the confidence a run exported, on the cells that nobody annotated."""
    truth, train, val = (read_tracks(embryo / f"{name}.csv") for name in ("truth", "train", "val"))
    table = run / "exports" / "lineages.csv"
    found = read_tracks(table)
    names = table.open().readline().strip().split(",")
    chance = np.loadtxt(table, delimiter=",", skiprows=1, usecols=names.index("confidence"))
    matched = match_tracks(found, truth, 3.0, np.ones(truth.n, bool))
    here, linked = matched.point_of_reconstruction, found.parent_row >= 0
    begins = ~linked & (here >= 0) & (truth.parent_row[here] < 0)
    right = begins | linked & (matched.edge_of_reconstruction >= 0)
    held_out = np.append(find_unannotated(truth, [train, val], max_distance_um=1.5), True)[here]
    print("          pasts  errors  expected  off by  in the list")
    for name, rows in (("all", held_out & (chance < 1)), ("links", held_out & (chance < 1) & linked)):
        print(
            f"{name:8s} {rows.sum():6d} {(~right[rows]).sum():7d} {(1 - chance[rows]).sum():9.1f} "
            f"{measure_miscalibration(chance[rows], right[rows]):7.4f} "
            f"{100 * find_in_list(chance[rows], right[rows]):10.1f} %"
        )


def _no_tracks() -> Tracks:
    return Tracks(
        t=np.zeros(0, np.int32), zyx_um=np.zeros((0, 3)), id=np.zeros(0, np.int64), parent_row=np.zeros(0, np.int64)
    )


def _print_prior(nodes: int) -> None:
    fitted = []
    for name, tissue in TISSUES.items():
        for seed in (1, 2):
            solved = _solve(make_instance(nodes, 40, seed=seed, tissue=tissue))
            past = solved.margins.of_pasts(
                solved.graph.edges, solved.selection.node_selected, solved.selection.edge_selected
            )
            pasts = describe_pasts(solved.graph, solved.selection, past)
            right = solved.right[solved.selection.node_selected]
            fitted.append(fit_weights(pasts.features[pasts.linked], right[pasts.linked], doubt=10.0))
            print(f"{name:28s} {fitted[-1].round(2)}", flush=True)
    print(f"{'mean':28s} {np.mean(fitted, axis=0).round(2)}\n{'spread':28s} {np.std(fitted, axis=0).round(2)}")


if __name__ == "__main__":
    main()
