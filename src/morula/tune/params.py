"""Settings of tuning."""

from __future__ import annotations

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass


@dataclass(
    frozen=True,
    kw_only=True,
    config=ConfigDict(extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False),
)
class TuneParams:
    """The grid of cost weights tried on the validation annotations.

    Only ratios of weights matter. Malin-Mayor et al. 2023 fix the division cost at 1; here the cost of a micrometre is
    fixed (``solve.edge_distance_weight``), so that every other weight reads as a distance.
    """

    enabled: bool = True
    """Whether to search; without it, or without validation annotations, the weights in ``[solve]`` are used."""
    break_even_scores: tuple[float, ...] = (0.2, 0.3)
    """Scores at which a detection costs nothing by itself; gives ``solve.node_constant``."""
    node_score_weights: tuple[float, ...] = (-20.0, -30.0)
    """Values of ``solve.node_score_weight``."""
    start_costs: tuple[float, ...] = (8.0, 12.0, 18.0)
    """Values of ``solve.start_cost``."""
    division_costs: tuple[float, ...] = (4.0, 6.0, 9.0, 13.0)
    """Values of ``solve.division_cost``."""
    fewest_links: int = Field(default=20, ge=1)
    """With fewer validation links than this, chance would choose: the weights in ``[solve]`` are used."""
