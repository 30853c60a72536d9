"""How many nuclei were found, and how exactly."""

from __future__ import annotations

import math

import numpy as np

from morula.core.evaluation import NodeMeasures
from morula.evaluate.matched import MatchedTracks
from morula.evaluate.rows import holds


def measure_nodes(matched: MatchedTracks, *, dense: bool) -> NodeMeasures:
    """Measure recall, precision and localisation of single points.

    Recall is the share of scored truth points with a match. Precision leaves out what was matched to truth points that
    are not scored: matched to scored / (all reconstructed − matched to others); with sparse truth it is unknown.
    """
    found = matched.scored & (matched.point_of_truth >= 0)
    elsewhere = (matched.point_of_reconstruction >= 0) & ~holds(matched.scored, matched.point_of_reconstruction)
    n_found, n_scored = int(found.sum()), int(matched.scored.sum())
    n_judged = matched.reconstruction.n - int(elsewhere.sum())
    distance_um = matched.distance_um[found]
    precision = (n_found / n_judged if n_judged else math.nan) if dense else None
    return NodeMeasures(
        matched_points=n_found,
        node_recall=n_found / n_scored if n_scored else math.nan,
        node_precision=precision,
        localisation_median_um=float(np.median(distance_um)) if n_found else math.nan,
        localisation_p95_um=float(np.percentile(distance_um, 95)) if n_found else math.nan,
    )
