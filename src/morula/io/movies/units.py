"""Units of length and time as movie files write them. Owns the conversion to µm and seconds; guesses nothing.

OME-Zarr uses the words of UDUNITS (``micrometer``), OME-TIFF symbols (``µm``, with either of the two Unicode letters),
ImageJ its own words (``micron``) and escapes. A unit that is not in the tables is unknown, never assumed.
"""

from __future__ import annotations

import math

_LENGTH_UM = {
    "angstrom": 1e-4,
    "Å": 1e-4,
    "picometer": 1e-6,
    "pm": 1e-6,
    "nanometer": 1e-3,
    "nm": 1e-3,
    "micrometer": 1.0,
    "micron": 1.0,
    "microns": 1.0,
    "um": 1.0,
    "µm": 1.0,
    "millimeter": 1e3,
    "mm": 1e3,
    "centimeter": 1e4,
    "cm": 1e4,
    "decimeter": 1e5,
    "meter": 1e6,
    "m": 1e6,
    "inch": 25_400.0,
    "in": 25_400.0,
}
_TIME_S = {
    "nanosecond": 1e-9,
    "ns": 1e-9,
    "microsecond": 1e-6,
    "µs": 1e-6,
    "us": 1e-6,
    "millisecond": 1e-3,
    "ms": 1e-3,
    "msec": 1e-3,
    "second": 1.0,
    "s": 1.0,
    "sec": 1.0,
    "minute": 60.0,
    "min": 60.0,
    "hour": 3600.0,
    "h": 3600.0,
    "hr": 3600.0,
    "day": 86_400.0,
    "d": 86_400.0,
}


def convert_length(value: object, unit: object) -> float | None:
    """Convert a length to µm; None if the unit is unknown or the value no finite number.

    Examples
    --------
    >>> convert_length(400, "nanometer"), convert_length(2, "Micrometres"), convert_length(1, "pixel")
    (0.4, 2.0, None)
    """
    return _convert(value, unit, _LENGTH_UM)


def convert_time(value: object, unit: object) -> float | None:
    """Convert a duration to seconds; None if the unit is unknown or the value no finite number.

    Examples
    --------
    >>> convert_time(1.5, "minute"), convert_time(90, "s"), convert_time(1, None)
    (90.0, 90.0, None)
    """
    return _convert(value, unit, _TIME_S)


def _convert(value: object, unit: object, table: dict[str, float]) -> float | None:
    number = as_number(value)
    factor = table.get(_plain(unit)) if isinstance(unit, str) else None
    return None if number is None or factor is None else number * factor


def as_number(value: object) -> float | None:
    """Return a JSON or XML value as a finite float, or None if it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _plain(unit: str) -> str:
    """Bring a unit to the spelling of the tables; short symbols keep their case (mm is not Mm)."""
    unit = unit.strip().replace("\\u00B5", "µ").replace("\u03bc", "µ").replace("\u212b", "Å")
    if len(unit) < 4:
        return unit
    unit = unit.lower().replace("metre", "meter")
    return unit.removesuffix("s") if unit not in _LENGTH_UM else unit
