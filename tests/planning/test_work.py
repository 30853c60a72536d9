"""What there is to do follows from movie, settings and number of detections."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from morula.config import AnnotationsConfig, ModelConfig, MovieConfig, RunConfig
from morula.core.movie import Movie
from morula.errors import ConfigError
from morula.network.spec import choose_network
from morula.pipeline import STAGES
from morula.planning.contents import Contents
from morula.planning.detection import cut_for_detection
from morula.planning.work import Subject, Work, list_work

VOXEL = np.array([2.0, 0.8, 0.8])
CONFIG = RunConfig(movie=MovieConfig(path="m"), annotations=AnnotationsConfig(train="t", val="v"))


def make_subject(config: RunConfig = CONFIG, frames: int = 10, detections: float = 5000.0) -> Subject:
    movie = Movie(np.zeros((frames, 30, 100, 90), np.uint16), VOXEL)
    spec = choose_network(VOXEL, np.full(3, 3.0))
    return Subject(
        movie, (1, 30, 100, 90), config, spec, cut_for_detection(movie, spec, config.detect), Contents(detections, "")
    )


def plan(config: RunConfig = CONFIG, **sizes: float) -> dict[str, Work]:
    return {work.stage: work for work in list_work(make_subject(config, **sizes))}  # type: ignore[arg-type]


def test_every_stage_of_a_run_is_planned_in_its_order() -> None:
    assert [stage for stage in plan() if not stage.endswith("-1")] == list(STAGES)


def test_a_plan_can_end_with_any_stage() -> None:
    assert [work.stage for work in list_work(make_subject(), "train")] == ["drift", "train-1", "detect-1", "train"]
    with pytest.raises(ConfigError, match="no stage 'polish'"):
        list_work(make_subject(), "polish")


def test_frames_and_detections_are_what_most_stages_grow_with() -> None:
    little, much = plan(frames=10, detections=5000), plan(frames=20, detections=10_000)
    grown = {stage: much[stage].amount / little[stage].amount for stage in little}
    assert {stage for stage, ratio in grown.items() if ratio == pytest.approx(1.0)} == {"train-1", "train"}
    assert all(ratio == pytest.approx(2.0) for stage, ratio in grown.items() if not stage.startswith("train"))


def test_detection_for_the_second_round_looks_at_no_more_than_it_may() -> None:
    short = replace(CONFIG, train=replace(CONFIG.train, second_megavoxels=0.27))
    assert plan(short)["detect-1"].amount == pytest.approx(0.1 * plan(short)["detect"].amount)
    assert plan()["detect-1"].amount == plan()["detect"].amount  # the whole movie is smaller


def test_settings_that_leave_stages_out_leave_them_out() -> None:
    adopted = replace(CONFIG, model=ModelConfig(weights="w"), drift=replace(CONFIG.drift, stabilise=False))
    assert next(iter(plan(adopted))) == "detect"
    once = replace(CONFIG, train=replace(CONFIG.train, second_iterations=0))
    assert "detect-1" not in plan(once)
    assert "tune" not in plan(replace(CONFIG, annotations=AnnotationsConfig(train="t")))
    assert "tune" not in plan(replace(CONFIG, tune=replace(CONFIG.tune, enabled=False)))


def test_a_grid_is_solved_once_for_each_of_its_points_by_the_workers() -> None:
    grid = replace(CONFIG, tune=replace(CONFIG.tune, method="grid", start_costs=(1.0, 2.0), division_costs=(3.0,)))
    assert (plan(grid)["tune"].blocks, plan(grid)["tune"].amount) == (9, 9 * 5000)  # and the weights as given


def test_blocks_of_the_solver_see_more_than_they_answer_for_and_need_less_memory() -> None:
    cut = replace(CONFIG, solve=replace(CONFIG.solve, block_frames=10))
    whole, blocks = plan(frames=100, detections=1e6)["solve"], plan(cut, frames=100, detections=1e6)["solve"]
    assert blocks.blocks == 10
    assert blocks.amount == pytest.approx(1e6 * 1.9)  # 10 and two contexts of 5, but for the ends
    assert blocks.memory_bytes < whole.memory_bytes


def test_blobs_are_sought_in_blocks_that_fit_the_memory_of_a_worker() -> None:
    small = replace(CONFIG, detect=replace(CONFIG.detect, memory_gib=640e6 / 2**30 + 0.003, block_megavoxels=8.0))
    blocks = plan(small)["blobs"]
    assert plan()["blobs"].blocks == 3  # ten frames, four in a block
    assert plan()["blobs"].amount == pytest.approx(2.7)
    assert blocks.blocks == 12
    assert blocks.amount > 3.0
    assert 640e6 < blocks.memory_bytes <= 640e6 + 0.003 * 2**30
    assert blocks.reading.read_bytes > plan()["blobs"].reading.read_bytes == 2 * 2.7e6


def test_mirror_images_are_four_times_the_work() -> None:
    mirrored = replace(CONFIG, detect=replace(CONFIG.detect, mirrored=True))
    assert plan(mirrored)["detect"].amount == 4 * plan()["detect"].amount
