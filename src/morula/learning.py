"""The stages with a network: training, in two rounds where the settings ask for it, and detection.

The second round learns from the lineages found after the first. What the first detects is settled by the settings of
training, so that a changed setting of detection, candidates or solver does not train anew; nor do settings of the
second round touch the first.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from morula.candidates.link import link_candidates
from morula.candidates.params import CandidatesParams
from morula.config import RunConfig, plain_values
from morula.core.blocks import Block
from morula.core.history import TrainingHistory
from morula.core.lineages import Lineages
from morula.core.movie import Movie
from morula.core.progress import ProgressSink
from morula.core.tracks import Tracks
from morula.detect.memory import Memory
from morula.detect.params import DetectParams
from morula.detecting import Search, run_detection
from morula.engine.engine import Engine
from morula.inputs import Inputs
from morula.network.intensity import measure_intensity
from morula.network.model import load_model, save_model
from morula.solve.graph import solve_graph
from morula.solve.params import SolveParams
from morula.stabilising import identify_drift, steady_inputs
from morula.store.disk import write_json
from morula.store.fingerprint import fingerprint_file
from morula.store.run_directory import RunDirectory
from morula.train.labels import MERGE_PER_MASK
from morula.train.loop import train_network
from morula.train.params import TrainParams
from morula.train.teacher import Teacher, keeps_what_was_learned

_LOG = logging.getLogger(__name__)
_TEACHER_THRESHOLD = 0.15
_TEACHER_COSTS = SolveParams(node_constant=4.0, division_cost=9.0)
_TEACHER_MEMORY = Memory(2 * 2**30)
"""What blocks of the first round are cut for, on every machine and whatever `detect` says: the second round learns from
the blocks that are chosen, so that other blocks would teach something else."""

FIRST_TRAIN, FIRST_DETECT = "train-1", "detect-1"
TRAINED = "train.safetensors"
"""File in the run's model folder with the weights that detection uses."""


def learn(run: RunDirectory, inputs: Inputs, config: RunConfig, engine: Engine, progress: ProgressSink) -> None:
    """Train the network, with a second round once more on what the first one found; or take trained weights."""
    inputs = steady_inputs(run, inputs)
    if config.model.weights is not None:
        _adopt(run, inputs, Path(config.model.weights))
        return
    if config.train.second_iterations == 0:
        _train(run, inputs, config.train, "train", progress)
        return
    _train(run, inputs, config.train, FIRST_TRAIN, progress)
    params = DetectParams(
        threshold=_TEACHER_THRESHOLD,
        window_um=MERGE_PER_MASK * config.train.mask_radius_um,
        blob_sigma_um=config.train.blob_sigma_um,
        threads=config.train.threads,
    )
    near = partial(
        _choose_blocks, movie=inputs.movie, annotations=inputs.train, megavoxels=config.train.second_megavoxels
    )
    search = Search(
        name=FIRST_DETECT,
        after=FIRST_TRAIN,
        weights=weights_path(run, FIRST_TRAIN),
        params=params,
        memory=_TEACHER_MEMORY,
        choose=near,
    )
    run_detection(run, inputs, search, engine, progress)
    _train(run, inputs, config.train, "train", progress, after=FIRST_DETECT)


def detect(run: RunDirectory, inputs: Inputs, config: RunConfig, engine: Engine, progress: ProgressSink) -> None:
    """Find the nuclei of the whole movie with the trained network."""
    inputs = steady_inputs(run, inputs)
    search = Search(name="detect", after="train", weights=weights_path(run, "train"), params=config.detect)
    run_detection(run, inputs, search, engine, progress)


def _adopt(run: RunDirectory, inputs: Inputs, source: Path) -> None:
    """Copy trained weights into the run, so that it stays whole when the other run goes."""
    model = load_model(source)
    model.check_movie(inputs.movie)
    with run.stage("train", {"weights": fingerprint_file(source)}, outputs=[weights_path(run, "train")]) as stage:
        if not stage.done:
            run.paths.model.mkdir(exist_ok=True)
            save_model(model, weights_path(run, "train"))
            stage.finish()


def weights_path(run: RunDirectory, stage: str) -> Path:
    """Where a training stage leaves its weights."""
    return run.paths.model / f"{stage}.safetensors"


