"""The plan shown in docs/cluster.md is the one the program makes, but for the times of the machine it was made on."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from morula.config import AnnotationsConfig, MovieConfig, RunConfig
from morula.planning.advice import give_advice
from morula.planning.contents import Contents
from morula.planning.detection import cut_for_detection
from morula.planning.plan import plan_cluster, plan_stages
from morula.planning.rates import USUAL, Rate
from morula.planning.stand_in import make_blank_movie
from morula.planning.wording import describe_stage
from morula.planning.work import Subject, list_work
from morula.train.loop import choose_spec

PAGE = Path(__file__).resolve().parents[2] / "docs" / "cluster.md"
TIMES = re.compile(r"( +(\d+ h )?\d+ (min|s)){2}$")


def test_amounts_blocks_memory_and_reading_are_as_shown() -> None:
    """Assumed are rates under which detection takes longest, as on any machine."""
    config = RunConfig(movie=MovieConfig(path="m"), annotations=AnnotationsConfig())
    config = replace(config, detect=replace(config.detect, block_megavoxels=64.0))
    movie = make_blank_movie((532, 988, 2048, 2169), (5.0, 0.4, 0.4), "uint16")
    spec = choose_spec(movie, config.train)
    grid = cut_for_detection(movie, spec, config.detect)
    subject = Subject(movie, (1, 32, 128, 128), config, spec, grid, Contents(7e6, "as told"))
    work = list_work(subject, "confidence")
    rates = {**USUAL, "drift": Rate(0.02), "train": Rate(0.3), "detect": Rate(0.13)}
    stages = plan_stages(work, rates, 100)
    shown = PAGE.read_text(encoding="utf-8").splitlines()
    for stage in stages:
        row = TIMES.sub("", describe_stage(stage))
        assert row in [TIMES.sub("", line) for line in shown], row
    for sentence in give_advice(subject, stages, plan_cluster(work, rates, 24 * 3600.0), 25e9):
        assert sentence in shown or sentence.endswith("% of the work."), sentence
    assert np.prod(movie.shape) * 2 / 1e12 > 4.6
