"""The methods of the accuracy table by name: from an opened case to tracks.

Owns which settings of each peer are searched (`accuracy_tuning` says how, design/0028 why). Refuses to show any method
the truth, but the oracle, which is given the true positions and nothing else of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from accuracy_cases import Case
from accuracy_morula import PAPER_MASK, has_paper_network, run_morula, run_paper_network
from accuracy_outcome import Outcome, Stopwatch
from accuracy_peers import (
    BlobSource,
    forget_movement,
    link_with_laptrack,
    link_with_motile,
    measure_distances,
    remove_drift,
    take_truth,
)
from accuracy_tuning import Axes, Choice, Setting, count_errors, search_all, search_some
from morula.core.detections import Detections
from morula.core.graph import CandidateGraph
from morula.core.lineages import Lineages
from morula.core.tracks import Tracks
from morula.solve.graph import solve_graph
from morula.solve.greedy import link_greedily
from morula.solve.params import SolveParams
from morula.store.run_directory import view_run

TIME_LIMIT_S = 120.0
"""For motile's last solution, wall seconds. Beyond it the same optimum is found with morula's solver."""

MOST_EXACT_NODES = 20_000
"""Beyond so many detections settings are tried at a gap of 1e-4, and only the chosen one is solved to proof: where
starts and divisions cost little a proof takes minutes."""

THRESHOLDS = (1.0, 0.5, 0.7, 1.4, 2.0, 2.8)
REACHES = (1.0, 0.6, 0.8, 1.25, 1.6)
SPLITS = (0.0, 0.6, 0.8, 1.0, 1.25, 1.6)
COSTS: Axes = {
    "reach": (1.0, 0.8, 1.25, 1.6),
    "power": (1.0, 2.0),
    "start_cost": (12.0, 2.0, 4.0, 8.0, 18.0),
    "division_cost": (9.0, 1.0, 4.0, 13.0),
}
SCORES: Axes = {"break_even": (0.2, 0.02, 0.1, 0.3, 0.5), "score_weight": (20.0, 10.0, 40.0)}
"""A detection costs ``score_weight * (break_even - score)``."""

SURE = {"break_even": 0.0, "score_weight": 40.0}
"""Of true positions, whose score is 1: every cell pays for itself, so that all are taken."""


def link_blobs_greedily(case: Case, _: Path) -> Outcome:
    """Blobs, nearest first; threshold, reach and whether a cell may have two children are searched."""
    watch, blobs, reach = Stopwatch(), _find_blobs(case), case.lengths.reach_um
    graphs = {factor: measure_distances(blobs.detect(factor), reach_um=reach * max(REACHES)) for factor in THRESHOLDS}

    def link(setting: Setting) -> Tracks:
        graph, children = graphs[setting["threshold"]], int(setting["children"])
        selection = link_greedily(graph, max_distance_um=reach * setting["reach"], max_children=children)
        return Lineages.from_selection(graph, selection).tracks

    axes = {"threshold": THRESHOLDS, "reach": REACHES, "children": (1.0, 2.0)}
    choice = search_all(axes, lambda setting: _count(case, link(setting)))
    return Outcome(tracks=link(choice.setting), seconds=watch.read(), settings=_describe(choice))


def link_blobs_with_laptrack(case: Case, _: Path) -> Outcome:
    """Blobs, linked by LapTrack; threshold, reach and reach of splits are searched."""
    watch, blobs, reach = Stopwatch(), _find_blobs(case), case.lengths.reach_um
    still = {factor: remove_drift(blobs.detect(factor), reach_um=reach) for factor in THRESHOLDS}

    def link(setting: Setting) -> Tracks:
        factor, split = setting["threshold"], setting["split"]
        return link_with_laptrack(
            blobs.detect(factor), still[factor], reach_um=reach * setting["reach"], split_um=reach * split
        )

    axes = {"threshold": THRESHOLDS, "reach": REACHES, "split": SPLITS}
    choice = search_all(axes, lambda setting: _count(case, link(setting)))
    return Outcome(tracks=link(choice.setting), seconds=watch.read(), settings=_describe(choice))


def link_blobs_with_motile(case: Case, _: Path) -> Outcome:
    """Blobs, linked by motile; threshold, graph and costs are searched."""
    blobs = _find_blobs(case)
    axes = {"threshold": THRESHOLDS[:4], **COSTS, **SCORES}
    return _tune_motile(case, lambda setting: blobs.detect(setting["threshold"]), axes)


def link_ours_with_motile(case: Case, run: Path) -> Outcome:
    """Our detections without their movement vectors, linked by motile; graph and costs are searched."""
    with view_run(run.parent / "morula") as opened:
        detections = forget_movement(opened.store.read_detections())
    return _tune_motile(case, lambda _: detections, {**COSTS, **SCORES})


def link_truth_with_motile(case: Case, _: Path) -> Outcome:
    """The true positions, linked by motile by distance alone; graph and costs are searched."""
    detections = take_truth(case.truth)
    return _tune_motile(case, lambda _: detections, COSTS, fixed=SURE)


def _tune_motile(
    case: Case, detect: Callable[[Setting], Detections], axes: Axes, fixed: Mapping[str, float] | None = None
) -> Outcome:
    """Search costs with morula's solver, which finds the same optimum in a second, then let motile solve the best.

    If SCIP does not prove it in time, the optimum of the same costs is taken from morula's solver: a search cut off
    would make motile look worse than its model is.
    """
    watch = Stopwatch()
    graphs: dict[tuple[float, ...], CandidateGraph] = {}

    def pose(setting: Setting) -> tuple[CandidateGraph, SolveParams]:
        key = (setting.get("threshold", 1.0), setting["reach"], setting["power"])
        if key not in graphs:
            reach_um = case.lengths.reach_um * setting["reach"]
            graphs[key] = measure_distances(detect(setting), reach_um=reach_um, power=setting["power"])
        return graphs[key], _weigh({**(fixed or {}), **setting})

    def solve(setting: Setting, *, trying: bool = False) -> Tracks:
        graph, params = pose(setting)
        if trying and graph.nodes.n > MOST_EXACT_NODES:
            params = replace(params, method="ascent")
        return Lineages.from_selection(graph, solve_graph(graph, params)).tracks

    choice = search_some(axes, lambda setting: _count(case, solve(setting, trying=True)))
    tuned_s = watch.read()
    found = link_with_motile(*pose(choice.setting), timeout_s=TIME_LIMIT_S)
    seconds = watch.read()
    settings = {**_describe(choice), "tuning_cpu_s": round(tuned_s, 1), "motile_wall_s": round(found.seconds, 1)}
    tracks = found.tracks if found.proven else solve(choice.setting)
    return Outcome(tracks=tracks, seconds=seconds, settings=settings, proven=found.proven)


def _weigh(setting: Setting) -> SolveParams:
    return SolveParams(
        node_constant=setting["score_weight"] * setting["break_even"],
        node_score_weight=-setting["score_weight"],
        start_cost=setting["start_cost"],
        division_cost=setting["division_cost"],
        method="exact",
    )


def _find_blobs(case: Case) -> BlobSource:
    return BlobSource(case.inputs.movie, sigma_um=case.lengths.blob_sigma_um, window_um=case.lengths.window_um)


def _count(case: Case, tracks: Tracks) -> int:
    return count_errors(tracks, case.annotations, case.evaluate)


def _describe(choice: Choice) -> dict[str, object]:
    errors = f"{choice.errors} errors on the annotations, {choice.errors_before} with the usual settings"
    return {**choice.setting, "tuned": f"{errors}, {choice.tried} tried"}


@dataclass(frozen=True, kw_only=True)
class Method:
    """A row of the table: its words, what runs it in a directory of its own, and where it is wanted.

    `reads` names the method whose run directory it reads, which is run before it.
    """

    words: str
    run: Callable[[Case, Path], Outcome]
    classical: bool = False
    only_in: tuple[str, ...] | None = None
    reads: str | None = None

    def applies_to(self, recipe: str) -> bool:
        """Whether the table has a cell of this method for a case of this recipe."""
        return self.only_in is None or recipe in self.only_in


METHODS = {
    "blobs-greedy": Method(words="blobs + greedy", run=link_blobs_greedily, classical=True),
    "blobs-laptrack": Method(words="blobs + LapTrack", run=link_blobs_with_laptrack, classical=True),
    "blobs-motile": Method(words="blobs + motile", run=link_blobs_with_motile, classical=True),
    "oracle": Method(words="true positions + motile", run=link_truth_with_motile),
    "morula": Method(words="**morula**", run=run_morula),
    "ours-motile": Method(words="our detections + motile", run=link_ours_with_motile, reads="morula"),
    "paper-mask": Method(
        words="morula, the paper's masking",
        run=partial(run_morula, train=PAPER_MASK),
        only_in=("easy", "medium", "hard", "pm03", "pm07", "crop"),
    ),
}
"""In the order of the table's rows."""

if has_paper_network():
    METHODS["paper-network"] = Method(
        words="the paper's network, trained as long", run=run_paper_network, only_in=("crop",), reads="morula"
    )
