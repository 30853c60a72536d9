"""The worst places: errors that lie together are gathered into one place to look at."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from morula.core.columns import FloatArray, IntArray
from morula.core.evaluation import Evaluation
from morula.core.lineage_errors import ERROR_KINDS, ErrorKind
from morula.view.wording import ERROR_WORDS

_CELL_FRAMES = 3
_CELL_THRESHOLDS = 2.0


@dataclass(frozen=True, slots=True)
class Place:
    """One place worth looking at.

    Parameters
    ----------
    t
        Frame of its gravest error.
    zyx_um
        Position of that error in µm, order z, y, x.
    kinds
        Kinds of the errors here and how often each occurs, the gravest first.
    """

    t: int
    zyx_um: tuple[float, float, float]
    kinds: tuple[tuple[ErrorKind, int], ...]

    @property
    def words(self) -> str:
        """What is wrong here, in words."""
        return "; ".join(ERROR_WORDS[k].name + (f" ({n} times)" if n > 1 else "") for k, n in self.kinds)

    @property
    def look_at(self) -> str:
        """What to look at first."""
        return ERROR_WORDS[self.kinds[0][0]].look_at


def gather_places(evaluation: Evaluation, max_places: int = 20) -> list[Place]:
    """Gather errors of the same few frames and neighbourhood, and return the gravest places first.

    A place is a box of three frames and two matching distances in every direction. Errors outside the sum of errors
    (links the truth does not have, divisions without a past) count least.
    """
    errors = evaluation.errors
    if not errors.n:
        return []
    number = np.array([ERROR_KINDS.index(kind) for kind in errors.kind.tolist()])
    weight = np.array([ERROR_WORDS[kind].weight for kind in ERROR_KINDS])[number]
    cell = np.column_stack([errors.t // _CELL_FRAMES, errors.zyx_um // (_CELL_THRESHOLDS * evaluation.threshold_um)])
    _, box = np.unique(cell.astype(np.int64), axis=0, return_inverse=True)
    box = box.reshape(-1)
    gravity = np.bincount(box, weights=weight)
    worst = np.argsort(-gravity, kind="stable")[:max_places]
    return [_describe_place(np.flatnonzero(box == one), weight, evaluation) for one in worst]


def _describe_place(rows: IntArray, weight: IntArray, evaluation: Evaluation) -> Place:
    errors = evaluation.errors
    gravest = rows[np.argmax(weight[rows])]
    counts: Counter[ErrorKind] = Counter(errors.kind[rows].tolist())
    kinds = sorted(counts.items(), key=lambda item: (-ERROR_WORDS[item[0]].weight, item[0]))
    z, y, x = errors.zyx_um[gravest].tolist()
    return Place(int(errors.t[gravest]), (z, y, x), tuple(kinds))


def stack_places(places: list[Place]) -> tuple[IntArray, FloatArray]:
    """Return frames (n,) and positions in µm (n, 3) of places."""
    return np.array([p.t for p in places], np.int64), np.array([p.zyx_um for p in places]).reshape(-1, 3)
