"""The drift stage of a run: measured once, gone on with after an interruption, and silent where nothing moves."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from morula import stabilising
from morula.config import AnnotationsConfig, MovieConfig, RunConfig
from morula.core.movie import Movie
from morula.core.progress import ignore_progress
from morula.core.tracks import Tracks
from morula.inputs import Inputs
from morula.io.movies.fingerprint import fingerprint_movie
from morula.stabilising import identify_drift, stabilise, steady_inputs
from morula.store.run_directory import RunDirectory

VOXEL = np.array([2.0, 0.7, 0.7])
CONFIG = RunConfig(movie=MovieConfig(path="m"), annotations=AnnotationsConfig(train="t"))


def make_inputs(jump_vox: tuple[int, int, int] = (0, 9, -8)) -> Inputs:
    """Noise blurred into blobs, seen through a window that jumps before frame 3."""
    light = gaussian_filter(np.random.default_rng(0).normal(size=(30, 120, 120)), 2.0 / VOXEL)
    scene = (1000 + 2e4 * light).astype(np.uint16)
    corners = np.array([[5, 30, 30]] * 5)
    corners[3:] -= jump_vox
    frames = np.stack([scene[z : z + 16, y : y + 60, x : x + 60] for z, y, x in corners])
    nothing = nobody()
    return Inputs(movie=Movie(frames, VOXEL, name="blobs"), train=nothing, val=nothing, truth=None)


def nobody() -> Tracks:
    none = np.zeros(0, np.int64)
    return Tracks(t=none.astype(np.int32), zyx_um=np.zeros((0, 3)), id=none, parent_row=none)


def run_stage(folder: Path, inputs: Inputs, config: RunConfig = CONFIG) -> Inputs:
    with RunDirectory.open(folder) as run:
        stabilise(run, inputs, config, ignore_progress)
        return steady_inputs(run, inputs)


def test_the_movie_comes_back_with_its_drift_and_stays_the_same_movie(tmp_path):
    inputs = make_inputs()
    steady = run_stage(tmp_path / "run", inputs)
    assert steady.movie.drift.to_plain() == {"3": [0, 9, -8]}
    assert steady.movie.drift_um(3) == pytest.approx([0, 6.3, -5.6])
    assert identify_drift(steady.movie) == {"drift": {"3": [0, 9, -8]}}
    assert fingerprint_movie(steady.movie) == fingerprint_movie(inputs.movie)


def test_where_nothing_moves_later_stages_do_not_know_of_it(tmp_path):
    steady = run_stage(tmp_path / "run", make_inputs((0, 0, 0)))
    assert identify_drift(steady.movie) == identify_drift(make_inputs().movie) == {}
    assert not steady.movie.drift_um(3).any()


def test_switched_off_nothing_is_read(tmp_path):
    class Unread:
        shape, dtype = (5, 16, 60, 60), np.dtype(np.uint16)

        def __getitem__(self, box):
            raise AssertionError("read")

    inputs = replace(make_inputs(), movie=Movie(Unread(), VOXEL))
    off = replace(CONFIG, drift=replace(CONFIG.drift, stabilise=False))
    assert run_stage(tmp_path / "run", inputs, off).movie.drift.to_plain() == {}


def test_a_killed_measurement_goes_on_where_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr(stabilising, "_KEEP_EVERY_S", 0.0)
    inputs, read = make_inputs(), []

    class Dying:
        def __init__(self, tzyx, at):
            self.tzyx, self.at, self.shape, self.dtype = tzyx, at, tzyx.shape, tzyx.dtype

        def __getitem__(self, box):
            read.append(box[0].start)
            if box[0].start == self.at:
                raise KeyboardInterrupt
            return self.tzyx[box]

    def with_movie(at):
        movie = Movie(Dying(inputs.movie.tzyx, at), VOXEL, name="blobs")
        return replace(inputs, movie=movie, _identities={"movie": "blobs"})

    with pytest.raises(KeyboardInterrupt):
        run_stage(tmp_path / "run", with_movie(4))
    assert len(json.loads((tmp_path / "run/model/drift-part.json").read_text())["step_um"]) == 4
    read.clear()
    resumed = run_stage(tmp_path / "run", with_movie(-1))
    assert read == [3, 4]
    assert resumed.movie.drift.to_plain() == {"3": [0, 9, -8]}
    read.clear()
    run_stage(tmp_path / "run", with_movie(-1))
    assert read == []
