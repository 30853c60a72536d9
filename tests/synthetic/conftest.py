"""Small synthetic embryos shared by the tests of this package."""

from __future__ import annotations

import pytest

from morula.synthetic.embryo import Embryo, make_embryo
from morula.synthetic.params import SyntheticParams, preset_params


@pytest.fixture(scope="session")
def demo_params() -> SyntheticParams:
    return preset_params("medium")


@pytest.fixture(scope="session")
def demo_embryo(demo_params: SyntheticParams) -> Embryo:
    return make_embryo(demo_params)
