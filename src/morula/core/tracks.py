"""Track points with parents: annotations, the truth of a synthetic movie, an exported reconstruction."""

from __future__ import annotations

from collections.abc import Mapping, Sized
from dataclasses import dataclass

import numpy as np

from morula.core.columns import BoolArray, FloatArray, FrameArray, IntArray, ReadOnlyColumns, column
from morula.errors import TracksError


@dataclass(frozen=True, slots=True, eq=False)
class Tracks(ReadOnlyColumns):
    """Points joined into a forest: each has at most one parent in an earlier frame and at most two children.

    Parameters
    ----------
    t
        Frame of each point, shape (n,), int32, not negative.
    zyx_um
        Position in µm, order z, y, x, shape (n, 3).
    id
        Name of each point, shape (n,), int64, unique.
    parent_row
        Row of the parent, −1 for none, shape (n,), int64. A parent may lie several frames back.
    radius_um
        Optional radius of each nucleus in µm, shape (n,); NaN-free.

    Raises
    ------
    TracksError
        If ids repeat, a parent is missing or not earlier, a point has three children, or a number is not finite.

    Examples
    --------
    >>> two = Tracks.from_ids([0, 1], [[0, 0, 0], [0, 0, 1]], [7, 8], [-1, 7])
    >>> two.parent_row.tolist()
    [-1, 0]
    """

    t: FrameArray
    zyx_um: FloatArray
    id: IntArray
    parent_row: IntArray
    radius_um: FloatArray | None = None

    def __post_init__(self) -> None:
        n = len(self.t)
        try:
            columns = {
                "t": column(self.t, np.int32, (None,), "t"),
                "zyx_um": column(self.zyx_um, np.float64, (n, 3), "zyx_um"),
                "id": column(self.id, np.int64, (n,), "id"),
                "parent_row": column(self.parent_row, np.int64, (n,), "parent_row"),
            }
            if self.radius_um is not None:
                columns["radius_um"] = column(self.radius_um, np.float64, (n,), "radius_um")
        except (ValueError, OverflowError) as error:
            raise TracksError(f"tracks: {error}.", fix="repair or drop the rows with these values") from None
        for name, values in columns.items():
            object.__setattr__(self, name, values)
        self._check_forest()

    def _check_forest(self) -> None:
        if self.n and int(self.t.min()) < 0:
            row = int(self.t.argmin())
            raise TracksError(
                f"point {self.id[row]}: frame {self.t[row]} is negative.", fix="number frames from 0 upwards"
            )
        ids, counts = np.unique(self.id, return_counts=True)
        if len(ids) < self.n:
            twice = int(ids[counts > 1][0])
            raise TracksError(
                f"id {twice} names {int(counts.max())} points, an id must be unique.",
                measured=f"{int((counts > 1).sum())} ids occur more than once, {self.n} points",
                cause="a track id stands in the place of the point id, or a table was pasted twice",
                fix="give every row its own id and let parent_id point to it",
            )
        if self.n and not ((self.parent_row >= -1) & (self.parent_row < self.n)).all():
            raise TracksError("a parent row lies outside the table.", fix="use −1 for points without a parent")
        child = np.flatnonzero(self.parent_row >= 0)
        late = child[self.t[self.parent_row[child]] >= self.t[child]]
        if len(late):
            row, parent = int(late[0]), int(self.parent_row[late[0]])
            raise TracksError(
                f"point {self.id[row]} in frame {self.t[row]} has its parent {self.id[parent]} in frame "
                f"{self.t[parent]}, a parent must be earlier.",
                measured=f"{len(late)} such links of {len(child)}",
                cause="links stored from child to parent, or tracks written backwards in time",
                fix="swap the direction of these links",
            )
        children = np.bincount(self.parent_row[child], minlength=self.n)
        if self.n and int(children.max(initial=0)) > 2:
            row = int(children.argmax())
            raise TracksError(
                f"point {self.id[row]} in frame {self.t[row]} has {int(children[row])} children, "
                "a cell divides into two.",
                measured=f"{int((children > 2).sum())} such points",
                cause="a mistaken link, or two divisions merged because frames were skipped",
                fix="remove the wrong link in the annotation tool and export again",
            )

    @classmethod
    def from_ids(
        cls,
        t: FrameArray | list[int],
        zyx_um: FloatArray | list[list[float]],
        id: IntArray | list[int],
        parent_id: IntArray | list[int],
        radius_um: FloatArray | None = None,
    ) -> Tracks:
        """Build tracks from parent *ids* (−1 for none) in any row order; rows come out sorted by t, then id.

        Raises
        ------
        TracksError
            As for the class, and if a parent id names no point.
        """
        id_, parent_id_ = np.asarray(id, np.int64), np.asarray(parent_id, np.int64)
        zyx_um = np.asarray(zyx_um, np.float64).reshape(-1, 3)
        _check_lengths({"t": t, "zyx_um": zyx_um, "id": id_, "parent_id": parent_id_, "radius_um": radius_um})
        order = np.lexsort((id_, np.asarray(t)))
        id_, parent_id_ = id_[order], parent_id_[order]
        by_id = np.argsort(id_, kind="stable")
        place = np.searchsorted(id_[by_id], parent_id_)
        row = by_id[np.minimum(place, len(by_id) - 1)] if len(by_id) else np.zeros(0, np.int64)
        known = id_[row] == parent_id_
        missing = np.flatnonzero(~known & (parent_id_ != -1))
        if len(missing):
            first = int(missing[0])
            raise TracksError(
                f"point {id_[first]} in frame {np.asarray(t)[order][first]} names the parent {parent_id_[first]}, "
                "which is not in the table.",
                measured=f"{len(missing)} such points of {len(id_)}",
                cause="a part of the table was exported (daughters without mothers), or ids were renumbered",
                fix="export the whole tracks, or set parent_id to -1 where a track begins",
            )
        return cls(
            t=np.asarray(t)[order],
            zyx_um=zyx_um[order],
            id=id_,
            parent_row=np.where(known & (parent_id_ != -1), row, -1),
            radius_um=None if radius_um is None else np.asarray(radius_um)[order],
        )

    @property
    def n(self) -> int:
        """Number of points."""
        return len(self.t)

    @property
    def parent_id(self) -> IntArray:
        """Id of each point's parent, −1 for none, shape (n,)."""
        return np.where(self.parent_row >= 0, self.id[self.parent_row], -1) if self.n else np.zeros(0, np.int64)

    @property
    def edges(self) -> IntArray:
        """Rows of parent and child of every link, shape (m, 2), sorted by child row."""
        child = np.flatnonzero(self.parent_row >= 0)
        return np.stack([self.parent_row[child], child], axis=1)

    @property
    def n_children(self) -> IntArray:
        """Number of children of each point, shape (n,)."""
        return np.bincount(self.parent_row[self.parent_row >= 0], minlength=self.n).astype(np.int64)

    def rows(self, keep: BoolArray) -> Tracks:
        """Return the points where `keep` is true; a child whose parent is left out becomes a root."""
        new_row = np.cumsum(keep) - 1
        parent = self.parent_row[keep]
        has = (parent >= 0) & keep[parent]
        return Tracks(
            t=self.t[keep],
            zyx_um=self.zyx_um[keep],
            id=self.id[keep],
            parent_row=np.where(has, new_row[parent], -1),
            radius_um=None if self.radius_um is None else self.radius_um[keep],
        )

    def lineage_id(self) -> IntArray:
        """Number of the tree of each point, shape (n,), counted from 0 in the order of their first rows by time."""
        root = np.arange(self.n)
        for row in np.argsort(self.t, kind="stable"):
            if self.parent_row[row] >= 0:
                root[row] = root[self.parent_row[row]]
        return _numbered(root)

    def tracklet_id(self) -> IntArray:
        """Number of the unbranched piece of each point, shape (n,): a new one at each root and each daughter."""
        children = self.n_children
        first = np.arange(self.n)
        for row in np.argsort(self.t, kind="stable"):
            parent = self.parent_row[row]
            if parent >= 0 and children[parent] == 1:
                first[row] = first[parent]
        return _numbered(first)


def _numbered(labels: IntArray) -> IntArray:
    _, number = np.unique(labels, return_inverse=True)
    return number.astype(np.int64)


def _check_lengths(columns: Mapping[str, Sized | None]) -> None:
    lengths = {name: len(values) for name, values in columns.items() if values is not None}
    if len(set(lengths.values())) > 1:
        measured = ", ".join(f"{length} of {name}" for name, length in lengths.items())
        raise TracksError("tracks: columns of different length.", measured=measured, fix="give one of each per point")
