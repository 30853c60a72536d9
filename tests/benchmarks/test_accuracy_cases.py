"""What the cases of the accuracy table are made of."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import TypeAdapter

import accuracy_cases
from accuracy_cases import (
    INTERVAL,
    RECIPES,
    SIGNAL,
    Recipe,
    find_recipe,
    keep_frames,
    name_cases,
    open_case,
    share_annotated,
)
from accuracy_morula import fit_iterations
from morula.config import override_values, plain_values
from morula.core.tracks import Tracks
from morula.synthetic.params import SyntheticParams, preset_params


def apply(settings: dict[str, str]) -> SyntheticParams:
    values = plain_values(preset_params("medium"))
    for key, text in settings.items():
        override_values(values, key, text)
    return TypeAdapter(SyntheticParams).validate_python(values)


def test_the_parts_of_hard_make_hard_together() -> None:
    assert apply({**INTERVAL, **SIGNAL, **RECIPES["hard-jumps"].settings}) == preset_params("hard")
    for part in ("hard-interval", "hard-signal", "hard-jumps"):
        assert apply(dict(RECIPES[part].settings)) not in (preset_params("hard"), preset_params("medium"))


def test_every_name_leads_back_to_its_recipe() -> None:
    names = name_cases([3, 14])
    assert len(names) == len(set(names)) == 2 * len(RECIPES)
    for name in names:
        recipe, found, seed = find_recipe(name)
        assert found is RECIPES[recipe]
        assert f"{recipe}-s{seed}" == name
    assert find_recipe("hard-signal-s14")[0] == "hard-signal"


def test_the_shares_of_the_learning_curve_keep_the_proportion_of_validation() -> None:
    for recipe, share in (("medium-2pct", 0.02), ("medium-5pct", 0.05)):
        annotate = apply(dict(RECIPES[recipe].settings)).annotate
        assert annotate.share == share
        assert annotate.val_share == pytest.approx(0.3 * share)
    assert apply(share_annotated(0.1)).annotate == preset_params("medium").annotate


def test_every_second_frame_keeps_lineages_whole() -> None:
    """0 divides in a frame that goes; 5 begins in one.

    t0   0
    t1   1        5
    t2   2--3     6
    t3   4        7
    t4   8        9
    """
    t, ids = [0, 1, 2, 2, 3, 1, 2, 3, 4, 4], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    tracks = Tracks.from_ids(t, [[0, 0, i] for i in ids], ids, [-1, 0, 1, 1, 2, -1, 5, 6, 4, 7])
    fewer = keep_frames(tracks, 2)
    assert fewer.id.tolist() == [0, 2, 3, 6, 8, 9]
    assert fewer.t.tolist() == [0, 1, 1, 1, 2, 2]
    assert fewer.parent_id.tolist() == [-1, 0, 0, -1, 2, 6]
    assert keep_frames(tracks, 4).parent_id.tolist() == [-1, 0, -1]
    assert keep_frames(tracks, 1).parent_id.tolist() == tracks.parent_id.tolist()


def test_a_case_is_made_once_and_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = Recipe(cells=20, frames=4, settings=share_annotated(0.5))
    monkeypatch.setitem(accuracy_cases.RECIPES, "crop", small)
    (tmp_path / "crop-s3" / "movie.ome.zarr").mkdir(parents=True)  # left by a process that was killed
    case = open_case("crop-s3", tmp_path / "crop-s3", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["crop-s3"]
    assert case.inputs.movie.n_frames == 4
    assert 0 < case.inputs.val.n < case.inputs.train.n < case.truth.n
    assert case.evaluate.max_distance_um == case.lengths.match_um > 0
    monkeypatch.setattr(accuracy_cases, "write_synthetic", None)
    assert open_case("crop-s3", tmp_path / "crop-s3", tmp_path).lengths == case.lengths


def test_training_as_long_takes_as_many_steps_as_fit() -> None:
    assert fit_iterations(100.0, {1: 7.0, 4: 13.0}) == 1 + 46  # 5 s to begin, 2 s a step
    assert fit_iterations(3.0, {1: 7.0, 4: 13.0}) == 1
