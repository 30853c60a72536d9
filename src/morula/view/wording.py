"""Numbers and kinds of errors in the reader's words; nothing here knows HTML."""

from __future__ import annotations

import math
from dataclasses import dataclass

from morula.core.lineage_errors import ErrorKind
from morula.core.lineages import SolveStatus

_SPACE = "\N{NO-BREAK SPACE}"
_MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True, slots=True)
class ErrorWords:
    """One kind of error for people.

    Parameters
    ----------
    name
        What is wrong, short.
    look_at
        What to look at in the movie to see why.
    weight
        How much it spoils a lineage: orders the worst places, enters no figure.
    """

    name: str
    look_at: str
    weight: int


ERROR_WORDS: dict[ErrorKind, ErrorWords] = {
    "no_connection": ErrorWords(
        "missed division, neither daughter joined to the mother",
        "the mother just before she divides: condensed and bright, or lost for a frame?",
        4,
    ),
    "one_unconnected_child": ErrorWords(
        "missed division, one daughter not joined",
        "the free daughter: does her track begin a frame late, or is she taken for a neighbour?",
        3,
    ),
    "fp_division": ErrorWords(
        "division that did not happen",
        "two detections on one nucleus, or a neighbour whose own track begins here?",
        3,
    ),
    "identity_switch": ErrorWords(
        "track changes over to another cell",
        "two nuclei that touch or pass each other here: which track goes on in which?",
        2,
    ),
    "fn_edge": ErrorWords(
        "link missing",
        "is the nucleus detected in this frame and in the one before? Dim, touching a neighbour, or moving far?",
        2,
    ),
    "unconnected_parent": ErrorWords(
        "division found, but not joined to the mother's past",
        "the mother one frame before: detected, and linked forward?",
        1,
    ),
    "fp_edge": ErrorWords(
        "link that is not in the truth",
        "is there a nucleus at both ends, and is it the same cell?",
        1,
    ),
}

STATUS_WORDS: dict[SolveStatus, str] = {
    "optimal": "proven optimal: no other choice of cells and links costs less",
    "feasible": "the best found within the limits; the gap says how much better another choice could be at most",
    "greedy": "linked greedily, each cell to its nearest free neighbour; nothing is known about better choices",
}


def say_count(n: int, one: str, many: str = "") -> str:
    """Return a number and its noun.

    Examples
    --------
    >>> say_count(1, "division"), say_count(12, "division"), say_count(2, "nucleus", "nuclei")
    ('1 division', '12 divisions', '2 nuclei')
    """
    return f"{say_number(n)} {one if n == 1 else many or one + 's'}"


def say_number(value: float | int | None) -> str:
    """Return a number with spaces between thousands and as many decimals as it deserves; a dash if unknown.

    Examples
    --------
    >>> say_number(1234567).replace("\\N{NO-BREAK SPACE}", " ")
    '1 234 567'
    >>> say_number(0.0312), say_number(12.345), say_number(-2), say_number(None), say_number(float("nan"))
    ('0.031', '12.3', '−2', '–', '–')
    """
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else f"{_MINUS}∞"
    size = abs(value)
    if isinstance(value, int) or size >= 1000:
        text = f"{size:,.0f}".replace(",", _SPACE)
    elif size == 0:
        text = "0"
    elif size < 0.001:
        text = f"{size:.1e}"
    else:
        text = f"{size:.{1 if size >= 10 else 2 if size >= 1 else 3}f}"
    return _MINUS + text if value < 0 else text


def say_percent(share: float | None) -> str:
    """Return a share as per cent, never rounded up to 100 or down to 0; a dash if unknown.

    Examples
    --------
    >>> [say_percent(share).replace("\\N{NO-BREAK SPACE}", " ") for share in (0.5, 0.9999, 1.0, 0.0001, None)]
    ['50.0 %', '99.9 %', '100 %', '0.1 %', '–']
    """
    if share is None or math.isnan(share):
        return "–"
    percent = 100 * share
    if percent in (0.0, 100.0):
        return f"{percent:.0f}{_SPACE}%"
    return f"{min(max(percent, 0.1), 99.9) if percent < 100 else percent:.1f}{_SPACE}%"


def say_duration(seconds: float) -> str:
    """Return a time as people say it.

    Examples
    --------
    >>> [say_duration(s).replace("\\N{NO-BREAK SPACE}", " ") for s in (0.42, 42.4, 75, 3599.9, 7300)]
    ['0.42 s', '42 s', '1 min 15 s', '1 h 00 min', '2 h 01 min']
    """
    if seconds < 9.995:
        return f"{seconds:.2f}{_SPACE}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}{_SPACE}s"
    if whole < 3600:
        return f"{whole // 60}{_SPACE}min {whole % 60:02d}{_SPACE}s"
    return f"{whole // 3600}{_SPACE}h {whole % 3600 // 60:02d}{_SPACE}min"
