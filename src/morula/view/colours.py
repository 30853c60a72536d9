"""One colour per lineage, the same in the projections and in the trees; readable on black and on white."""

from __future__ import annotations

from typing import TypeVar

from morula.core.columns import IntArray

PALETTE: tuple[str, ...] = (
    "#e4572e",
    "#2e9ee4",
    "#3fae4f",
    "#d65fd6",
    "#d99a00",
    "#14b0a0",
    "#8b7cf6",
    "#f2698f",
    "#84a817",
    "#c77d3b",
    "#4f7df3",
    "#b04ad8",
    "#1fadd0",
    "#ef8a3c",
    "#5fa383",
    "#d94f70",
)
"""Colours of middle lightness; neighbours in the list are far apart in hue."""


_Ids = TypeVar("_Ids", int, IntArray)


def colour_of_lineage(lineage_id: _Ids) -> _Ids:
    """Return the row of `PALETTE` of one lineage or of each; ids that follow each other get different colours."""
    return lineage_id % len(PALETTE)
