"""The settings of the candidates stage."""

from __future__ import annotations

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass


@dataclass(
    frozen=True,
    kw_only=True,
    config=ConfigDict(extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False),
)
class CandidatesParams:
    """Which links are offered to the optimiser (table ``[candidates]`` of a run's configuration)."""

    max_distance_um: float = Field(default=10.0, gt=0, allow_inf_nan=False)
    """Largest distance in µm between a cell's predicted earlier position and a possible parent (theta in Malin-Mayor et
    al. 2023, who used 15 to 20). About one spacing of nuclei: the predicted movement already carries the motion."""

    max_parents: int = Field(default=5, ge=1)
    """Possible parents kept per cell and earlier frame, nearest first. Five hold the true one nearly always, and more
    weak links only make the optimisation slow."""

    max_skip_frames: int = Field(default=0, ge=0, le=3)
    """Missing frames a link may reach over, 0 to 3; the radius grows with the square root of the frames. Off by
    default: a link over a gap is not a link between consecutive frames, and it offers false divisions."""

    flow_neighbours: int = Field(default=8, ge=0)
    """Nearest cells that vote on how the tissue around a cell moves; 0 trusts the network's movement vectors alone."""

    flow_tolerance_um: float = Field(default=1.5, ge=0, allow_inf_nan=False)
    """A movement vector this close to how the tissue moves, µm, is averaged with it. One further off is doubted: links
    around where it points and around where the tissue was are offered both."""

    doubt_cost_um: float = Field(default=2.0, ge=0, allow_inf_nan=False)
    """Added to the distance of links around where a doubted vector points. It may be a mistake, or a daughter's own way
    from her mother."""

    correct_drift: bool = True
    """Estimate what all cells of a frame moved together beyond their predicted movement (drift, a stage jump), and
    remove it where it is significant."""

    max_drift_um: float = Field(default=40.0, ge=0, allow_inf_nan=False)
    """Largest jump in µm that is searched for. Known stage jumps are 8 to 24 µm."""

    allow_unlinkable: bool = False
    """Warn instead of stopping where two consecutive frames with cells have not one possible link."""
