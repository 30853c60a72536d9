"""Looking things up by row in track tables, where −1 means "none"."""

from __future__ import annotations

import numpy as np

from morula.core.columns import BoolArray, IntArray
from morula.core.tracks import Tracks


def look_up(values: IntArray, rows: IntArray) -> IntArray:
    """Return `values[rows]`, −1 where the row is −1; `rows` may have any shape.

    Examples
    --------
    >>> look_up(np.array([5, 6]), np.array([1, -1])).tolist()
    [6, -1]
    """
    return np.append(values, -1)[rows]


def holds(flags: BoolArray, rows: IntArray) -> BoolArray:
    """Return `flags[rows]`, False where the row is −1; `rows` may have any shape."""
    return np.append(flags, False)[rows]


def list_children(tracks: Tracks) -> IntArray:
    """Return the rows of each point's children, −1 for none, shape (n, 2); a single child stands first.

    Examples
    --------
    >>> list_children(Tracks.from_ids([0, 1, 1], [[0, 0, 0], [0, 0, 1], [0, 0, 2]], [7, 8, 9], [-1, 7, 7])).tolist()
    [[1, 2], [-1, -1], [-1, -1]]
    """
    child = np.flatnonzero(tracks.parent_row >= 0)
    child = child[np.argsort(tracks.parent_row[child], kind="stable")]
    parent = tracks.parent_row[child]
    is_second = np.diff(parent, prepend=-1) == 0
    children = np.full((tracks.n, 2), -1)
    children[parent, is_second.astype(np.int64)] = child
    return children
