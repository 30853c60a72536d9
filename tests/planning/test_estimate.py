"""`morula plan` from end to end: on a movie, beside a finished run, and for a movie that is not there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from morula.errors import StoreError
from morula.planning.estimate import read_memory_bytes
from morula.planning.finished import read_finished
from morula.store.status import read_status

IMAGINED = ["--shape", 6, 16, 60, 60, "--voxel-size-um", 2, 0.8, 0.8]
QUICK = ["--set", "train.batch_size=1", "--set", "train.crop_outputs=[4, 8, 8]"]


def stages(plan: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {stage["stage"]: stage for stage in plan["stages"]}


def test_a_movie_is_planned_with_rates_timed_on_the_spot(tiny_embryo: Path, morula, tmp_path: Path) -> None:
    before = sorted(path.name for path in tiny_embryo.iterdir())
    made = morula("plan", tiny_embryo / "run.toml", "--json", "--workers", 2)
    assert made.returncode == 0, made.stderr
    plan = json.loads(made.stdout)
    assert {stages(plan)[name]["source"] for name in ("drift", "train", "detect", "blobs")} == {"timed here"}
    assert all(stage["work_s"] > 0 for stage in plan["stages"])
    assert 30 < plan["detections"] < 200
    assert plan["cluster"]["workers"] == 1
    assert sorted(path.name for path in tiny_embryo.iterdir()) == before


def test_a_finished_run_gives_its_rates_and_its_detections(tiny_run: Path, morula) -> None:
    made = morula("plan", tiny_run / "run.toml", "--run-dir", tiny_run / "run", "--json")
    assert made.returncode == 0, made.stderr
    plan, status = json.loads(made.stdout), {stage.name: stage for stage in read_status(tiny_run / "run").stages}
    planned = stages(plan)
    assert plan["detections"] == status["candidates"].summary["amount"]
    assert planned["train-1"]["work_s"] + planned["train"]["work_s"] == pytest.approx(
        status["train-1"].seconds + status["train"].seconds
    )
    for name in ("drift", "confidence", "baseline", "export", "report"):
        assert planned[name]["work_s"] == pytest.approx(status[name].seconds), name
    assert str(tiny_run / "run") in planned["detect"]["source"]


def test_rates_of_detection_count_what_workers_took_for_the_blocks(tiny_run: Path) -> None:
    from morula.store.paths import RunPaths
    from morula.store.places import find_place
    from morula.store.reader import StoreReader

    place = find_place(RunPaths(tiny_run / "run"))
    assert place is not None
    with StoreReader.open(place) as store:
        seconds = [store.sum_block_seconds(stage) for stage in ("detect-1", "detect")]
        assert store.sum_block_seconds("solve") == (0, 0.0)
    assert seconds[1][0] == read_status(tiny_run / "run").stages[4].blocks_total == 3
    rate = read_finished(tiny_run / "run").rates["detect"].per_unit_s
    assert 0 < rate * 2 * 6 * 22 * 63 * 44 / 1e6 < 20 * sum(spent for _, spent in seconds)


def test_a_movie_that_is_not_there_is_planned_from_its_shape(morula) -> None:
    made = morula("plan", *IMAGINED, "--detections", 500, "--workers", 3, *QUICK)
    assert made.returncode == 0, made.stderr
    assert made.stdout.startswith(
        "planned movie: 6 frames of 16×60×60 voxels of 2 × 0.8 × 0.8 µm, 691 kB uncompressed\n"
    )
    assert "detections: 500 (as told)" in made.stdout
    assert "in 24 h 0 min: one worker is enough" in made.stdout


def test_what_cannot_be_planned_is_said(morula, tmp_path: Path) -> None:
    for arguments, said in (
        ([], "there is nothing to plan for"),
        (["--shape", 6, 16, 60, 60], "needs both --shape T Z Y X and --voxel-size-um"),
        (IMAGINED, "cannot be guessed"),
        ([*IMAGINED, "--detections", 500, "--run-dir", tmp_path], "there is no run here"),
    ):
        made = morula("plan", *arguments)
        assert (made.returncode, said in made.stderr) == (1, True), made.stderr


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no run here"):
        read_finished(tmp_path)


def test_this_machine_has_some_memory() -> None:
    assert 1e8 < read_memory_bytes() < 1e14
