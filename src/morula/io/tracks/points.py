"""Points as a track file holds them, each with its place in the file, and the checks that turn them into `Tracks`.

Every reader of tracks ends here, so that all formats accept and refuse the same things. Accepted: any row order,
links over several frames, isolated points, points closer than a nucleus, a first frame that is not 0. Dropped with a
warning: points at exactly (0, 0, 0), which annotation tools leave behind. Refused, naming file and place: numbers
that are not finite, frames that are not whole, repeated ids, missing or later parents, merges, three children.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from morula.core.columns import FloatArray, IntArray
from morula.core.tracks import Tracks
from morula.errors import TracksError
from morula.io.tracks.id_rows import find_rows

_LOG = logging.getLogger(__name__)

_LARGEST_FRAME = 2**31 - 1
_LARGEST_UM = 1e9


@dataclass(frozen=True, slots=True, eq=False)
class TrackPoints:
    """Points of one file, not yet checked.

    Parameters
    ----------
    file
        The file, as messages should name it.
    t
        Frame as written, shape (n,), float64; may be broken.
    zyx
        Position in units of the file, order z, y, x, shape (n, 3).
    id, parent_id
        Name of each point and of its parent (−1 for none), shape (n,), int64.
    place
        Where a row stands in the file, for messages: ``place(3)`` → ``"line 5"``.
    radius
        Radius in units of the file, shape (n,), or None.
    """

    file: str
    t: FloatArray
    zyx: FloatArray
    id: IntArray
    parent_id: IntArray
    place: Callable[[int], str]
    radius: FloatArray | None = None


def build_tracks(points: TrackPoints, *, um_per_unit: float) -> Tracks:
    """Check points and return them as tracks in µm, sorted by frame, then id.

    Raises
    ------
    TracksError
        For the first fault found, naming the file and the place in it.
    """
    _check_numbers(points, um_per_unit)
    _check_ids(points)
    parent_row = _find_parents(points)
    _check_forest(points, parent_row)
    tracks = Tracks.from_ids(
        points.t.astype(np.int32),
        points.zyx * um_per_unit + 0.0,  # + 0.0 turns −0.0 into 0.0
        points.id,
        points.parent_id,
        _usable_radius_um(points, um_per_unit),
    )
    if tracks.n == 0:
        _LOG.warning("%s holds no points.", points.file)
    return _without_points_at_origin(tracks, points.file)


def choose_parents(t: FloatArray, links: IntArray, file: str, place_of_link: Callable[[int], str]) -> IntArray:
    """Return each point's parent row from links whose direction may be wrong: the earlier end is the parent.

    Parameters
    ----------
    t
        Frame of each point, shape (n,).
    links
        Rows of two points each, shape (m, 2), in any order; a link given twice counts once.
    file
        The file, as messages should name it.
    place_of_link
        Where a link stands in the file.

    Returns
    -------
    IntArray
        Parent row of each point, −1 for none, shape (n,).

    Raises
    ------
    TracksError
        If a link joins two points of one frame, or a point has two parents (a merge).
    """
    parent_row = np.full(len(t), -1, np.int64)
    if len(links) == 0:
        return parent_row
    swapped = t[links[:, 0]] > t[links[:, 1]]
    parent, child = np.where(swapped[:, None], links[:, ::-1], links).T
    level = np.flatnonzero(t[parent] == t[child])
    if len(level):
        raise TracksError(
            f"{file}, {place_of_link(int(level[0]))}: the link joins two points of frame {t[parent[level[0]]]:g}.",
            measured=f"{len(level)} such links of {len(links)}",
            cause="a slip of the mouse, or frames numbered in another way than the links",
            fix="remove the link in the annotation tool and export again",
        )
    order = np.lexsort((parent, child))
    first = np.ones(len(order), np.bool_)
    first[1:] = (np.diff(child[order]) != 0) | (np.diff(parent[order]) != 0)
    kept = order[first]
    again = np.flatnonzero(np.diff(child[kept]) == 0)
    if len(again):
        one, two = int(kept[again[0]]), int(kept[again[0] + 1])
        raise TracksError(
            f"{file}, {place_of_link(max(one, two))}: the point in frame {t[child[one]]:g} gets a second parent "
            f"(the first by {place_of_link(min(one, two))}).",
            measured=f"{len(again)} merges among {len(kept)} links",
            cause="two tracks were joined by mistake: cells divide, they do not merge",
            fix="remove one of the two links in the annotation tool and export again",
        )
    parent_row[child[kept]] = parent[kept]
    return parent_row


def _check_numbers(points: TrackPoints, um_per_unit: float) -> None:
    with np.errstate(over="ignore", invalid="ignore"):
        far = np.asarray(~(np.abs(points.zyx * um_per_unit) <= _LARGEST_UM).all(axis=1))
    if far.any():
        row = int(far.argmax())
        shown = ", ".join(f"{value:g}" for value in points.zyx[row])
        raise TracksError(
            f"{points.file}, {points.place(row)}: the position (z, y, x) = ({shown}) is not a place in an embryo.",
            measured=f"{int(far.sum())} such points of {len(far)}",
            cause="an empty cell, NaN, or columns in another order",
            fix="repair or remove these points",
        )
    whole = (points.t >= 0) & (points.t <= _LARGEST_FRAME) & (points.t == np.floor(points.t))
    if not whole.all():
        row = int(whole.argmin())
        raise TracksError(
            f"{points.file}, {points.place(row)}: t is {points.t[row]:g}, a frame is a whole number from 0 upwards.",
            measured=f"{int((~whole).sum())} such points of {len(whole)}",
            cause="times in seconds or minutes in place of frame numbers, or columns in another order",
            fix="write the number of the frame, counted from 0",
        )


def _check_ids(points: TrackPoints) -> None:
    order = np.argsort(points.id, kind="stable")
    again = np.flatnonzero(np.diff(points.id[order]) == 0)
    if len(again):
        first, second = int(order[again[0]]), int(order[again[0] + 1])
        raise TracksError(
            f"{points.file}, {points.place(second)}: the id {points.id[second]} is already used by "
            f"{points.place(first)}, an id must be unique.",
            measured=f"{len(again)} repeated ids among {len(order)} points",
            cause="a track id stands in the place of the point id, or a table was pasted twice",
            fix="give every point its own id and let parent_id point to it",
        )
    nameless = np.flatnonzero(points.id == -1)
    if len(nameless):
        raise TracksError(
            f"{points.file}, {points.place(int(nameless[0]))}: the id is -1, which stands for 'no parent'.",
            fix="number points from 0 upwards",
        )


def _find_parents(points: TrackPoints) -> IntArray:
    row = np.where(points.parent_id == -1, -1, find_rows(points.id, points.parent_id))
    missing = np.flatnonzero((row == -1) & (points.parent_id != -1))
    if len(missing):
        first = int(missing[0])
        all_missing = len(missing) == len(points.id)
        raise TracksError(
            f"{points.file}, {points.place(first)}: point {points.id[first]} names the parent "
            f"{points.parent_id[first]}, which is not in the file.",
            measured=f"{len(missing)} of {len(points.id)} points have a parent that is missing",
            cause="a table of daughter cells only, without their mothers"
            if all_missing
            else "part of a larger table, or ids that were renumbered",
            fix="read the table of the whole tracks, or write -1 as parent where a track begins",
        )
    return row


def _check_forest(points: TrackPoints, parent_row: IntArray) -> None:
    child = np.flatnonzero(parent_row >= 0)
    late = child[points.t[parent_row[child]] >= points.t[child]]
    if len(late):
        row, parent = int(late[0]), int(parent_row[late[0]])
        raise TracksError(
            f"{points.file}, {points.place(row)}: point {points.id[row]} in frame {points.t[row]:g} has its parent "
            f"{points.id[parent]} in frame {points.t[parent]:g}, a parent must be earlier.",
            measured=f"{len(late)} such links of {len(child)}",
            cause="links stored from child to parent, or tracks written backwards in time",
            fix="swap the direction of these links",
        )
    children = np.bincount(parent_row[child], minlength=1)
    if int(children.max()) > 2:
        row = int(children.argmax())
        third = int(np.flatnonzero(parent_row == row)[2])
        raise TracksError(
            f"{points.file}, {points.place(third)}: a third child of point {points.id[row]} in frame "
            f"{points.t[row]:g}; a cell divides into two.",
            measured=f"{int((children > 2).sum())} points have more than two children",
            cause="a mistaken link, or two divisions merged because frames were skipped",
            fix="remove the wrong link in the annotation tool and export again",
        )


def _usable_radius_um(points: TrackPoints, um_per_unit: float) -> FloatArray | None:
    """Return the radius in µm, or None where the file holds none or one of them is not a size."""
    if points.radius is None:
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        radius_um = points.radius * um_per_unit
        unusable = int((~((radius_um > 0) & (radius_um <= _LARGEST_UM))).sum())
    if unusable:
        _LOG.warning(
            "%s: %d of %d radii are missing or not positive; all are ignored.", points.file, unusable, len(radius_um)
        )
        return None
    return radius_um


def _without_points_at_origin(tracks: Tracks, file: str) -> Tracks:
    fault = (tracks.zyx_um == 0).all(axis=1)
    if not fault.any():
        return tracks
    touched = tracks.edges[fault[tracks.edges].any(axis=1)]
    _LOG.warning(
        "%s: dropped %d points at exactly (0, 0, 0) and cut their %d links; annotation tools leave such points behind.",
        file,
        int(fault.sum()),
        len(touched),
    )
    return tracks.rows(~fault)
