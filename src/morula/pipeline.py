"""A run from top to bottom: the stages in order, each resumable, each skipped when its results are there.

    inputs -> drift -> train -> detect -> candidates -> tune -> solve -> confidence
           -> blobs -> baseline (to compare with) -> evaluate -> export -> report

Owns the order and what each stage hands on. Every stage begins in the run directory with everything its results depend
on; the directory decides whether it is done, goes on, or runs anew because a setting changed. Results are always read
back from the store, so that a resumed run sees the same numbers as an undisturbed one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from morula.comparing import find_blobs, link_blobs
from morula.config import RunConfig, format_config, list_result_settings, plain_values
from morula.core.graph import CandidateGraph
from morula.core.pins import Pins
from morula.core.progress import ProgressSink, ignore_progress
from morula.engine.engine import Engine
from morula.engine.serial import SerialEngine
from morula.errors import ConfigError
from morula.inputs import Inputs, open_inputs
from morula.io.tracks.files import TracksWriteFormat, read_tracks
from morula.judge import assess_selection, judge_tracks
from morula.learning import detect, learn
from morula.linking import link
from morula.results import (
    collect_report,
    collect_versions,
    export_lineages,
    read_lineages,
    read_sureness,
    read_tuned_settings,
)
from morula.solve.blocks.solve import asks_for_blocks
from morula.solve.graph import pose_problem, solve_graph
from morula.solve.params import SolveParams
from morula.solve.problem.placing import place_pins
from morula.solve.problem.problem import Problem
from morula.solving import solve_stage_in_blocks, tell_choice
from morula.stabilising import stabilise
from morula.store.disk import write_json, write_text
from morula.store.run_directory import RunDirectory
from morula.tuning import tune
from morula.view.report import write_report
from morula.view.report_data import LabelledEvaluation

_LOG = logging.getLogger(__name__)

_FORMATS: tuple[TracksWriteFormat, ...] = ("csv", "geff", "napari")
STAGES = (
    "drift", "train", "detect", "candidates", "tune", "solve", "confidence", "blobs", "baseline", "evaluate",
    "export", "report",
)  # fmt: skip


def run_pipeline(
    config: RunConfig,
    run_dir: Path,
    *,
    until: str = "report",
    engine: Engine | None = None,
    progress: ProgressSink = ignore_progress,
) -> None:
    """Run all stages up to `until`, or what is left of them.

    Parameters
    ----------
    config
        The run.
    run_dir
        Its directory; created if there is none.
    until
        Last stage to run, one of `STAGES`.
    engine
        How blocks are run; in order in this process by default.
    progress
        Listener.

    Raises
    ------
    ConfigError
        If there is no stage `until`.
    MorulaError
        From any stage; what was finished before stays. `BlocksFailedError` if some blocks failed: the others are kept
        and the next run repeats only those.
    """
    if until not in STAGES:
        raise ConfigError(f"there is no stage '{until}'.", fix=f"one of {', '.join(STAGES)}")
    inputs = open_inputs(config)
    with RunDirectory.open(run_dir, store=config.store.url) as run:
        _recognise_movie(run, inputs)
        write_text(run.paths.config, format_config(config))
        write_json(run.paths.versions, collect_versions())
        steps: dict[str, Callable[[], None]] = {
            "drift": partial(stabilise, run, inputs, config, progress),
            "train": partial(learn, run, inputs, config, engine or SerialEngine(), progress),
            "detect": partial(detect, run, inputs, config, engine or SerialEngine(), progress),
            "candidates": partial(link, run, config, engine or SerialEngine(), progress),
            "tune": partial(tune, run, inputs, config, engine or SerialEngine(), progress),
            "solve": partial(_solve, run, inputs, config, engine or SerialEngine(), progress),
            "confidence": partial(_assess, run, inputs, config),
            "blobs": partial(find_blobs, run, inputs, config, engine or SerialEngine(), progress),
            "baseline": partial(link_blobs, run, config),
            "evaluate": partial(_evaluate, run, inputs, config),
            "export": partial(_export, run, inputs),
            "report": partial(_report, run, inputs, config),
        }
        for name in STAGES[: STAGES.index(until) + 1]:
            steps[name]()


def _recognise_movie(run: RunDirectory, inputs: Inputs) -> None:
    for begun in run.store.read_stages():
        recorded = begun.settings.get("inputs")
        if isinstance(recorded, Mapping) and "movie" in recorded:
            inputs.recognise_movie(recorded)
            return


def _solve(run: RunDirectory, inputs: Inputs, config: RunConfig, engine: Engine, progress: ProgressSink) -> None:
    settings: dict[str, object] = {"solve": plain_values(config.solve)}
    if inputs.pins is not None:
        settings |= {"inputs": inputs.identify("pins"), "pin_distance_um": config.evaluate.max_distance_um}
    params = read_tuned_settings(run.store, config.solve)
    pose = partial(_pose, inputs=inputs, config=config, params=params)
    if asks_for_blocks(params):
        solve_stage_in_blocks(run, settings, params, pose, engine, progress)
        return

    def check() -> Problem:  # impossible pins leave the earlier lineages as they are
        return pose(run.store.read_graph())

    with run.stage("solve", settings, after=["candidates", "tune"], check=check) as stage:
        if not stage.done:
            graph = run.store.read_graph()
            pins = _place_pins(graph, inputs, config)
            selection = solve_graph(graph, params, extent_um=inputs.movie.extent_um, pins=pins)
            stage.write_selection(selection, summary={"amount": graph.nodes.n, "unit": "detections"})
            tell_choice(graph, selection)


def _pose(graph: CandidateGraph, inputs: Inputs, config: RunConfig, params: SolveParams) -> Problem:
    pins = _place_pins(graph, inputs, config)
    return pose_problem(graph, params, extent_um=inputs.movie.extent_um, pins=pins)


def _place_pins(graph: CandidateGraph, inputs: Inputs, config: RunConfig) -> Pins | None:
    if inputs.pins is None:
        return None
    return place_pins(graph, inputs.pins, max_distance_um=config.evaluate.max_distance_um)


def _assess(run: RunDirectory, inputs: Inputs, config: RunConfig) -> None:
    """Say how sure every decision of the solver is."""
    reach = config.evaluate.max_distance_um
    settings = {"max_distance_um": reach, "inputs": inputs.identify("val")}
    with run.stage("confidence", settings, after=["solve"]) as stage:
        if not stage.done:
            graph, selection = run.store.read_graph(), run.store.read_selection()
            params, pins = read_tuned_settings(run.store, config.solve), _place_pins(graph, inputs, config)
            confidence = assess_selection(graph, selection, inputs, params, max_distance_um=reach, pins=pins)
            stage.write_confidence(confidence, summary={"amount": graph.nodes.n, "unit": "detections"})


def _evaluate(run: RunDirectory, inputs: Inputs, config: RunConfig) -> None:
    output = run.paths.exports / "evaluation.json"
    settings = {"evaluate": plain_values(config.evaluate), "inputs": inputs.identify("train", "val", "truth")}
    with run.stage("evaluate", settings, after=["solve", "baseline"], outputs=[output]) as stage:
        if not stage.done:
            lineages = read_lineages(run.store)
            judged = judge_tracks(lineages.tracks, inputs, config.evaluate, movement_um=lineages.nodes.movement_um)
            baseline = judge_tracks(read_tracks(run.paths.exports / "baseline.csv"), inputs, config.evaluate)
            figures = {"morula": _figures(judged), "baseline": _figures(baseline)}
            write_json(output, figures)
            stage.finish({"amount": lineages.nodes.n, "unit": "points"})


def _figures(judged: tuple[LabelledEvaluation, ...]) -> dict[str, object]:
    return {one.note: one.evaluation.to_dict() for one in judged}


def _export(run: RunDirectory, inputs: Inputs) -> None:
    outputs = [run.paths.exports / f"lineages.{kind}" for kind in _FORMATS]
    with run.stage("export", {"inputs": inputs.identify("movie")}, after=["confidence"], outputs=outputs) as stage:
        if not stage.done:
            lineages, sureness = read_lineages(run.store), read_sureness(run.store)
            for path, kind in zip(outputs, _FORMATS, strict=True):
                export_lineages(lineages, path, kind, sureness=sureness, overwrite=True)
            stage.finish({"amount": lineages.nodes.n, "unit": "points"})


def _report(run: RunDirectory, inputs: Inputs, config: RunConfig) -> None:
    settings = {"inputs": inputs.identify("movie", "train", "val", "truth"), "config": list_result_settings(config)}
    with run.stage("report", settings, after=["evaluate", "tune", "confidence"], outputs=[run.paths.report]) as stage:
        if not stage.done:
            write_report(collect_report(run, inputs, config), run.paths.report)
            stage.finish()
