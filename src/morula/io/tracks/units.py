"""Which unit a track file states, and how many µm that is.

A file that states no unit, or pixels, is taken to hold µm with a warning, because refusing it would refuse most
published projects.
"""

from __future__ import annotations

import logging
import math

from morula.errors import TracksFormatError
from morula.io.movies.units import convert_length

_LOG = logging.getLogger(__name__)


def check_unit_um(unit_um: float) -> None:
    """Refuse a length of the file's unit that is not a positive number.

    Raises
    ------
    TracksFormatError
        If `unit_um` is not positive and finite.
    """
    if not (math.isfinite(unit_um) and unit_um > 0):
        raise TracksFormatError(
            f"unit_um is {unit_um}, it must be a positive number.",
            cause="unit_um is the length in µm of one unit of the file, for example 0.406 for pixels of 0.406 µm",
        )


def choose_um_per_unit(stated: str | None, unit_um: float, where: str) -> float:
    """Return how many µm one unit of a file is.

    Parameters
    ----------
    stated
        Unit written in the file, None or empty where it states none.
    unit_um
        What the caller says, µm per unit; 1 leaves the word to the file.
    where
        File and place, for the warning.

    Returns
    -------
    float
        `unit_um` where it is not 1; otherwise the stated unit's length; 1 with a warning where that is unknown.

    Examples
    --------
    >>> choose_um_per_unit("nm", 1.0, "tracks.xml"), choose_um_per_unit("pixel", 0.5, "tracks.xml")
    (0.001, 0.5)
    """
    if unit_um != 1.0:
        return unit_um
    known = convert_length(1.0, stated)
    if known is not None:
        return known
    said = f"states lengths in {stated!r}" if stated and stated.strip() else "states no unit of length"
    _LOG.warning("%s %s; positions are taken as µm. Give the size of a unit (unit_um) if they are not.", where, said)
    return 1.0
