"""From drawn divisions back to real ones: what makes the division head's answers probabilities."""

from __future__ import annotations

from math import log

import numpy as np

from morula.core.columns import FloatArray
from morula.train.labels import LabelKind, Labels


def find_event_offset(labels: Labels, drawn_share: FloatArray) -> tuple[float, float] | None:
    """Return what to add to the logits of `divides` and `born`, learned from crops with more divisions than there are.

    A classifier that learned from events drawn with share q says, at equal evidence, logit q too much and logit p too
    little, p being their share among the annotations (Saerens, Latinne and Decaestecker 2002).

    Parameters
    ----------
    labels
        All label points; annotations tell how frequent events are.
    drawn_share
        Share of each event among the points of the crops drawn, shape (2,), from `CropSampler.measure_event_shares`.

    Returns
    -------
    tuple or None
        None if the annotations hold no division, or nothing else.
    """
    annotated = labels.kind == LabelKind.ANNOTATION
    known = [column[annotated & (column >= 0)] for column in (labels.divides, labels.born)]
    share = np.array([column.mean() if len(column) else np.nan for column in known])
    both = np.concatenate([share, drawn_share])
    if not ((both > 0) & (both < 1)).all():
        return None
    divides, born = (_logit(p) - _logit(q) for p, q in zip(share.tolist(), drawn_share.tolist(), strict=True))
    return divides, born


def _logit(share: float) -> float:
    return log(share / (1.0 - share))
