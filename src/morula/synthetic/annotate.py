"""What a person would click: whole lineages of a few cells, for training and for validation. Owns the sparse choice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from morula.core.columns import BoolArray, IntArray
from morula.core.tracks import Tracks
from morula.errors import AnnotationError
from morula.synthetic.params import AnnotateParams

_DIVISION_PREFERENCE = 3.0  # how much likelier a lineage with divisions is chosen than one without


def annotate_sparsely(tracks: Tracks, params: AnnotateParams, *, seed: int) -> tuple[Tracks, Tracks]:
    """Choose whole lineages to annotate, both daughters followed, preferring (as people do) those that divide.

    Parameters
    ----------
    tracks
        The truth, points in µm.
    params
        Largest shares and the imprecision of a click.
    seed
        Seed of choice and clicks.

    Returns
    -------
    tuple of Tracks
        Training and validation annotations, whole trees of which none is in both, without radii. Together at most
        ``share`` of all points, validation at most ``val_share``. Training has a division where one can be afforded.

    Raises
    ------
    AnnotationError
        If not even one lineage fits into the share.
    """
    rng = np.random.default_rng([seed, 7])
    lineage = tracks.lineage_id()
    points = np.bincount(lineage)
    divisions = np.bincount(lineage, weights=tracks.n_children == 2).astype(np.int64)
    order = _prefer(divisions, points, rng)
    val_budget = int(params.val_share * tracks.n)
    train_budget = int(params.share * tracks.n) - val_budget
    dividing = [int(tree) for tree in order if divisions[tree] and points[tree] <= train_budget]
    train = _fill(order, points, train_budget, chosen=dividing[:1])
    if not train:
        raise AnnotationError(
            "no lineage is short enough to be annotated.",
            measured=f"{train_budget} points may be clicked, the shortest lineage has {points.min(initial=0)}",
            cause="few cells over many frames",
            fix="raise annotate.share, lower annotate.val_share, or make the embryo larger",
        )
    rest = np.array([tree for tree in order if tree not in set(train)], np.int64)
    val = _fill(rest, points, val_budget, chosen=[])
    return (
        _click(tracks, np.isin(lineage, train), params.jitter_um, rng),
        _click(tracks, np.isin(lineage, val), params.jitter_um, rng),
    )


def _prefer(divisions: IntArray, points: IntArray, rng: np.random.Generator) -> IntArray:
    """Order the trees at random; dividing and long ones tend to come first."""
    weight = np.where(divisions > 0, _DIVISION_PREFERENCE, 1.0) * points / max(points.max(initial=1), 1)
    return np.argsort(-(rng.random(len(weight)) ** (1.0 / weight)), kind="stable")


def _fill(order: IntArray, points: IntArray, budget: int, *, chosen: Sequence[int]) -> list[int]:
    """Take trees in order as long as they fit into the budget, `chosen` ones first."""
    taken = list(chosen)
    left = budget - int(points[taken].sum())
    for tree in order:
        if tree not in taken and points[tree] <= left:
            taken.append(int(tree))
            left -= int(points[tree])
    return taken


def _click(tracks: Tracks, keep: BoolArray, jitter_um: float, rng: np.random.Generator) -> Tracks:
    """Return the chosen points, each clicked slightly beside its centre."""
    part = tracks.rows(keep)
    return Tracks(part.t, part.zyx_um + rng.normal(0.0, jitter_um, (part.n, 3)), part.id, part.parent_row)
