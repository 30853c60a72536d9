"""The stage that measures the drift of the movie, and what training and detection read of it.

Their results depend on the shifts applied and on nothing else of this stage: where there are none, a run is the same as
without it, to the byte.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from morula.config import RunConfig, plain_values
from morula.core.columns import FloatArray
from morula.core.drift import MovieDrift
from morula.core.movie import Movie
from morula.core.progress import ProgressSink
from morula.inputs import Inputs
from morula.measure.stabilise import measure_movie_drift
from morula.store.disk import write_json
from morula.store.run_directory import RunDirectory

_KEEP_EVERY_S = 10.0


def stabilise(run: RunDirectory, inputs: Inputs, config: RunConfig, progress: ProgressSink) -> None:
    """Measure how far the image moves between frames, or write that nothing is to be shifted."""
    output, part = _drift_path(run), run.paths.model / "drift-part.json"
    settings: dict[str, object] = {"drift": plain_values(config.drift)}
    if config.drift.stabilise:
        settings |= {"blob_sigma_um": config.train.blob_sigma_um, "inputs": inputs.identify("movie")}
    with run.stage("drift", settings, outputs=[output], scratch=[part]) as stage:
        if stage.done:
            return
        output.parent.mkdir(exist_ok=True)
        movie = inputs.movie
        drift = MovieDrift.none(movie.n_frames, movie.voxel_size_um)
        if config.drift.stabilise:
            drift = measure_movie_drift(
                movie,
                config.drift,
                sigma_um=config.train.blob_sigma_um,
                done_um=_read_part(part),
                keep=_Keeper(part).keep,
                progress=progress,
            )
        write_json(output, {"n_frames": drift.n_frames, "step_vox": drift.to_plain()})
        moved = len(drift.shifted_frames)
        stage.finish({"amount": movie.n_frames, "unit": "frames", "shifted": moved})


def steady_inputs(run: RunDirectory, inputs: Inputs) -> Inputs:
    """Return the inputs with the drift this stage found, for those who read the frames around one another."""
    found = json.loads(_drift_path(run).read_text(encoding="utf-8"))
    steps = np.zeros((found["n_frames"], 3), np.int64)
    for t, step in found["step_vox"].items():
        steps[int(t)] = step
    return replace(inputs, movie=replace(inputs.movie, drift=MovieDrift(steps, inputs.movie.voxel_size_um)))


def identify_drift(movie: Movie) -> dict[str, object]:
    """Return what the settings of a stage that reads shifted frames record; nothing where none is shifted."""
    shifted = {} if movie.drift is None else movie.drift.to_plain()
    return {"drift": shifted} if shifted else {}


def _drift_path(run: RunDirectory) -> Path:
    return run.paths.model / "drift.json"


def _read_part(part: Path) -> FloatArray | None:
    """Return the steps an interrupted measurement left."""
    if not part.exists():
        return None
    return np.array(json.loads(part.read_text(encoding="utf-8"))["step_um"], np.float64).reshape(-1, 3)


class _Keeper:
    """Writes the steps found so far, now and then."""

    def __init__(self, part: Path) -> None:
        self._part, self._kept_s = part, time.monotonic()

    def keep(self, step_um: FloatArray) -> None:
        if time.monotonic() - self._kept_s >= _KEEP_EVERY_S:
            write_json(self._part, {"step_um": step_um.tolist()})
            self._kept_s = time.monotonic()
