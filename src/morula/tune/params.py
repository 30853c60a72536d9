"""Settings of tuning."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass


@dataclass(
    frozen=True,
    kw_only=True,
    config=ConfigDict(extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False),
)
class TuneParams:
    """How the cost weights are chosen on the validation annotations: learned, or the best of a grid.

    Only ratios of weights matter. Malin-Mayor et al. 2023 fix the division cost at 1; here the cost of a micrometre is
    fixed (``solve.edge_distance_weight``), so that every other weight reads as a distance.
    """

    enabled: bool = True
    """Whether to tune; without it, or without validation annotations, the weights in ``[solve]`` are used."""
    method: Literal["learn", "grid"] = "learn"
    """How: "learn" fits all weights at once, so that every annotated link is right by a margin; "grid" solves the whole
    movie with each of the weights below and counts errors. The default made as few errors in a tenth of the time
    (docs/results.md)."""
    learn_spread: float = Field(default=0.3, gt=0)
    """With "learn": relative departure from a weight in ``[solve]`` that weighs as much as half an error on the
    annotations. Smaller values trust the given weights more. The default made the fewest errors of four tried, by a
    little, on simulated tissues."""
    learn_probes: bool = True
    """With "learn": whether weights near the learned ones are tried as well, up to twelve, each a solution of the whole
    graph, and taken if they make fewer errors on the annotations. Switch it off where one solution takes long: the
    cells that nobody annotated hardly gain (design/0023)."""
    break_even_scores: tuple[float, ...] = (0.1, 0.2)
    """With "grid": scores at which a detection costs nothing by itself; gives ``solve.node_constant``."""
    node_score_weights: tuple[float, ...] = (-20.0, -30.0)
    """With "grid": values of ``solve.node_score_weight``."""
    start_costs: tuple[float, ...] = (8.0, 12.0, 18.0)
    """With "grid": values of ``solve.start_cost``."""
    division_costs: tuple[float, ...] = (4.0, 6.0, 9.0, 13.0)
    """With "grid": values of ``solve.division_cost``."""
    division_score_weights: tuple[float, ...] = ()
    """With "grid": values of ``solve.division_score_weight``; with none, it stays as it is. Three values make three
    times as many points, for a weight that "learn" finds as well."""
    fewest_links: int = Field(default=20, ge=1)
    """With fewer validation links than this, chance would choose: the weights in ``[solve]`` are used."""
