"""Fingerprints: a short name for everything a result depends on, and the words for what has changed since.

Owns what counts as the same setting: order of keys, tuple or list, ``1`` or ``1.0`` make no difference.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path

from morula.store.json_form import JsonValue, to_json_value

RESULTS_VERSION = 2
"""Part of every fingerprint. Raise it when the same settings give other results than in the release before."""

_LONGEST_VALUE = 60
_READ_BYTES = 1 << 20


def canonical_text(value: object) -> str:
    """Return the one JSON text of a value: keys sorted, whole floats as integers, nan and infinities as texts.

    Raises
    ------
    TypeError
        If something in it has no stable text form.

    Examples
    --------
    >>> canonical_text({"b": (1.0, -0.0, float("inf")), "a": 0.1})
    '{"a":0.1,"b":[1,0,"inf"]}'
    """
    plain = to_json_value(value, number=_canonical_number)
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _canonical_number(number: float) -> JsonValue:
    if not math.isfinite(number):
        return str(number)
    return int(number) if number.is_integer() else number


def fingerprint(settings: Mapping[str, object]) -> str:
    """Return a name for these settings: 16 hexadecimal digits, the same in every process and on every machine.

    Examples
    --------
    >>> fingerprint({"threshold": 0.25, "window": 1}) == fingerprint({"window": 1.0, "threshold": 0.25})
    True
    """
    text = f"{RESULTS_VERSION}:{canonical_text(settings)}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def fingerprint_file(path: Path) -> str:
    """Return a name for the bytes of a file, wherever it lies (cost: it is read once)."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_READ_BYTES):
            digest.update(piece)
    return digest.hexdigest()[:16]


def describe_changes(before: Mapping[str, object], after: Mapping[str, object]) -> list[str]:
    """Say which settings differ, one text each, sorted by name.

    Examples
    --------
    >>> describe_changes({"detect": {"threshold": 0.3}}, {"detect": {"threshold": 0.25, "window_um": 4}})
    ['detect.threshold 0.3 → 0.25', 'detect.window_um (none) → 4']
    """
    old, new = _flatten(before), _flatten(after)
    return [
        f"{name} {_shorten(old.get(name, '(none)'))} → {_shorten(new.get(name, '(none)'))}"
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    ]


def _shorten(text: str) -> str:
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"


def _flatten(settings: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            flat.update(_flatten(value, f"{prefix}{key}."))
        else:
            flat[prefix + key] = canonical_text(value)
    return flat
