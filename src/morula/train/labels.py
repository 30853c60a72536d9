"""What is known at single points: where a nucleus is, or may be, and where its mother was. Owns the table of labels."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntEnum

import numpy as np

from morula.core.columns import BoolArray, FloatArray, FrameArray, IntArray, ReadOnlyColumns, column
from morula.core.tracks import Tracks

MERGE_PER_MASK = 0.85  # of the mask radius: blobs closer than this are one nucleus

_SMALLEST, _LARGEST = 0.5, 2.0


class LabelKind(IntEnum):
    """Where a label point comes from."""

    ANNOTATION = 0
    CLEAR_BLOB = 1
    WEAK_BLOB = 2
    LINEAGE = 3


@dataclass(frozen=True, slots=True, eq=False)
class Labels(ReadOnlyColumns):
    """Label points, sorted by frame.

    Parameters
    ----------
    t
        Frame, shape (n,).
    zyx_um
        Position in µm, shape (n, 3).
    kind
        A `LabelKind`, shape (n,).
    mother_um
        Position in frame t−1 of the same cell or its mother, shape (n, 3); meaningless where `has_mother` is 0.
    has_mother
        1 where the mother is known, shape (n,).
    divides, born
        1 for a mother in her last frame, and for a daughter in its first; 0 for a cell known to go on, and to have
        been there; −1 where nobody knows; shape (n,).
    size
        Radius of the nucleus over the typical annotated one, 1 where unknown, shape (n,); ones if left out.
    """

    t: FrameArray
    zyx_um: FloatArray
    kind: IntArray
    mother_um: FloatArray
    has_mother: IntArray
    divides: IntArray
    born: IntArray
    size: FloatArray = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        n = len(self.t)
        object.__setattr__(self, "size", column(self.size if len(self.size) else np.ones(n), np.float64, (n,), "size"))
        kinds = {"t": np.int32, "kind": np.int64, "has_mother": np.int64, "divides": np.int64, "born": np.int64}
        for name, dtype in kinds.items():
            object.__setattr__(self, name, column(getattr(self, name), dtype, (n,), name))
        for name in ("zyx_um", "mother_um"):
            object.__setattr__(self, name, column(getattr(self, name), np.float64, (n, 3), name))

    @classmethod
    def of_points(cls, t: FrameArray, zyx_um: FloatArray, kind: IntArray) -> Labels:
        """Labels of points of which nothing but the place is known."""
        n, zeros = len(t), np.zeros(len(t), np.int64)
        return cls(t, zyx_um, kind, np.zeros((n, 3)), zeros, zeros - 1, zeros - 1)

    @property
    def at_division(self) -> BoolArray:
        """Whether each is a mother in her last frame or a daughter in its first, shape (n,)."""
        found: BoolArray = (self.divides == 1) | (self.born == 1)
        return found

    def frame(self, t: int) -> slice:
        """Rows of frame `t`."""
        first, last = np.searchsorted(self.t, [t, t + 1])
        return slice(int(first), int(last))

    def split(self, *kinds: LabelKind) -> tuple[Labels, Labels]:
        """Return the labels of these kinds, and the others."""
        chosen = np.isin(self.kind, kinds)
        return self.rows(chosen), self.rows(~chosen)

    def rows(self, keep: BoolArray) -> Labels:
        """Return the labels where `keep` is true."""
        return Labels(*(getattr(self, name)[keep] for name in self.__slots__))

    def with_kind(self, kind: LabelKind) -> Labels:
        """Return the same points as labels of another kind."""
        return replace(self, kind=np.full(len(self.t), kind))


def join_labels(parts: list[Labels]) -> Labels:
    """Concatenate label tables, sorted by frame."""
    t = np.concatenate([part.t for part in parts])
    order = np.argsort(t, kind="stable")
    names = ("zyx_um", "kind", "mother_um", "has_mother", "divides", "born", "size")
    return Labels(t[order], *(np.concatenate([getattr(part, name) for part in parts])[order] for name in names))


def annotation_labels(annotations: Tracks) -> Labels:
    """Label points of annotations; a mother further back than one frame counts as unknown."""
    parent = annotations.parent_row
    has_mother = (parent >= 0) & (annotations.t[parent] == annotations.t - 1)
    followed = np.bincount(parent[has_mother], minlength=annotations.n)  # children in the next frame
    splits = (followed == 2) & (annotations.n_children == 2)
    goes_on = (followed == 1) & (annotations.n_children == 1)
    return Labels(
        t=annotations.t,
        zyx_um=annotations.zyx_um,
        kind=np.full(annotations.n, LabelKind.ANNOTATION),
        mother_um=np.where(has_mother[:, None], annotations.zyx_um[parent], 0.0),
        has_mother=has_mother,
        divides=_known(splits, goes_on),
        born=_known(has_mother & splits[parent], has_mother & goes_on[parent]),
        size=_relative_sizes(annotations),
    )


def _relative_sizes(annotations: Tracks) -> FloatArray:
    """Radii over their median, from a half to two: what programs call a radius differs by a factor."""
    radius = annotations.radius_um
    if radius is None or not (radius > 0).any():
        return np.ones(annotations.n)
    relative = np.where(radius > 0, radius / np.median(radius[radius > 0]), 1.0)
    sizes: FloatArray = np.clip(relative, _SMALLEST, _LARGEST)
    return sizes


def _known(yes: BoolArray, no: BoolArray) -> IntArray:
    return np.select([yes, no], [1, 0], -1).astype(np.int64)
