"""How far from the true mother the movement vectors point, and what they are held against. Measures nothing itself."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np

from morula.core.columns import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class MovementErrors:
    """Distances between the place predicted in frame t − 1 and the true one, µm; NaN where there is no link.

    Parameters
    ----------
    links
        True links whose child was found.
    median_um, p95_um
        Median and 95th percentile for the cell's own movement vector.
    still_median_um, still_p95_um
        The same for no motion at all.
    flow_median_um, flow_p95_um
        The same for the mean vector of the nearest other cells found.
    """

    links: int
    median_um: float
    p95_um: float
    still_median_um: float
    still_p95_um: float
    flow_median_um: float
    flow_p95_um: float

    @classmethod
    def of(cls, own_um: FloatArray, still_um: FloatArray, flow_um: FloatArray) -> MovementErrors:
        """Summarise the distances of single links, each shape (links,)."""
        figures = {}
        for name, distance in (("", own_um), ("still_", still_um), ("flow_", flow_um)):
            figures[f"{name}median_um"] = float(np.median(distance)) if len(distance) else math.nan
            figures[f"{name}p95_um"] = float(np.percentile(distance, 95)) if len(distance) else math.nan
        return cls(links=len(own_um), **figures)


def list_figures(name: str, errors: MovementErrors | None) -> dict[str, float | int | None]:
    """Return the figures under flat names that begin with `name`; None throughout where no vector was judged."""
    return {f"{name}_{field.name}": getattr(errors, field.name, None) for field in fields(MovementErrors)}
