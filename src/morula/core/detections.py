"""Detections: the local maxima kept from the network's output, sorted by frame so that a frame is a slice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from morula.core.columns import FloatArray, FrameArray, ReadOnlyColumns, column
from morula.errors import GraphError


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

    Raises
    ------
    GraphError
        If lengths differ, a value is not finite, or frames are not sorted.
    """

    t: FrameArray
    zyx_um: FloatArray
    score: FloatArray
    movement_um: FloatArray

    def __post_init__(self) -> None:
        n = len(self.t)
        try:
            columns = {
                "t": column(self.t, np.int32, (None,), "t"),
                "zyx_um": column(self.zyx_um, np.float64, (n, 3), "zyx_um"),
                "score": column(self.score, np.float64, (n,), "score"),
                "movement_um": column(self.movement_um, np.float64, (n, 3), "movement_um"),
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

    def frame(self, t: int) -> slice:
        """Rows of frame `t`."""
        first, last = np.searchsorted(self.t, [t, t + 1])
        return slice(int(first), int(last))

    @classmethod
    def sorted(cls, t: FrameArray, zyx_um: FloatArray, score: FloatArray, movement_um: FloatArray) -> Detections:
        """Build detections from rows in any order; they come out sorted by t, z, y, x, whatever order they came in.

        Raises
        ------
        GraphError
            As for the class.
        """
        zyx_um, movement_um = (np.asarray(points, np.float64).reshape(-1, 3) for points in (zyx_um, movement_um))
        if not len(t) == len(zyx_um) == len(score) == len(movement_um):
            lengths = f"{len(t)} frames, {len(zyx_um)} positions, {len(score)} scores, {len(movement_um)} movements"
            raise GraphError("detections: columns of different length.", measured=lengths, fix="give one of each")
        order = np.lexsort((zyx_um[:, 2], zyx_um[:, 1], zyx_um[:, 0], np.asarray(t)))
        return cls(
            t=np.asarray(t)[order],
            zyx_um=zyx_um[order],
            score=np.asarray(score)[order],
            movement_um=movement_um[order],
        )

    @classmethod
    def empty(cls) -> Detections:
        """Return no detections."""
        return cls(t=np.zeros(0, np.int32), zyx_um=np.zeros((0, 3)), score=np.zeros(0), movement_um=np.zeros((0, 3)))

    @classmethod
    def concatenated(cls, parts: Sequence[Detections]) -> Detections:
        """Join the detections of several blocks into one sorted table."""
        if not parts:
            return cls.empty()
        return cls.sorted(
            np.concatenate([p.t for p in parts]),
            np.concatenate([p.zyx_um for p in parts]),
            np.concatenate([p.score for p in parts]),
            np.concatenate([p.movement_um for p in parts]),
        )
