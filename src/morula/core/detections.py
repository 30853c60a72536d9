"""Detections: the local maxima kept from the network's output, sorted by frame so that a frame is a slice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from morula.core.columns import BoolArray, FloatArray, FrameArray, IntArray, ReadOnlyColumns, column
from morula.errors import GraphError

DIVISION_COLUMNS = ("divides", "born")
"""Columns that only a network with a division head knows; where nobody does, every row is NaN."""


@dataclass(frozen=True, slots=True, eq=False)
class Detections(ReadOnlyColumns):
    """Nuclei found in a movie.

    Parameters
    ----------
    t
        Frame, shape (n,), int32, not decreasing.
    zyx_um
        Position in µm, order z, y, x, shape (n, 3).
    score
        Cell indicator at the peak, between 0 and 1, shape (n,).
    movement_um
        Offset from the position to the centre of the same cell (or its mother) in frame t−1, µm, z, y, x, shape (n, 3).
    divides
        Probability that this nucleus divides before the next frame (it is a mother in her last frame), shape (n,), in
        [0, 1]; NaN in every row where nobody knows, which is also what an empty array stands for.
    born
        Probability that it is a daughter in its first frame; as `divides`.

    Raises
    ------
    GraphError
        If lengths differ, a value is not finite, a probability is known for some rows only or not in [0, 1], or frames
        are not sorted.
    """

    t: FrameArray
    zyx_um: FloatArray
    score: FloatArray
    movement_um: FloatArray
    divides: FloatArray = field(default_factory=lambda: np.zeros(0))
    born: FloatArray = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        n = len(self.t)
        try:
            columns = {
                "t": column(self.t, np.int32, (None,), "t"),
                "zyx_um": column(self.zyx_um, np.float64, (n, 3), "zyx_um"),
                "score": column(self.score, np.float64, (n,), "score"),
                "movement_um": column(self.movement_um, np.float64, (n, 3), "movement_um"),
                **{name: _build_probabilities(getattr(self, name), n, name) for name in DIVISION_COLUMNS},
            }
        except ValueError as error:
            raise GraphError(f"detections: {error}.", fix="look for broken rows in their source") from None
        if n and (np.diff(columns["t"]) < 0).any():
            raise GraphError("detections: frames are not in order.", fix="build them with Detections.sorted")
        for name, values in columns.items():
            object.__setattr__(self, name, values)

    @property
    def n(self) -> int:
        """Number of detections."""
        return len(self.t)

    @property
    def known_division_columns(self) -> tuple[str, ...]:
        """Those of `DIVISION_COLUMNS` that hold probabilities; none without rows."""
        return tuple(name for name in DIVISION_COLUMNS if self.n and not np.isnan(getattr(self, name)[0]))

    def frame(self, t: int) -> slice:
        """Rows of frame `t`."""
        first, last = np.searchsorted(self.t, [t, t + 1])
        return slice(int(first), int(last))

    def rows(self, which: IntArray | BoolArray | slice) -> Detections:
        """Return some rows with all their columns, in the order given.

        Raises
        ------
        GraphError
            If their frames are not in order.
        """
        return Detections(**{name: getattr(self, name)[which] for name in Detections.__slots__})

    @classmethod
    def sorted(
        cls,
        t: FrameArray,
        zyx_um: FloatArray,
        score: FloatArray,
        movement_um: FloatArray,
        divides: FloatArray | None = None,
        born: FloatArray | None = None,
    ) -> Detections:
        """Build detections from rows in any order; they come out sorted by t, z, y, x, whatever order they came in.

        Parameters
        ----------
        t, zyx_um, score, movement_um, divides, born
            As for the class; None for `divides` or `born` where nobody knows.

        Raises
        ------
        GraphError
            As for the class.
        """
        zyx_um, movement_um = (np.asarray(points, np.float64).reshape(-1, 3) for points in (zyx_um, movement_um))
        if not len(t) == len(zyx_um) == len(score) == len(movement_um):
            lengths = f"{len(t)} frames, {len(zyx_um)} positions, {len(score)} scores, {len(movement_um)} movements"
            raise GraphError("detections: columns of different length.", measured=lengths, fix="give one of each")
        known = {name: np.asarray(p) for name, p in (("divides", divides), ("born", born)) if p is not None and len(p)}
        short = [name for name, values in known.items() if len(values) != len(t)]
        if short:
            lengths = f"{len(t)} frames, {len(known[short[0]])} values of {short[0]}"
            raise GraphError("detections: columns of different length.", measured=lengths, fix="give one of each")
        order = np.lexsort((zyx_um[:, 2], zyx_um[:, 1], zyx_um[:, 0], np.asarray(t)))
        return cls(
            t=np.asarray(t)[order],
            zyx_um=zyx_um[order],
            score=np.asarray(score)[order],
            movement_um=movement_um[order],
            **{name: values[order] for name, values in known.items()},
        )

    @classmethod
    def empty(cls) -> Detections:
        """Return no detections."""
        return cls(t=np.zeros(0, np.int32), zyx_um=np.zeros((0, 3)), score=np.zeros(0), movement_um=np.zeros((0, 3)))

    @classmethod
    def concatenated(cls, parts: Sequence[Detections]) -> Detections:
        """Join the detections of several blocks into one sorted table.

        Raises
        ------
        GraphError
            If some blocks know who divides and others do not.
        """
        if not parts:
            return cls.empty()
        return cls.sorted(**{name: np.concatenate([getattr(p, name) for p in parts]) for name in cls.__slots__})


def _build_probabilities(values: npt.ArrayLike, n: int, name: str) -> FloatArray:
    """Return a column of probabilities; no value at all stands for NaN in every row."""
    given = np.asarray(values, np.float64)
    unknown = np.isnan(given)
    if unknown.all():
        if given.shape not in ((0,), (n,)):
            raise ValueError(f"{name} has shape {given.shape}, expected ({n},)")
        given = np.full(n, np.nan)
    elif unknown.any():
        raise ValueError(f"{name} is known for {int((~unknown).sum())} of {n} rows, it has to be for all or none")
    elif ((given < 0) | (given > 1)).any():
        raise ValueError(f"{name} holds {int(((given < 0) | (given > 1)).sum())} values that are not in [0, 1]")
    if given.shape != (n,):
        raise ValueError(f"{name} has shape {given.shape}, expected ({n},)")
    view = given.view()
    view.flags.writeable = False
    return view
