"""The memory a block takes: arithmetic that can be turned round, and the truth measured in a fresh process."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from morula.detect.memory import Memory, fit_megavoxels, project_memory, share_memory
from morula.detect.params import DetectParams
from morula.errors import ConfigError
from morula.io.movies.ome_zarr_write import write_ome_zarr
from morula.network.spec import choose_network, choose_paper_network

FAST = choose_network(np.array([2.0, 0.8, 0.8]), np.full(3, 3.0))
PAPER = choose_paper_network(np.array([5.0, 1.0, 1.0]))
PARAMS = DetectParams()
GIB = 2**30


@given(st.sampled_from([FAST, PAPER]), st.floats(1, 500), st.booleans(), st.booleans())
def test_what_fits_a_memory_is_projected_to_take_it(spec, gib, mirrored, on_card) -> None:
    params = replace(PARAMS, mirrored=mirrored)
    memory = Memory(gib * GIB, gib * GIB / 3 if on_card else None)
    projected = project_memory(fit_megavoxels(memory, spec, params) * 1e6, spec, params, on_card=on_card)
    used = [projected.host_bytes / memory.host_bytes]
    if on_card:
        used.append(projected.card_bytes / memory.card_bytes)
    assert max(used) == pytest.approx(1)


def test_the_published_network_takes_several_times_as_much() -> None:
    fast, paper = (project_memory(1e7, spec, PARAMS, on_card=False).host_bytes for spec in (FAST, PAPER))
    assert 3.5 < paper / fast < 8


def test_a_worker_may_use_three_fifths_of_its_cores_part_or_what_is_set() -> None:
    assert share_memory(PARAMS, core_bytes=10.0, card_bytes=None) == Memory(6.0)
    assert share_memory(replace(PARAMS, threads=3), core_bytes=10.0, card_bytes=20.0) == Memory(18.0, 12.0)
    assert share_memory(DetectParams(memory_gib=2.0), core_bytes=10.0, card_bytes=None) == Memory(2 * GIB)


def test_memory_that_does_not_hold_the_program_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"too little memory[\s\S]*0.25 GiB for a worker[\s\S]*memory_gib") as refused:
        fit_megavoxels(Memory(GIB / 4), FAST, PARAMS)
    assert "the program alone takes 0.60 GiB" in refused.value.measured


MEASURE = """
import sys
from pathlib import Path
import numpy as np
from morula.core.tracks import Tracks
from morula.detect.memory import project_memory
from morula.detect.params import DetectParams
from morula.detect.plan import count_seen, cut_movie
from morula.detecting import Search, run_detection
from morula.engine.serial import SerialEngine
from morula.inputs import Inputs
from morula.io.movies.opening import open_movie
from morula.network.build import build_network
from morula.network.model import build_model, save_model
from morula.network.spec import choose_network, choose_paper_network
from morula.store.run_directory import RunDirectory

name, folder = sys.argv[1], Path(sys.argv[2])
movie = open_movie(folder / "movie.ome.zarr")
voxel = movie.voxel_size_um
spec = choose_network(voxel, np.full(3, 3.0)) if name == "fast" else choose_paper_network(voxel)
weights, params, count = folder / "weights", DetectParams(threshold=0.5), np.zeros(0, np.int32)
save_model(build_model(spec, build_network(spec).state_dict()), weights)
nobody = Tracks(t=count, zyx_um=np.zeros((0, 3)), id=count, parent_row=count)
with RunDirectory.open(folder / "run") as run:
    run.stage("train", {}).finish()
    run.paths.model.mkdir()
    search = Search(name="detect", after="train", weights=weights, params=params)
    run_detection(run, Inputs(movie, nobody, nobody, None), search, SerialEngine(), lambda event: None)
    shape = run.store.find_stage("detect").settings["cutting"]["shape_tzyx"]
seen = max(count_seen(block, movie, spec) for block in cut_movie(movie, spec, params, shape))
peak = next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(peak / project_memory(seen, spec, params, on_card=False).host_bytes)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak of a process is read from /proc")
@pytest.mark.parametrize(
    ("network", "shape"),
    [
        pytest.param("fast", (5, 24, 256, 256), id="fast"),
        pytest.param("fast", (5, 48, 512, 512), id="fast, large", marks=pytest.mark.long),
        pytest.param("paper", (1, 12, 56, 56), id="paper", marks=pytest.mark.long),
    ],
)
def test_the_peak_of_a_fresh_process_is_projected_within_a_fifth(network, shape, tmp_path) -> None:
    """The stage as a run has it, from disk to store."""
    frames = np.random.default_rng(0).integers(80, 300, shape, np.uint16)
    voxel_um = (2.0, 0.8, 0.8) if network == "fast" else (5.0, 1.0, 1.0)
    path = tmp_path / "movie.ome.zarr"
    write_ome_zarr(path, iter(frames), shape_tzyx=shape, dtype="uint16", voxel_size_um=voxel_um, frame_interval_s=1.0)
    command = [sys.executable, "-c", MEASURE, network, str(tmp_path)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert float(done.stdout) == pytest.approx(1, abs=0.2)
