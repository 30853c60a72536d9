"""Advice appears where it is due, and nowhere else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from morula.config import AnnotationsConfig, MovieConfig, RunConfig
from morula.network.spec import choose_network
from morula.planning.advice import give_advice
from morula.planning.contents import Contents
from morula.planning.detection import cut_for_detection
from morula.planning.memory import fit_detections, project_graph_memory
from morula.planning.plan import plan_cluster, plan_stages
from morula.planning.rates import USUAL, Rate
from morula.planning.stand_in import make_blank_movie
from morula.planning.work import Subject, list_work

CONFIG = RunConfig(movie=MovieConfig(path="m"), annotations=AnnotationsConfig(train="t", val="v"))
LARGE_BLOCKS = replace(CONFIG, detect=replace(CONFIG.detect, block_megavoxels=200.0))
SMALL_BLOCKS = replace(CONFIG, detect=replace(CONFIG.detect, block_megavoxels=8.0))
RATES = {**USUAL, "drift": Rate(0.01), "train": Rate(0.1), "detect": Rate(0.5), "blobs": Rate(0.01)}


def advise(
    shape: tuple[int, int, int, int],
    detections: float,
    *,
    memory_bytes: float,
    config: RunConfig = LARGE_BLOCKS,
    counted: bool = False,
) -> str:
    movie = make_blank_movie(shape, (5.0, 0.4, 0.4), "uint16")
    spec = choose_network(movie.voxel_size_um, np.full(3, 3.0))
    grid = cut_for_detection(movie, spec, config.detect)
    subject = Subject(movie, (1, 32, 128, 128), config, spec, grid, Contents(detections, "", counted))
    work = list_work(subject)
    cluster = plan_cluster(work, RATES, within_s=24 * 3600.0)
    return "\n".join(give_advice(subject, plan_stages(work, RATES, 1), cluster, memory_bytes))


def test_a_small_movie_needs_no_advice_but_what_takes_longest() -> None:
    assert advise((10, 30, 100, 100), 1000, memory_bytes=8e9) == "train-1 is 55% of the work."


def test_halos_that_waste_work_are_named() -> None:
    assert "detect looks at every voxel" in advise((4, 100, 1000, 1000), 1e5, memory_bytes=64e9, config=SMALL_BLOCKS)


def test_a_graph_that_does_not_fit_is_named_with_a_size_of_blocks_that_does() -> None:
    said = advise((500, 100, 500, 500), 20e6, memory_bytes=8e9)
    assert "candidates, tune, solve, confidence, baseline: the whole graph takes about 18 GB" in said
    frames = int(said.split("solve.block_frames = ")[1].split(" ")[0])
    assert project_graph_memory(20e6 * (frames + 10) / 500) <= 4e9 < project_graph_memory(20e6 * (frames + 12) / 500)
    cut = replace(LARGE_BLOCKS, solve=replace(CONFIG.solve, block_frames=frames))
    said = advise((500, 100, 500, 500), 20e6, memory_bytes=8e9, config=cut)
    assert "candidates, tune, confidence, baseline: the whole" in said


def test_what_an_unsure_network_would_take_is_said_where_it_matters_and_nobody_has_counted() -> None:
    said = advise((500, 100, 500, 500), 7e6, memory_bytes=24e9)
    assert (
        f"and solving would then take {project_graph_memory(7e7) / 1e9:.0f} GB, and the places 32 GB on the disk"
        in said
    )
    assert "unsure" not in advise((500, 100, 500, 500), 7e6, memory_bytes=24e9, counted=True)
    assert "unsure" not in advise((500, 100, 500, 500), 7e5, memory_bytes=24e9)


def test_frames_that_do_not_fit_and_hours_that_do_not_shrink_are_named() -> None:
    said = advise((500, 500, 2000, 2000), 1e6, memory_bytes=8e9)
    assert "looks at whole frames" not in said
    assert "h are work of one process that more workers do not shorten" not in said
    whole = replace(LARGE_BLOCKS, drift=replace(CONFIG.drift, frame_megavoxels=2000.0))
    assert "drift needs about 48 GB" in advise((500, 500, 2000, 2000), 1e6, memory_bytes=8e9, config=whole)
    longer = advise((500, 100, 500, 500), 60e6, memory_bytes=64e9)
    assert "h are work of one process that more workers do not shorten" in longer


def test_what_fits_into_a_memory_takes_that_memory() -> None:
    assert project_graph_memory(fit_detections(5e9)) == pytest.approx(5e9)
    assert fit_detections(1e6) == 0.0
