from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path

import numpy as np
import pytest

from morula.store.json_form import to_json_value


class Mode(Enum):
    FAST = "fast"


@dataclass
class Params:
    mode: Mode
    window_um: tuple[float, ...]
    path: Path


def test_a_parameter_class_becomes_plain_json() -> None:
    value = to_json_value(asdict(Params(Mode.FAST, (1.0, 2.5), Path("a") / "b")))
    assert json.dumps(value) == '{"mode": "fast", "window_um": [1.0, 2.5], "path": "a/b"}'


def test_numpy_numbers_and_arrays_become_plain_numbers() -> None:
    assert to_json_value([np.float32(0.5), np.int64(3), np.bool_(True), np.arange(3)]) == [0.5, 3, True, [0, 1, 2]]


def test_numbers_json_has_no_word_for_become_null() -> None:
    assert to_json_value([float("nan"), float("inf"), np.array([-np.inf])]) == [None, None, [None]]


def test_an_object_without_a_plain_form_is_refused() -> None:
    with pytest.raises(TypeError, match="of type set has no plain JSON form"):
        to_json_value({"axes": {"z"}})


def test_a_name_that_is_no_text_is_refused() -> None:
    with pytest.raises(TypeError, match="names values by text, not by 3"):
        to_json_value({3: "x"})