def read_history(run: RunDirectory, params: TrainParams) -> TrainingHistory:
    """Return the training history of all rounds, iterations counted through."""
    stages = (FIRST_TRAIN, "train") if params.second_iterations else ("train",)
    rounds = [_load_history(run, stage) for stage in stages]
    offset = 0.0
    joined: dict[str, list[float]] = {name: [] for name in TrainingHistory.__slots__}
    for history in rounds:
        for name, column in joined.items():
            column += (getattr(history, name) + (offset if name.endswith("iteration") else 0.0)).tolist()
        offset = max(joined["iteration"], default=0.0)
    return TrainingHistory(**{name: np.array(values, np.float64) for name, values in joined.items()})


def _load_history(run: RunDirectory, stage: str) -> TrainingHistory:
    columns = json.loads(_history_path(run, stage).read_text(encoding="utf-8"))
    return TrainingHistory(**{name: np.array(values, np.float64) for name, values in columns.items()})


def _history_path(run: RunDirectory, stage: str) -> Path:
    return run.paths.model / f"{stage}-history.json"


def _train(
    run: RunDirectory, inputs: Inputs, params: TrainParams, name: str, progress: ProgressSink, after: str = ""
) -> None:
    weights, history = weights_path(run, name), _history_path(run, name)
    checkpoint = run.paths.model / f"{name}-checkpoint.safetensors"
    values = plain_values(params) if name == "train" else _first_round_values(params)
    settings = {"train": values, "inputs": inputs.identify("movie", "train", "val"), **identify_drift(inputs.movie)}
    before = [after] if after else []
    with run.stage(
        name,
        settings,
        after=before,
        outputs=[weights, history],
        scratch=[checkpoint],
        check=partial(measure_intensity, inputs.movie),
    ) as stage:
        if stage.done:
            return
        weights.parent.mkdir(exist_ok=True)
        model, losses = train_network(
            inputs.movie,
            inputs.train,
            inputs.val,
            params,
            teacher=_find_teacher(run, params) if after else None,
            checkpoint=checkpoint,
            fingerprint=stage.fingerprint,
            progress=progress,
        )
        if after and not keeps_what_was_learned(_load_history(run, FIRST_TRAIN), losses):
            _LOG.warning("the second round made validation worse: the weights of the first are kept")
            model = load_model(weights_path(run, FIRST_TRAIN))
        save_model(model, weights)
        write_json(history, {column: getattr(losses, column).tolist() for column in TrainingHistory.__slots__})
        stage.finish({"amount": params.second_iterations if after else params.iterations, "unit": "iterations"})


def _first_round_values(params: TrainParams) -> dict[str, object]:
    """Return the settings the first round depends on: all but those of the second."""
    values = plain_values(params)
    return {
        name: value for name, value in values.items() if not name.startswith("second_") and name != "link_distance_um"
    }


def _find_teacher(run: RunDirectory, params: TrainParams) -> Teacher:
    """Track what the first round detected; at costs that take less than the default, to teach what is sure."""
    found = run.store.read_detections(FIRST_DETECT)
    graph = link_candidates(found, CandidatesParams(max_distance_um=params.link_distance_um, allow_unlinkable=True))
    lineages = Lineages.from_selection(graph, solve_graph(graph, _TEACHER_COSTS))
    return Teacher(load_model(weights_path(run, FIRST_TRAIN)), lineages, found)


def _choose_blocks(blocks: Sequence[Block], movie: Movie, annotations: Tracks, megavoxels: float) -> list[Block]:
    """Choose the blocks with annotations in them, in time order, until enough of the movie is covered."""
    voxel = np.rint(annotations.zyx_um / movie.voxel_size_um)
    points = np.concatenate([annotations.t[:, None], voxel], axis=1)
    chosen: list[Block] = []
    covered = 0.0
    for block in blocks:
        first, last = (np.array([getattr(s, end) for s in block.write]) for end in ("start", "stop"))
        if ((points >= first) & (points < last)).all(axis=1).any() and covered < megavoxels:
            chosen.append(block)
            covered += float(np.prod(last - first)) / 1e6
    return chosen
