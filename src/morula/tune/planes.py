"""The lowest point of a convex function known from below: a penalty around the origin and planes under a loss.

Owns one small quadratic program, solved to the end as a non-negative least-squares problem (Lawson and Hanson, "Solving
Least Squares Problems", 1974, chapter 23). It knows no graph and no weight.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from morula.core.columns import FloatArray
from morula.errors import SolveError

_CURVE = 1e-3
"""The loss L counts as L + _CURVE L²/2: this makes the program strictly convex, and large losses a little worse."""


@dataclass(frozen=True, slots=True, eq=False)
class Penalty:
    """How far the point may lie from the origin, and on which side of some planes through it.

    Parameters
    ----------
    spread
        Distance along each axis that costs one half, shape (k,), above 0.
    sides
        Normals of planes the point must not lie below, shape (q, k).
    least
        Least value along each normal, shape (q,).
    """

    spread: FloatArray
    sides: FloatArray
    least: FloatArray

    def measure(self, point: FloatArray, loss: float) -> float:
        """Return what is minimised: penalty and loss together."""
        return 0.5 * float(np.sum((point / self.spread) ** 2)) + loss + 0.5 * _CURVE * loss**2


def find_lowest_point(slopes: FloatArray, offsets: FloatArray, penalty: Penalty) -> tuple[FloatArray, float, float]:
    """Minimise penalty plus loss, the loss being the highest of some planes and 0.

    Parameters
    ----------
    slopes, offsets
        The planes ``slope @ point + offset``, shapes (p, k) and (p,).
    penalty
        What keeps the point near the origin.

    Returns
    -------
    point
        Shape (k,).
    loss
        The highest plane there, not below 0.
    value
        The sum minimised: no point has less as long as the planes lie below the true loss.

    Raises
    ------
    SolveError
        If no point lies on the right side of everything.

    Examples
    --------
    >>> free = Penalty(spread=np.array([1.0]), sides=np.zeros((0, 1)), least=np.zeros(0))
    >>> point, loss, value = find_lowest_point(np.array([[-2.0]]), np.array([1.0]), free)
    >>> point.round(6).tolist(), round(loss, 6) + 0.0, round(value, 6)
    ([0.5], 0.0, 0.125)
    """
    k, bend = len(penalty.spread), np.sqrt(_CURVE)
    # In units of the penalty, with the loss as a last axis: the shortest vector z with rows @ z >= bound.
    rows = np.concatenate(
        [
            np.column_stack([-slopes * penalty.spread, np.full(len(slopes), 1 / bend)]),
            np.append(np.zeros(k), 1 / bend)[None],
            np.column_stack([penalty.sides * penalty.spread, np.zeros(len(penalty.sides))]),
        ]
    )
    bound = np.concatenate([offsets + 1 / _CURVE, [1 / _CURVE], penalty.least])
    columns = np.vstack([rows.T, bound])
    size = np.linalg.norm(columns, axis=0)
    columns = columns[:, size > 0] / size[size > 0]
    target = np.append(np.zeros(k + 1), 1.0)
    multiplier, _ = nnls(columns, target, maxiter=100 * columns.shape[1] + 1000)
    rest = columns @ multiplier - target
    if not rest[-1] < -1e-14:
        raise SolveError(
            "no weights agree with the limits set on them.",
            cause="given weights that are not finite or of very different size",
            fix='check the weights in [solve], or use tune.method = "grid"',
        )
    shortest = -rest[:-1] / rest[-1]
    point = shortest[:k] * penalty.spread
    loss = max(0.0, float(np.max(slopes @ point + offsets, initial=0.0)))
    return point, loss, penalty.measure(point, loss)
