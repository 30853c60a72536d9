"""The settings of the solve stage: what a choice of nodes and links costs, and how hard to look for the cheapest."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field, NonNegativeFloat, PositiveFloat
from pydantic.dataclasses import dataclass

from morula.errors import ConfigError


@dataclass(
    frozen=True,
    kw_only=True,
    config=ConfigDict(extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False),
)
class SolveParams:
    """Cost weights and limits (table ``[solve]`` of a run's configuration).

    A choice costs ``sum(node_constant + node_score_weight * score)`` over its detections, plus
    ``edge_distance_weight * distance`` over its links, plus `start_cost` for each track that begins, `end_cost` for
    each that ends, ``division_cost + division_score_weight * evidence`` for each division and `skip_cost` for each
    frame a link leaves out. The cheapest forest wins, so whatever pays must be negative: with the defaults a good
    detection (score 0.8) pays 12 and a link of 1.5 µm costs 1.5. The defaults made the fewest errors of six settings on
    two rendered embryos with our network's detections; `tune` finds better ones on validation annotations.
    """

    node_constant: float = Field(default=2.0, allow_inf_nan=False)
    """Cost of any detection, before its score (tau_V of Malin-Mayor et al. 2023). The default, with the score weight,
    puts the break-even at a score of 0.1: below it a detection is taken only where it saves a track from breaking."""

    node_score_weight: float = Field(default=-20.0, allow_inf_nan=False)
    """Cost per unit of score, negative because a high score speaks for a cell (w_V). Meant for a network nine in ten of
    whose cells score above 0.5; `tune` raises it, and the constant with it, for one that is less sure (design/0037)."""

    edge_distance_weight: float = Field(default=1.0, allow_inf_nan=False)
    """Cost per µm between a cell's predicted earlier position and the parent linked to it (w_E). The unit of all other
    costs: they are in µm of distance one would accept for them."""

    start_cost: float = Field(default=12.0, allow_inf_nan=False)
    """Cost of a track that begins (c_T). A single detection needs a score of 0.7 to pay for it, two linked ones need
    0.4 each."""

    division_cost: float = Field(default=7.5, allow_inf_nan=False)
    """Cost of a division (c_D; 1 in the paper, on another scale). With the start cost it decides what an extra cell
    nearby is: a daughter if its link is shorter than start_cost − division_cost µm, a new track otherwise."""

    division_score_weight: float = Field(default=-3.0, allow_inf_nan=False)
    """Cost per unit of evidence that a cell divides, added to the division cost; negative because evidence speaks for a
    division. The evidence, between −4 and 4, says by how many log-odds the network's division scores are above those of
    the average detection, half the mother's and half her two daughters'. 0 is the constant cost of Malin-Mayor et al.
    2023; without effect where detections have no division scores. The default made the fewest errors on simulated
    scores after learning, and fewer than 0 and −2 on a rendered embryo (design/0026)."""

    sister_distance_um: tuple[PositiveFloat, PositiveFloat] | None = None
    """How far apart, in µm, daughters lie in their first frame: typically, and at most. A division into two cells at
    the typical distance or nearer is 1.5 µm cheaper, further apart it is dearer, up to what the next pair of daughters
    would cost (design/0036). None where nobody knows: any two cells within reach may be daughters. `morula init` takes
    it from the annotated divisions."""

    end_cost: float = Field(default=0.0, allow_inf_nan=False)
    """Cost of a track that ends before the last frame that has detections (0 in the paper). A cell that dies, leaves or
    is lost pays it; raise it where cells hardly ever do."""

    skip_cost: float = Field(default=4.0, allow_inf_nan=False)
    """Cost of each frame a link leaves out, where `candidates.max_skip_frames` offers such links. Below start_cost,
    or a track broken by a missed detection is never joined."""

    free_first_frame: bool = True
    """Tracks that begin in the first frame with detections pay no start cost: their cells were there before."""

    free_border_um: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """Tracks that begin or end within this distance in µm of a face of the movie, z faces included, pay nothing for it:
    their cells may have come in or gone out. Without effect on a bare graph, whose faces are unknown. Keep it far below
    half of the thinnest axis, or no start costs anything and new tracks take the place of divisions."""

    method: Literal["auto", "exact", "ascent"] = "auto"
    """How the cheapest forest is sought: "exact" proves it with HiGHS (graphs up to some 100 000 detections), "ascent"
    gives a forest and a bound on how much cheaper any other could be (dual ascent, millions of detections), "auto"
    takes "exact" up to 30 000 detections and "ascent" beyond."""

    gap: float = Field(default=1e-4, ge=0, allow_inf_nan=False)
    """Relative gap between cost and lower bound at which "ascent" stops; the result says which gap was reached. "exact"
    always asks for proof."""

    time_limit_s: float | None = Field(default=None, gt=0)
    """Wall time in seconds after which the best forest so far is taken (its status and gap say so); "ascent" always
    finishes its first forest. None by default: a time limit makes the answer depend on the machine. With blocks it
    holds for each of them, and one that is late is an error: nothing is written as solved that is not."""

    min_track_frames: int = Field(default=1, ge=1)
    """Lineages that span fewer frames than this are dropped after solving (not where the whole graph is shorter); 1
    drops none."""

    block_frames: int | None = Field(default=None, ge=1)
    """Length in frames of the blocks that are solved one by one, each with the decisions of those before it held. None
    does not cut in time; with `block_um` None too, the whole graph is solved at once, which finds the cheaper forest
    (by how little is in docs/performance.md) and is quicker where the graph fits into memory."""

    block_um: tuple[PositiveFloat, PositiveFloat, PositiveFloat] | None = None
    """Size in µm of the blocks, order z, y, x; best several times the context. None does not cut in space: cut in time
    first."""

    context_frames: int | None = Field(default=None, ge=1)
    """Frames a block sees before and after its own without deciding about them: at least the longest link's. None
    takes twice that, at least 5."""

    context_um: tuple[NonNegativeFloat, NonNegativeFloat, NonNegativeFloat] | None = None
    """Width in µm, order z, y, x, that a block sees around its own region: at least twice the longest link's reach
    along each axis. None takes just that."""

    block_bound: bool = True
    """After blocks, the lower bound of the whole graph is found, so that the result can say how far from the cheapest
    forest it is at most. It needs the whole graph in memory at once; without it the gap is unknown (infinite)."""

    formulation: Literal["tight", "paper"] = "tight"
    """How the problem is written for the solver: "tight" (its relaxation is nearly always integral) or "paper" (as
    printed in Malin-Mayor et al. 2023). Both have the same optimum."""

    def __post_init__(self) -> None:
        if self.sister_distance_um is not None and self.sister_distance_um[0] >= self.sister_distance_um[1]:
            raise ConfigError(
                f"solve.sister_distance_um = {list(self.sister_distance_um)} is no typical and largest distance.",
                cause="the second number has to be larger than the first",
                fix="measure them with `morula init`, or leave the setting out",
            )
