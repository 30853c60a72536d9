from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

import morula

HEAVY = ["numpy", "scipy", "torch", "zarr", "tensorstore", "geff", "highspy", "plotly", "pydantic", "typer", "rich"]


@pytest.mark.parametrize("name", sorted(set(morula.__all__) - {"__version__"}))
def test_a_public_name_is_the_thing_of_that_name(name) -> None:
    thing = getattr(morula, name)
    assert thing.__name__ == name
    assert getattr(import_module(thing.__module__), name) is thing


def test_the_public_names_are_listed_and_are_all_there_is() -> None:
    assert dir(morula) == sorted(morula.__all__)
    assert set(morula.__all__) == {*morula._HOMES, "__version__"}


def test_other_names_are_refused() -> None:
    with pytest.raises(AttributeError, match="module 'morula' has no attribute 'Cell'"):
        morula.Cell  # noqa: B018


def test_importing_morula_loads_no_library() -> None:
    script = f"import sys, morula; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
