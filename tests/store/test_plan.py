from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from morula.store.plan import plan_stage
from morula.store.records import StageRecord

MakeStage = Callable[..., StageRecord]


@pytest.fixture
def known(make_stage: MakeStage) -> Mapping[str, StageRecord]:
    r"""A finished run.

    train --- detect --- candidates --- solve
                            \           /
    baseline                 \-- tune -/
    """
    after = {
        "train": [],
        "baseline": [],
        "detect": ["train"],
        "candidates": ["detect"],
        "tune": ["candidates"],
        "solve": ["candidates", "tune"],
    }
    return {
        name: make_stage(
            name, id=i, state="done", n_blocks=0, settings={name: {"a": 1}}, after=dict.fromkeys(names, "f0")
        )
        for i, (name, names) in enumerate(after.items(), start=1)
    }


def test_a_stage_never_begun_begins(make_stage: MakeStage) -> None:
    plan = plan_stage(make_stage("detect"), {})
    assert (plan.done, plan.resumed, plan.cleared, plan.message) == (False, False, (), "detect begins")


def test_a_finished_stage_with_the_same_fingerprint_is_left_alone(
    known: Mapping[str, StageRecord], make_stage: MakeStage
) -> None:
    plan = plan_stage(make_stage("detect"), known)
    assert (plan.done, plan.cleared, plan.message) == (True, (), "detect is done, nothing has changed")


@pytest.mark.parametrize("state", ["running", "failed"])
def test_a_stage_that_stopped_goes_on(make_stage: MakeStage, state: str) -> None:
    plan = plan_stage(make_stage(), {"detect": make_stage(state=state)}, n_blocks_done=4)
    assert (plan.done, plan.resumed, plan.cleared) == (False, True, ())
    assert plan.message == "detect goes on where it stopped: 4 of 6 blocks are done"


def test_a_changed_setting_clears_the_stage_and_what_stands_on_it_and_nothing_else(
    known: Mapping[str, StageRecord], make_stage: MakeStage
) -> None:
    plan = plan_stage(make_stage("candidates", fingerprint="f1", settings={"candidates": {"a": 0.5}}), known)
    assert not plan.done
    assert not plan.resumed
    assert [record.name for record in plan.cleared] == ["candidates", "tune", "solve"]
    assert plan.message == "candidates runs again: candidates.a 1 → 0.5 (and what stands on it: tune, solve)"


def test_the_last_stage_running_again_clears_only_itself(
    known: Mapping[str, StageRecord], make_stage: MakeStage
) -> None:
    plan = plan_stage(make_stage("solve", fingerprint="f1", settings={"solve": {"a": 2}}), known)
    assert [record.name for record in plan.cleared] == ["solve"]
    assert plan.message == "solve runs again: solve.a 1 → 2"


def test_a_missing_result_file_makes_the_stage_run_again(
    known: Mapping[str, StageRecord], make_stage: MakeStage
) -> None:
    plan = plan_stage(make_stage("train"), known, missing=["model/weights.safetensors", "model/model.json"])
    assert plan.message.startswith("train runs again: model/weights.safetensors and model/model.json are missing (and")
    assert [record.name for record in plan.cleared] == ["train", "detect", "candidates", "tune", "solve"]


def test_a_file_still_missing_while_the_stage_is_unfinished_is_no_reason(make_stage: MakeStage) -> None:
    plan = plan_stage(make_stage("train", n_blocks=0), {"train": make_stage("train")}, missing=["model/model.json"])
    assert plan.resumed
    assert plan.message == "train goes on where it stopped"


def test_a_changed_stage_before_is_named(make_stage: MakeStage) -> None:
    old = make_stage("solve", state="done", after={"tune": "f0", "detect": "f0"})
    plan = plan_stage(make_stage("solve", fingerprint="f1", after={"tune": "f1", "detect": "f0"}), {"solve": old})
    assert plan.message == "solve runs again: tune has changed"


def test_a_change_of_morula_itself_is_named(make_stage: MakeStage) -> None:
    plan = plan_stage(make_stage(fingerprint="f1"), {"detect": make_stage(state="done")})
    assert plan.message == "detect runs again: this version of morula computes it differently"


def test_many_changes_are_counted_not_listed(make_stage: MakeStage) -> None:
    old = make_stage(settings=dict.fromkeys("abcdefg", 0))
    plan = plan_stage(make_stage(fingerprint="f1", settings=dict.fromkeys("abcdefg", 1)), {"detect": old})
    assert plan.message == "detect runs again: a 0 → 1, b 0 → 1, c 0 → 1, d 0 → 1 and 3 more"
