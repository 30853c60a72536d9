"""A few steps from learned weights to fewer errors on the annotations, by counting.

Owns the steps. The score at which a detection pays is never probed: annotations know no false cells, so that a lower
one always looks as good or better.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from morula.solve.params import SolveParams

_FACTORS = (1.4, 1.2)
_AXES = (("start_cost",), ("division_cost",), ("node_constant", "node_score_weight"))

MOST_PROBES = 2 * len(_FACTORS) * len(_AXES)
"""How often errors are counted at most."""


def probe_weights(
    params: SolveParams, errors: int, count: Callable[[SolveParams], int]
) -> Iterator[tuple[SolveParams, int]]:
    """Try larger and smaller weights one after the other, and go on from whatever makes fewer errors.

    Parameters
    ----------
    params, errors
        Where to begin, and the errors there.
    count
        Counts the errors of some settings.

    Yields
    ------
    params, errors
        Every setting tried with its errors; those with fewer errors than all before are the best found. Ends early
        where no error is left.
    """
    for factor in _FACTORS:
        for axis in _AXES:
            for step in (factor, 1 / factor):
                if errors == 0:
                    return
                probe = replace(params, **_scale(params, axis, step))  # type: ignore[arg-type]
                found = count(probe)
                yield probe, found
                if found < errors:
                    params, errors = probe, found
                    break


def _scale(params: SolveParams, names: Sequence[str], factor: float) -> dict[str, float]:
    return {name: float(f"{getattr(params, name) * factor:.4g}") for name in names}
