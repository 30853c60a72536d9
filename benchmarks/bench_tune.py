"""Learned cost weights against a grid of 256: errors on annotations and on dense truth, and CPU seconds.

Simulated tissues of 4000 detections. A tenth of the lineages are annotated for training, another tenth for validation.
"learned on train" has never seen validation; "learned" and the grid use validation, as a run does. Errors on the dense
truth count lineages that nobody annotated: the sum of the annotated kinds, and beside it the wrong links and the share
of chosen detections that are cells, which sparse annotations cannot see.

python benchmarks/bench_tune.py
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

import numpy as np
from pydantic import TypeAdapter

from instances import Tissue, make_instance
from morula.candidates.link import link_candidates
from morula.candidates.params import CandidatesParams
from morula.core.columns import BoolArray
from morula.core.detections import Detections
from morula.core.graph import CandidateGraph
from morula.core.lineages import Lineages
from morula.core.tracks import Tracks
from morula.evaluate.evaluate import evaluate_tracks
from morula.evaluate.params import EvaluateParams
from morula.solve.graph import solve_graph
from morula.solve.params import SolveParams
from morula.tune.choose import tune_by_learning
from morula.tune.grid import search_weights
from morula.tune.params import TuneParams

TISSUES = {
    "movement known to 0.8 um": Tissue(spacing_um=10),
    "movement known to 1.5 um": Tissue(spacing_um=10, movement_error_um=1.5, daughter_error_um=2.5),
    "a quarter of false cells": Tissue(
        spacing_um=10, movement_error_um=1.2, daughter_error_um=2.0, missed=0.05, false=0.25
    ),
    "narrow, movement to 2 um": Tissue(spacing_um=8, movement_error_um=2.0, daughter_error_um=3.0, false=0.3),
}
GRID = TuneParams(
    method="grid",
    break_even_scores=(0.1, 0.2, 0.3, 0.4),
    node_score_weights=(-10.0, -20.0, -30.0, -45.0),
    start_costs=(4.0, 8.0, 12.0, 18.0),
    division_costs=(2.0, 4.0, 8.0, 13.0),
)
EVALUATE = EvaluateParams(max_distance_um=4.0)
CLICK_ERROR_UM = 0.5
FEWEST_POINTS = 5


@dataclass(frozen=True, kw_only=True)
class Case:
    """A graph, all that is true of it, and what of it is annotated."""

    graph: CandidateGraph
    truth: Tracks
    train: Tracks
    val: Tracks
    silent: BoolArray


def make_case(tissue: Tissue, seed: int, *, detections: int, share: float) -> Case:
    """Make a graph and annotate `share` of its lineages for training, and as many for validation.

    Cells that are not detected stay in the truth: an annotator sees them.
    """
    instance = make_instance(detections, 25, seed=seed, tissue=replace(tissue, missed=0.0))
    rng = np.random.default_rng([seed, 1])
    every, cell = instance.detections, instance.is_cell
    seen = ~cell | (rng.random(every.n) >= tissue.missed)
    found = Detections(
        t=every.t[seen], zyx_um=every.zyx_um[seen], score=every.score[seen], movement_um=every.movement_um[seen]
    )
    n = int(cell.sum())
    truth = Tracks(
        t=every.t[cell],
        zyx_um=every.zyx_um[cell] + rng.normal(0, CLICK_ERROR_UM, (n, 3)),
        id=np.arange(n),
        parent_row=np.append(np.cumsum(cell) - 1, -1)[instance.parent_row[cell]],
    )
    lineage = truth.lineage_id()
    drawn = rng.permutation(int(lineage.max()) + 1)
    drawn = drawn[np.bincount(lineage)[drawn] >= FEWEST_POINTS]
    each = max(1, round(share * len(drawn)))
    train, val = np.isin(lineage, drawn[:each]), np.isin(lineage, drawn[each : 2 * each])
    return Case(
        graph=link_candidates(found, CandidatesParams()),
        truth=truth,
        train=truth.rows(train),
        val=truth.rows(val),
        silent=~(train | val),
    )


def judge(case: Case, solve: SolveParams) -> tuple[int, int, int, float]:
    """Return errors on validation, errors and wrong links on the silent truth, and the precision of cells."""
    tracks = Lineages.from_selection(case.graph, solve_graph(case.graph, solve)).tracks
    on_val = evaluate_tracks(tracks, case.val, EVALUATE).edge_errors.sum_of_errors
    dense = evaluate_tracks(tracks, case.truth, replace(EVALUATE, dense=True), scored=case.silent)
    errors, precision = dense.edge_errors, dense.nodes.node_precision
    return on_val, errors.sum_of_errors, errors.fp_edges or 0, precision or 0.0


def choose(case: Case, *, grid: bool) -> Iterator[tuple[str, SolveParams, float]]:
    """Choose weights in every way that is compared; yields its name, the weights and CPU seconds."""
    given, learn = SolveParams(), TuneParams(fewest_links=5)
    yield "given", given, 0.0
    for name, tracks, probes in (
        ("learned on train", case.train, False),
        ("learned, no probes", case.val, False),
        ("learned", case.val, True),
    ):
        began = time.process_time()
        tuned = tune_by_learning(case.graph, tracks, replace(learn, learn_probes=probes), given, EVALUATE)
        yield name, tuned.params, time.process_time() - began
    if grid:
        began = time.process_time()
        found = search_weights(case.graph, case.val, GRID, given, EVALUATE)
        cpu = time.process_time() - began
        weights, _ = min(found.tried, key=lambda one: one[1])
        yield "grid, fewest errors", TypeAdapter(SolveParams).validate_python({**asdict(given), **weights}), cpu
        yield "grid, ties to given", found.params, cpu


def main() -> None:
    """Print one line per tissue and way, summed over seeds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--first-seed", type=int, default=2, help="0 and 1 were used while the learner was written")
    parser.add_argument("--detections", type=int, default=4000)
    parser.add_argument("--share", type=float, default=0.1, help="share of lineages annotated, for each use")
    parser.add_argument("--no-grid", action="store_true")
    options = parser.parse_args()
    print("tissue                    weights              val_links  val_errors  dense_errors  wrong_links  precision"
          "  cpu_s  break_even  start  division")  # fmt: skip
    for name, tissue in TISSUES.items():
        rows: dict[str, list[tuple[float, ...]]] = {}
        for seed in range(options.first_seed, options.first_seed + options.seeds):
            case = make_case(tissue, seed, detections=options.detections, share=options.share)
            for way, chosen, cpu in choose(case, grid=not options.no_grid):
                even = -chosen.node_constant / chosen.node_score_weight
                costs = (chosen.start_cost, chosen.division_cost)
                rows.setdefault(way, []).append((len(case.val.edges), *judge(case, chosen), cpu, even, *costs))
        for way, figures in rows.items():
            s, m = np.sum(figures, axis=0), np.mean(figures, axis=0)
            print(f"{name:25s} {way:20s} {s[0]:9.0f} {s[1]:11.0f} {s[2]:13.0f} {s[3]:12.0f} {m[4]:10.4f} {m[5]:6.1f} "
                  f"{m[6]:11.2f} {m[7]:6.1f} {m[8]:9.1f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
