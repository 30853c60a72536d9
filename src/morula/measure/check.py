"""Do the annotations fit the movie, and are there enough of them? Errors and warnings in the user's words.

Owns the messages; the evidence from the image is gathered in `morula.measure.evidence`.
"""

from __future__ import annotations

import logging
from typing import Literal

import numpy as np

from morula.core.columns import FloatArray
from morula.core.movie import Movie
from morula.core.tracks import Tracks
from morula.errors import AnnotationError
from morula.measure.evidence import list_readings, measure_fit
from morula.measure.samples import find_inside

_log = logging.getLogger(__name__)

Role = Literal["training", "validation", "truth"]

LEAST_POINTS, LEAST_LINKS = 10, 5
"""With fewer, training has nothing to learn from."""

_TOLERANCE_VOX = 1.0
_LEAST_LINEAGES = 3
"""Points of one or two lineages lie at one or two places, where another reading may hit a nucleus by chance."""

_GOOD_FIT, _POOR_FIT, _BETTER_BY = 0.6, 0.3, 0.3


def check_annotations(movie: Movie, annotations: Tracks, *, role: Role = "training") -> None:
    """Refuse annotations that cannot belong to this movie or are too few; warn where they are doubtful.

    Parameters
    ----------
    movie
        The movie.
    annotations
        Track points in µm.
    role
        What they are for; only training needs a minimum of ten points and five links.

    Raises
    ------
    AnnotationError
        If points lie in frames the movie does not have or outside its faces, if the image says they are in voxels or
        in another axis order, or if there are fewer than can be learned from.

    Notes
    -----
    Reads four frames; more only if the annotations do not lie on bright blobs.
    """
    _check_number(annotations, role)
    _check_frames(movie, annotations, role)
    _check_faces(movie, annotations, role)
    _check_image(movie, annotations, role)


def _check_number(annotations: Tracks, role: Role) -> None:
    links = len(annotations.edges)
    least = LEAST_POINTS if role == "training" else 1
    if annotations.n < least or (role == "training" and links < LEAST_LINKS):
        raise AnnotationError(
            f"{role} annotations: {annotations.n} points and {links} links are fewer than can be learned from."
            if role == "training"
            else f"{role} annotations: there is no point.",
            measured=f"{annotations.n} points, {links} links; needed: {least} points"
            + (f" and {LEAST_LINKS} links" if role == "training" else ""),
            cause="an empty table, or points exported without their parents" if annotations.n else "an empty table",
            fix="annotate a few cells over several frames; three tracks of twenty frames are a good start",
        )
    if not links:
        _log.warning("%s annotations have no links: motion and lineages cannot be judged with them", role)


def _check_frames(movie: Movie, annotations: Tracks, role: Role) -> None:
    late = annotations.t >= movie.n_frames
    if not late.any():
        return
    first, last = int(annotations.t.min()), int(annotations.t.max())
    from_one = first >= 1 and last == movie.n_frames
    raise AnnotationError(
        f"{role} annotations: {int(late.sum())} of {annotations.n} points lie in frames {movie.name} does not have.",
        measured=f"the movie has frames 0 to {movie.n_frames - 1}, the annotations reach from {first} to {last}",
        cause="frames counted from 1 instead of 0" if from_one else "annotations of another, or of a longer, movie",
        fix="subtract 1 from t" if from_one else "give the whole movie, or only the points of its frames",
    )


def _check_faces(movie: Movie, annotations: Tracks, role: Role) -> None:
    inside = find_inside(movie, annotations.t, annotations.zyx_um, tolerance_vox=_TOLERANCE_VOX)
    if inside.all():
        return
    low, high = annotations.zyx_um.min(axis=0), annotations.zyx_um.max(axis=0)
    cause, fix = (
        "annotations of another movie, of an uncropped one, or with another origin",
        ("shift the annotations to the movie's first voxel, or leave these points out"),
    )
    for reading in list_readings(movie, annotations)[1:]:
        if find_inside(movie, annotations.t, reading.zyx_um, tolerance_vox=_TOLERANCE_VOX).all():
            cause, fix = f"positions are not in µm: all points fit if read as {reading.name}", reading.fix
            if reading.name.startswith("µm"):
                cause = f"axes in another order: all points fit if read as {reading.name}"
            break
    raise AnnotationError(
        f"{role} annotations: {int((~inside).sum())} of {annotations.n} points lie outside {movie.name}.",
        measured=f"the movie reaches from 0 to {_triple(movie.extent_um)} µm (z, y, x), "
        f"the annotations from {_triple(low)} to {_triple(high)}",
        cause=cause,
        fix=fix,
    )


def _check_image(movie: Movie, annotations: Tracks, role: Role) -> None:
    given, *others = list_readings(movie, annotations)
    fit = measure_fit(movie, annotations, given)
    if fit >= _GOOD_FIT:
        return
    enough = annotations.n >= LEAST_POINTS and int((annotations.parent_row < 0).sum()) >= _LEAST_LINEAGES
    fits = [measure_fit(movie, annotations, reading) for reading in others] if enough else []
    best = int(np.argmax(fits)) if fits else 0
    if fits and fits[best] >= max(_GOOD_FIT, fit + _BETTER_BY):
        true = others[best]
        raise AnnotationError(
            f"{role} annotations: the points do not lie on nuclei of {movie.name}, but would if read as {true.name}.",
            measured=f"{fit:.0%} of the points lie on bright blobs as {given.name}, {fits[best]:.0%} as {true.name} "
            "(chance: 10%)",
            cause=f"positions are {true.name} instead of {given.name}",
            fix=true.fix,
        )
    if fit < _POOR_FIT:
        _log.warning(
            "%s annotations: only %.0f %% of the points lie on bright blobs of %s (chance: 10 %%); "
            "check channel, voxel size, axis order and frame numbers",
            role,
            100 * fit,
            movie.name,
        )


def _triple(values: FloatArray) -> str:
    return "(" + ", ".join(f"{value:.4g}" for value in values) + ")"
