"""Values as JSON: paths, enums, arrays and numpy numbers take a plain form; whatever has none is refused."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import PurePath

import numpy as np

JsonValue = None | bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"]


def null_if_not_finite(number: float) -> JsonValue:
    """Return the number itself, or None where JSON has no word for it (nan, infinities)."""
    return number if math.isfinite(number) else None


def to_json_value(value: object, *, number: Callable[[float], JsonValue] = null_if_not_finite) -> JsonValue:
    """Return a value in plain JSON form; `number` says what becomes of a float.

    Raises
    ------
    TypeError
        If the value, or something inside it, has no plain form.

    Examples
    --------
    >>> to_json_value({"window_um": (5.0, float("inf")), "path": PurePath("a/b")})
    {'window_um': [5.0, None], 'path': 'a/b'}
    """
    if isinstance(value, Enum):
        return to_json_value(value.value, number=number)
    if isinstance(value, np.generic | np.ndarray):
        return to_json_value(value.tolist(), number=number)
    if isinstance(value, float):
        return number(value)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, PurePath):
        return value.as_posix()
    if isinstance(value, Mapping):
        return {_key(key): to_json_value(inner, number=number) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [to_json_value(inner, number=number) for inner in value]
    raise TypeError(f"{value!r} of type {type(value).__name__} has no plain JSON form")


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError(f"JSON names values by text, not by {key!r}")
    return key
