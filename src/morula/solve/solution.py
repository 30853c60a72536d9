"""What every solver is given and gives back, so that one can take another's place.

A solver is a function ``(problem, limits) -> Solution``. It sees arrays, never a graph with frames or positions,
and reports how it went as values: it raises only if it has no forest at all.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from morula.core.columns import BoolArray, ReadOnlyColumns, column


@dataclass(frozen=True, slots=True)
class Limits:
    """When a solver may stop before the optimum is proven.

    Parameters
    ----------
    gap
        Relative gap to the lower bound that is good enough; 0 asks for proof.
    deadline
        Time of `time.monotonic` after which the best forest so far is taken; infinite for none.
    """

    gap: float = 0.0
    deadline: float = np.inf

    @classmethod
    def starting_now(cls, gap: float, time_limit_s: float | None) -> Limits:
        """Count a time limit in seconds (None for none) from this moment."""
        return cls(gap=gap, deadline=np.inf if time_limit_s is None else time.monotonic() + time_limit_s)

    @property
    def seconds_left(self) -> float:
        """Seconds to the deadline, not negative."""
        return max(0.0, self.deadline - time.monotonic())


@dataclass(frozen=True, slots=True, eq=False)
class Solution(ReadOnlyColumns):
    """A forest and how good it is known to be.

    Parameters
    ----------
    node_selected, edge_selected
        The choice, shapes (n,) and (m,).
    lower_bound
        No forest of this graph costs less.
    proven
        Whether the solver proved that no forest is cheaper than this one.
    """

    node_selected: BoolArray
    edge_selected: BoolArray
    lower_bound: float
    proven: bool

    def __post_init__(self) -> None:
        object.__setattr__(self, "node_selected", column(self.node_selected, np.bool_, (None,), "node_selected"))
        object.__setattr__(self, "edge_selected", column(self.edge_selected, np.bool_, (None,), "edge_selected"))
