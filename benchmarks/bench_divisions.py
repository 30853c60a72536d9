"""What division scores are worth, given and learned, by how well they tell dividing cells; all of it simulated.

The tissues of `bench_tune`. Scores `divides` and `born` are drawn from two beta distributions each, by the truth.
Lineages are annotated until so many divisions are; weights are learned from these, and judged on all others.

python benchmarks/bench_divisions.py
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from bench_tune import EVALUATE, TISSUES, make_case
from morula.core.columns import BoolArray, FloatArray
from morula.core.detections import Detections
from morula.core.graph import CandidateGraph
from morula.core.lineages import Lineages
from morula.core.tracks import Tracks
from morula.evaluate.evaluate import evaluate_tracks
from morula.matching.points import match_points
from morula.solve.graph import solve_graph
from morula.solve.params import SolveParams
from morula.tune.choose import tune_by_learning
from morula.tune.params import TuneParams

SCORES = {
    "clear": ((5.0, 1.5), (1.0, 10.0)),
    "middling": ((3.0, 2.0), (1.0, 4.0)),
    "weak": ((2.0, 2.0), (1.0, 2.5)),
    "of no use": ((1.0, 3.0), (1.0, 3.0)),
}
"""Beta distributions of the scores of cells that divide (or are born), and of all others."""


@dataclass(frozen=True, kw_only=True)
class Scored:
    """A graph whose nodes have division scores, some annotations, and the truth that is judged by."""

    graph: CandidateGraph
    truth: Tracks
    annotated: Tracks
    silent: BoolArray


def draw_scores(graph: CandidateGraph, truth: Tracks, level: str, seed: int) -> CandidateGraph:
    """Give every node the scores of what it is in truth; false cells neither divide nor are born."""
    rng, n = np.random.default_rng([seed, 7]), graph.nodes.n
    mother = truth.n_children == 2
    is_true = {"divides": mother, "born": np.append(mother, False)[truth.parent_row]}
    annotated, found, _ = match_points(
        truth.zyx_um, truth.t, graph.nodes.zyx_um, graph.nodes.t, EVALUATE.max_distance_um
    )
    columns = {name: getattr(graph.nodes, name) for name in ("t", "zyx_um", "score", "movement_um")}
    for name, labels in is_true.items():
        yes = np.zeros(n, bool)
        yes[found] = labels[annotated]
        high, low = SCORES[level]
        columns[name] = np.where(yes, rng.beta(*high, n), rng.beta(*low, n))
    return replace(graph, nodes=Detections(**columns))


def annotate(truth: Tracks, divisions: int, seed: int) -> BoolArray:
    """Choose whole lineages by lot until they hold so many divisions, and twenty of any kind."""
    lineage, mother = truth.lineage_id(), truth.n_children == 2
    drawn = np.random.default_rng([seed, 3]).permutation(int(lineage.max()) + 1)
    held = np.cumsum(np.bincount(lineage, mother)[drawn])
    return np.isin(lineage, drawn[: max(20, int(np.searchsorted(held, divisions)) + 1)])


def judge(scored: Scored, solve: SolveParams) -> FloatArray:
    """Return found, false and missed divisions, errors, links, error-free segments and all segments of 10 frames."""
    tracks = Lineages.from_selection(scored.graph, solve_graph(scored.graph, solve)).tracks
    dense = evaluate_tracks(tracks, scored.truth, replace(EVALUATE, dense=True), scored=scored.silent)
    found, curve = dense.divisions, dense.error_free
    segments = float(curve.n_segments[-1])
    return np.array([
        found.tp, found.fp, found.fn, dense.edge_errors.sum_of_errors, dense.n_truth_edges,
        curve.fraction[-1] * segments, segments,
    ])  # fmt: skip


def choose(scored: Scored) -> Iterator[tuple[str, SolveParams]]:
    """Choose weights in every way that is compared."""
    without = SolveParams(division_score_weight=0.0)
    yield "given, no scores", without
    yield "given", SolveParams()
    blind = replace(scored.graph, nodes=Detections(**{
        name: getattr(scored.graph.nodes, name) for name in ("t", "zyx_um", "score", "movement_um")
    }))  # fmt: skip
    learn = TuneParams(fewest_links=5)
    yield "learned, no scores", _deafen(tune_by_learning(blind, scored.annotated, learn, without, EVALUATE).params)
    yield "learned", tune_by_learning(scored.graph, scored.annotated, learn, SolveParams(), EVALUATE).params


def _deafen(params: SolveParams) -> SolveParams:
    return replace(params, division_score_weight=0.0)


def main() -> None:
    """Print one line per tissue, kind of scores, number of annotated divisions and way, summed over seeds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--first-seed", type=int, default=10)
    parser.add_argument("--divisions", type=int, nargs="+", default=[4])
    parser.add_argument("--levels", nargs="+", default=list(SCORES))
    parser.add_argument("--tissues", type=int, nargs="+", default=list(range(len(TISSUES))))
    options = parser.parse_args()
    print("tissue                    scores     annotated  weights             F1     found false missed  errors/link"
          "  error-free10  c_D    w_D   (w_D from .. to)")  # fmt: skip
    for tissue_name, tissue in (list(TISSUES.items())[which] for which in options.tissues):
        cases = [(seed, make_case(tissue, seed, detections=4000, share=0.1))
                 for seed in range(options.first_seed, options.first_seed + options.seeds)]  # fmt: skip
        for level in options.levels:
            for divisions in options.divisions:
                rows: dict[str, list[FloatArray]] = {}
                weights: dict[str, list[SolveParams]] = {}
                for seed, case in cases:
                    chosen = annotate(case.truth, divisions, seed)
                    scored = Scored(
                        graph=draw_scores(case.graph, case.truth, level, seed),
                        truth=case.truth,
                        annotated=case.truth.rows(chosen),
                        silent=~chosen,
                    )
                    for way, params in choose(scored):
                        rows.setdefault(way, []).append(judge(scored, params))
                        weights.setdefault(way, []).append(params)
                for way, figures in rows.items():
                    tp, fp, fn, errors, links, free, segments = np.sum(figures, axis=0)
                    score = [one.division_score_weight for one in weights[way]]
                    cost = np.mean([one.division_cost for one in weights[way]])
                    print(f"{tissue_name:25s} {level:10s} {divisions:9d}  {way:18s} {2 * tp / (2 * tp + fp + fn):.3f} "
                          f"{tp:6.0f} {fp:5.0f} {fn:6.0f} {errors / links:12.4f} {free / segments:13.3f} {cost:5.1f} "
                          f"{np.mean(score):6.2f}  {min(score):.2f} .. {max(score):.2f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
