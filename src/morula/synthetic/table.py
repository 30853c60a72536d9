"""Embryos from a table of real lineages: cleaned, scaled to µm, cut to some frames, put into a movie. Reads no file."""

from __future__ import annotations

import logging

import numpy as np
from scipy.spatial import cKDTree

from morula.core.columns import FloatArray
from morula.core.tracks import Tracks
from morula.errors import ConfigError, TracksError
from morula.synthetic.embryo import Embryo, frame_tracks
from morula.synthetic.nuclei import nucleus_radii
from morula.synthetic.params import SyntheticParams

_LARGEST_RADIUS = 0.45  # of a nucleus over the distance to its cell's nearest neighbour
_LEAST_SHRINK = 0.5  # points at one place are faults of the table; their nuclei overlap rather than vanish

_logger = logging.getLogger(__name__)


def embryo_from_tracks(
    tracks: Tracks,
    params: SyntheticParams,
    *,
    um_per_unit: float | None = None,
    frames: range | None = None,
    min_cells: int = 100,
) -> Embryo:
    """Place dense lineages taken from a table in a movie that just holds them.

    Parameters
    ----------
    tracks
        Dense lineages; positions in any one unit, read as if in µm. Points at exactly (0, 0, 0) are faults and dropped.
    params
        Seed, movie and looks are used; of `params.embryo` only `spacing_um`.
    um_per_unit
        Micrometres per unit of the table. None scales so that the median distance of nearest neighbours, in the
        frames kept, is `params.embryo.spacing_um`.
    frames
        Frames of the table to keep, step 1; None keeps those from the first with `min_cells` cells on, to the end.
    min_cells
        See `frames`.

    Returns
    -------
    Embryo
        Frames counted from 0; nothing lies outside the movie.

    Raises
    ------
    TracksError
        If no frame has enough cells, a kept frame is empty, or neighbours cannot be measured.
    ConfigError
        If `um_per_unit` is not positive.
    """
    if um_per_unit is not None and not 0 < um_per_unit < np.inf:
        raise ConfigError(
            f"the table's unit must be a positive length, not {um_per_unit} µm.",
            fix="give --um-per-unit above 0, or leave it out to scale by the distance of neighbouring cells",
        )
    clean = _drop_faults(tracks)
    kept = _choose_frames(clean, frames, min_cells)
    t = clean.t
    part = clean.rows((t >= kept.start) & (t < kept.stop))
    nearest = measure_neighbour_distances(part)
    median = _median_distance(nearest)
    scale = params.embryo.spacing_um / median if um_per_unit is None else um_per_unit
    _logger.info("frames %d to %d, %.4g µm per unit", kept.start, kept.stop - 1, scale)
    scaled = Tracks(part.t - kept.start, part.zyx_um * scale, part.id, part.parent_row)
    radius_um = nucleus_radii(scaled, scale * median, params.render, seed=params.seed)
    radius_um = _crowded_radii(scaled, scale * nearest, radius_um)
    tissue = Tracks(scaled.t, scaled.zyx_um, scaled.id, scaled.parent_row, radius_um)
    return frame_tracks(tissue, params.movie, n_frames=len(kept), outside=0, seed=params.seed)


def measure_neighbour_distances(tracks: Tracks) -> FloatArray:
    """Return each point's distance to the nearest other point of its frame, in the unit of the positions, shape (n,).

    A point alone in its frame has the distance infinity.
    """
    nearest = np.full(tracks.n, np.inf)
    for t in np.unique(tracks.t):
        rows = np.flatnonzero(tracks.t == t)
        distance, _ = cKDTree(tracks.zyx_um[rows]).query(tracks.zyx_um[rows], k=[2])
        nearest[rows] = np.asarray(distance)[:, 0]
    return nearest


def _median_distance(nearest: FloatArray) -> float:
    known = nearest[np.isfinite(nearest)]
    median = float(np.median(known)) if len(known) else 0.0
    if not median > 0:
        raise TracksError(
            "the distance of neighbouring cells cannot be measured.",
            measured=f"{len(known)} of {len(nearest)} points have a neighbour, median distance {median:g}",
            cause="a table of one lineage, or with all cells at one place",
            fix="give a table of all cells of an embryo",
        )
    return median


def _crowded_radii(tracks: Tracks, nearest_um: FloatArray, radius_um: FloatArray) -> FloatArray:
    """Shrink the nuclei of small cells for as long as they live, so that neighbours hardly overlap."""
    order = np.argsort(tracks.tracklet_id(), kind="stable")
    pieces = np.split(order, np.flatnonzero(np.diff(tracks.tracklet_id()[order])) + 1)
    radius_um = radius_um.copy()
    for rows in pieces:
        largest_um = _LARGEST_RADIUS * float(np.median(nearest_um[rows]))
        radius_um[rows] *= np.clip(largest_um / float(np.median(radius_um[rows])), _LEAST_SHRINK, 1.0)
    return radius_um


def _drop_faults(tracks: Tracks) -> Tracks:
    fault = (tracks.zyx_um == 0).all(axis=1)
    if fault.any():
        _logger.warning("%d points at exactly (0, 0, 0) are faults of the table and dropped.", int(fault.sum()))
    return tracks.rows(~fault)


def _choose_frames(tracks: Tracks, frames: range | None, min_cells: int) -> range:
    """Return the frames to keep; none of them may be empty."""
    cells = np.bincount(tracks.t, minlength=1)
    if frames is None:
        enough = np.flatnonzero(cells >= min_cells)
        if not len(enough):
            raise TracksError(
                f"no frame of the table has {min_cells} cells.",
                measured=f"at most {int(cells.max())} in one frame, {tracks.n} points in all",
                fix="ask for fewer cells, or name the frames",
            )
        frames = range(int(enough[0]), len(cells))
    empty = [t for t in frames if t < 0 or t >= len(cells) or not cells[t]]
    if frames.step != 1 or not frames or empty:
        raise TracksError(
            f"frames {frames.start} to {frames.stop - 1} of the table cannot become a movie.",
            measured=f"the last frame of the table is {len(cells) - 1}; "
            f"{len(empty)} of the frames asked for have no cell",
            fix="name frames, one after the other, in which the table has cells",
        )
    return frames
