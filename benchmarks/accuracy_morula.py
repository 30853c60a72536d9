"""The methods of the accuracy table that learn: morula as shipped, with the paper's masking, with the paper's network.

Each is drafted as `morula init` does and run as `morula run` does; nothing is set by hand but what the method's name
says.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path

from pydantic import TypeAdapter

from accuracy_cases import Case, configure_inputs
from accuracy_outcome import Outcome, Stopwatch
from morula.config import RunConfig
from morula.draft import draft_config
from morula.pipeline import run_pipeline
from morula.results import read_lineages, read_tuned_settings
from morula.store.run_directory import view_run
from morula.train.params import TrainParams

PAPER_MASK = {"background": "paper", "second_iterations": 0}
PAPER_NETWORK = {**PAPER_MASK, "network": "paper", "batch_size": 1, "crop_outputs": (12, 56, 56)}
"""The size of a crop as published; loss and learning rate stay ours, since the published ones mean 400 000 steps."""

_TRIAL_STEPS = (1, 4)


def run_morula(case: Case, run: Path, *, train: Mapping[str, object] | None = None) -> Outcome:
    """Run all stages up to the lineages; evaluation, export and report are left out.

    Parameters
    ----------
    case
        The case; its truth is not read.
    run
        The run directory. Beside it a file is left that says how long learning took.
    train
        Settings of ``[train]`` in place of the drafted ones.
    """
    watch = Stopwatch()
    config = _draft(case, train or {})
    learning_s = _learn(config, run)
    run_pipeline(config, run, until="solve")
    with view_run(run) as opened:
        lineages = read_lineages(opened.store)
        solve = read_tuned_settings(opened.store, config.solve)
        settings = {
            **(train or {}),
            "start_cost": solve.start_cost,
            "division_cost": solve.division_cost,
            "tuned": opened.store.require_stage("tune").summary["why"],
            "learning_cpu_s": round(learning_s, 1),
            "wall_s": {record.name: round(record.seconds, 1) for record in opened.store.read_stages()},
        }
    return Outcome(tracks=lineages.tracks, seconds=watch.read(), settings=settings)


def run_paper_network(case: Case, run: Path) -> Outcome:
    """Train the paper's network with its masking for as long as morula learned on this case, and track with it.

    CPU seconds of everything up to the trained network are compared; two short trials say how many steps fit.
    """
    wanted_s = float(json.loads(_learning_path(run.with_name("morula")).read_text(encoding="utf-8")))
    trials_s = {}
    for steps in _TRIAL_STEPS:
        trial = run.with_name(f"{run.name}-trial-{steps}")
        trials_s[steps] = _learn(_draft(case, {**PAPER_NETWORK, "iterations": steps, "validations": 1}), trial)
    iterations = fit_iterations(wanted_s, trials_s)
    outcome = run_morula(case, run, train={**PAPER_NETWORK, "iterations": iterations, "validations": 1})
    return replace(outcome, settings={**outcome.settings, "morula_learning_cpu_s": round(wanted_s, 1)})


def fit_iterations(wanted_s: float, trials_s: Mapping[int, float]) -> int:
    """Return how many steps fill a time, from the seconds that two short trainings took; at least 1."""
    (few, few_s), (more, more_s) = sorted(trials_s.items())
    step_s = max((more_s - few_s) / (more - few), 1e-3)
    return max(1, few + int((wanted_s - few_s) / step_s))


def has_paper_network() -> bool:
    """Whether this version of morula can train the paper's network."""
    return "network" in {setting.name for setting in fields(TrainParams)}


def _draft(case: Case, train: Mapping[str, object]) -> RunConfig:
    config = draft_config(*configure_inputs(case.folder)).config
    if train.get("background") == "paper":  # places of nuclei are peaks of the indicator there
        config = replace(config, detect=replace(config.detect, blob_sigma_um=0.0))
    return replace(config, train=TypeAdapter(TrainParams).validate_python({**asdict(config.train), **train}))


def _learn(config: RunConfig, run: Path) -> float:
    """Run everything up to the trained network and return its CPU seconds."""
    watch = Stopwatch()
    run_pipeline(config, run, until="train")
    seconds = watch.read()
    _learning_path(run).write_text(json.dumps(seconds), encoding="utf-8")
    return seconds


def _learning_path(run: Path) -> Path:
    return run.with_name(f"{run.name}-learning-cpu-s.json")
