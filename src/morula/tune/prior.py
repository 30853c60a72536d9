"""Where the learner may go from the given weights, and how far before it has to be worth it.

Owns the coordinates in which weights are learned: a common scale, how much the score counts, the score at which a
detection costs nothing, and one axis for each other weight. Only ratios of weights matter, so the scale is free; it
says how many errors a typical cost is worth.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from morula.core.columns import FloatArray
from morula.tune.features import NAMES
from morula.tune.planes import Penalty

_SCALE_AT_FIRST = 6.0
"""Errors that the largest of start and division cost is worth, before anything is learned."""

_SPREAD_OF_SCALE = 120.0
"""So free that only annotations without any error meet it."""

_SCORE, _BREAK_EVEN = 0.7, 0.1
"""Spread of the score's weight (relative) and of the break-even score (in scores), as parts of the spread asked for.

Sparse annotations show cells that were left out but no false cells, so they speak for ever lower break-even scores and
never for higher ones. The narrow spread is what keeps the learner from taking everything."""

_LOWEST_BREAK_EVEN = 0.5
"""Part of the given break-even score below which it is never learned, whatever the annotations say."""

_LEAST_SIZE = 0.25
"""Weights given as 0 are free to move as if they were this part of the larger of start and division cost."""


_EVENTS = ("start_cost", "division_cost", "division_score_weight", "end_cost", "skip_cost")
"""Weights with an axis of their own."""

_IS_SCORE = np.array([name.endswith("_score_weight") for name in NAMES])
"""Weights that are negative where they are not given otherwise: what they are multiplied with speaks for a choice."""


@dataclass(frozen=True, slots=True, eq=False)
class Prior:
    """The given weights and the room around them.

    Parameters
    ----------
    axes
        Columns: what one step along each coordinate adds to the weights, shape (8, k). The first is the scale: the
        given weights themselves.
    spread
        Relative departure that counts as half an error.
    """

    axes: FloatArray
    spread: float

    @classmethod
    def around(cls, given: FloatArray, *, spread: float, silent: Collection[str] = ()) -> Prior:
        """Make the coordinates for given weights, shape (8,); those that are `silent` stay as they are."""
        constant, score, _, start, division, *_ = given.tolist()
        unit = max(abs(start), abs(division)) or float(np.abs(given).max()) or 1.0
        scale = given / unit
        more_score = np.zeros(len(NAMES))
        more_score[:2] = np.array([constant, score]) / unit * _SCORE
        higher_break_even = np.zeros(len(NAMES))
        higher_break_even[0] = (abs(score) or unit) / unit * _BREAK_EVEN
        events = np.diag(np.maximum(np.abs(scale), _LEAST_SIZE))
        events = events[[row for row, name in enumerate(NAMES) if name in _EVENTS and name not in silent]]
        return cls(axes=np.column_stack([scale, more_score, higher_break_even, *events]), spread=spread)

    def begin(self) -> FloatArray:
        """Return the point of the given weights."""
        point = np.zeros(self.axes.shape[1])
        point[0] = _SCALE_AT_FIRST
        return point

    def weigh(self, point: FloatArray) -> FloatArray:
        """Return the weights of a point, in errors."""
        return np.asarray(self.axes @ point)

    def normalise(self, point: FloatArray, given: FloatArray) -> FloatArray:
        """Return the weights of a point in the unit of the given ones, in four digits; the edge weight is as given."""
        largest = int(np.argmax(np.abs(given)))
        unit = given[largest] / self.axes[largest, 0] if given[largest] else 1.0
        weights = self.weigh(point) / point[0] * unit
        weights[np.abs(weights) < 1e-6 * unit] = 0.0
        rounded = np.array([float(f"{weight:.4g}") for weight in weights])
        return np.where((self.axes[:, 1:] == 0).all(axis=1), given, rounded)

    def penalise(self, scale: float) -> Penalty:
        """Return the penalty for points at about this scale.

        Its sides keep the sign of every weight but the node constant, and the break-even above half of the given one.
        """
        k = self.axes.shape[1]
        sign = np.where((self.axes[1:, 0] < 0) | (self.axes[1:, 0] == 0) & _IS_SCORE[1:], -1.0, 1.0)
        constant, score = self.axes[:2, 0].tolist()
        lowest = -_LOWEST_BREAK_EVEN * constant / score if constant > 0 > score else 0.0
        bare = self.axes[0] + lowest * self.axes[1] if lowest else np.zeros(k)
        sides = np.vstack([np.eye(1, k), sign[:, None] * self.axes[1:], bare])
        spread = np.full(k, self.spread * scale)
        spread[0] = _SPREAD_OF_SCALE
        return Penalty(spread=spread, sides=sides, least=np.append(0.01, np.zeros(len(sides) - 1)))
