"""How the peers of the accuracy table get their settings: the fewest errors on what was clicked.

A peer learns nothing, so it may use all annotations, those for training too: more than morula's own tuning sees.
Nothing here sees the truth. The reasons stand in design/0028.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from morula.core.tracks import Tracks
from morula.evaluate.evaluate import evaluate_tracks
from morula.evaluate.params import EvaluateParams

Setting = Mapping[str, float]
Axes = Mapping[str, Sequence[float]]
"""Values of every setting, the usual one first."""


@dataclass(frozen=True)
class Choice:
    """The setting chosen, its errors on the annotations, those of the usual setting, and how many were tried."""

    setting: Setting
    errors: int
    errors_before: int
    tried: int


def count_errors(tracks: Tracks, annotations: Sequence[Tracks], params: EvaluateParams) -> int:
    """Count the errors that sparse annotations can see, over all tables of them."""
    return sum(evaluate_tracks(tracks, table, params).sum_of_errors for table in annotations)


def search_all(axes: Axes, count: Callable[[Setting], int]) -> Choice:
    """Try every combination; of equally good ones the nearest to the usual setting, in steps along the axes, wins."""
    names = list(axes)
    usual = {name: values[0] for name, values in axes.items()}
    ranks = [{value: rank for rank, value in enumerate(_by_nearness(values))} for values in axes.values()]
    errors: dict[tuple[float, ...], int] = {}
    for point in product(*axes.values()):
        errors[point] = count(dict(zip(names, point, strict=True)))

    def order(point: tuple[float, ...]) -> tuple[int, int, tuple[float, ...]]:
        steps = sum(rank[value] for rank, value in zip(ranks, point, strict=True))
        return errors[point], steps, point

    best = min(errors, key=order)
    return Choice(dict(zip(names, best, strict=True)), errors[best], errors[tuple(usual.values())], len(errors))


def search_some(
    axes: Axes, count: Callable[[Setting], int], *, draws: int = 40, starts: int = 3, sweeps: int = 3, seed: int = 0
) -> Choice:
    """Search where there are too many combinations for all of them.

    The usual setting and the best of `draws` random ones are improved by changing one setting at a time, keeping what
    makes fewer errors, until a sweep over all axes changes nothing. Of equally good ends that from the usual setting
    wins.

    Parameters
    ----------
    axes
        Values of every setting, the usual one first.
    count
        Errors of a setting.
    draws, starts, sweeps
        Random settings counted, how many settings are improved, and for how many sweeps at most.
    seed
        Seed of the random settings.
    """
    counted: dict[tuple[float, ...], int] = {}

    def look(setting: Setting) -> int:
        key = tuple(setting[name] for name in axes)
        if key not in counted:
            counted[key] = count(setting)
        return counted[key]

    usual = {name: values[0] for name, values in axes.items()}
    rng = np.random.default_rng(seed)
    drawn = [{name: float(rng.choice(values)) for name, values in axes.items()} for _ in range(draws)]
    ends = [_improve(start, axes, look, sweeps) for start in [usual, *sorted(drawn, key=look)[: starts - 1]]]
    best = min(ends, key=look)
    return Choice(best, look(best), look(usual), len(counted))


def _improve(here: Setting, axes: Axes, look: Callable[[Setting], int], sweeps: int) -> Setting:
    for _ in range(sweeps):
        there = dict(here)
        for name, values in axes.items():
            for value in _by_nearness(values):
                if look({**there, name: value}) < look(there):
                    there[name] = value
        if there == here:
            break
        here = there
    return here


def _by_nearness(values: Sequence[float]) -> list[float]:
    """Sort the values of an axis by their distance from the first."""
    return sorted(values, key=lambda value: (abs(value - values[0]), value))
