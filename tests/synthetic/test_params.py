from __future__ import annotations

import pytest
from pydantic import ValidationError

from morula.synthetic.params import EmbryoParams, RenderParams, SyntheticParams, preset_params


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(ValidationError, match="Unexpected keyword argument"):
        EmbryoParams(cell_count=3)  # type: ignore[call-arg]


@pytest.mark.parametrize("wrong", [{"cells": 1}, {"frames": 0}, {"spacing_um": 0.0}, {"death_rate": 1.5}])
def test_a_setting_out_of_range_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        EmbryoParams(**wrong)  # type: ignore[arg-type]


def test_nested_tables_build_the_nested_settings() -> None:
    params = SyntheticParams(seed=3, embryo={"cells": 40}, render={"photons": 20.0})  # type: ignore[arg-type]
    assert params.embryo == EmbryoParams(cells=40)
    assert params.render == RenderParams(photons=20.0)


def test_presets_become_darker_and_faster_with_difficulty() -> None:
    easy, medium, hard = (preset_params(name, seed=5, cells=50, frames=7) for name in ("easy", "medium", "hard"))
    assert easy.render.photons > medium.render.photons > hard.render.photons
    assert easy.embryo.flow_um < medium.embryo.flow_um < hard.embryo.flow_um
    assert easy.movie.stage_jumps == medium.movie.stage_jumps == 0 < hard.movie.stage_jumps
    for params in (easy, medium, hard):
        assert (params.seed, params.embryo.cells, params.embryo.frames) == (5, 50, 7)


def test_the_demo_embryo_is_the_default() -> None:
    assert preset_params("medium") == SyntheticParams()
