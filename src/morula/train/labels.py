"""What is known at single points: where a nucleus is, or may be, and where its mother was. Owns the table of labels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np

from morula.core.columns import BoolArray, FloatArray, FrameArray, IntArray, ReadOnlyColumns, column
from morula.core.tracks import Tracks

MERGE_PER_MASK = 0.85  # of the mask radius: blobs closer than this are one nucleus


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
    divides
        1 for a mother in its last frame or a daughter in its first, shape (n,).
    """

    t: FrameArray
    zyx_um: FloatArray
    kind: IntArray
    mother_um: FloatArray
    has_mother: IntArray
    divides: IntArray

    def __post_init__(self) -> None:
        n = len(self.t)
        kinds = {"t": np.int32, "kind": np.int64, "has_mother": np.int64, "divides": np.int64}
        for name, dtype in kinds.items():
            object.__setattr__(self, name, column(getattr(self, name), dtype, (n,), name))
        for name in ("zyx_um", "mother_um"):
            object.__setattr__(self, name, column(getattr(self, name), np.float64, (n, 3), name))

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
    names = ("zyx_um", "kind", "mother_um", "has_mother", "divides")
    return Labels(t[order], *(np.concatenate([getattr(part, name) for part in parts])[order] for name in names))


def annotation_labels(annotations: Tracks) -> Labels:
    """Label points of annotations; a mother further back than one frame counts as unknown."""
    parent = annotations.parent_row
    has_mother = (parent >= 0) & (annotations.t[parent] == annotations.t - 1)
    splits = annotations.n_children == 2
    return Labels(
        t=annotations.t,
        zyx_um=annotations.zyx_um,
        kind=np.full(annotations.n, LabelKind.ANNOTATION),
        mother_um=np.where(has_mother[:, None], annotations.zyx_um[parent], 0.0),
        has_mother=has_mother,
        divides=splits | (has_mother & splits[parent]),
    )
