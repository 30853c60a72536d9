import math

import numpy as np
import pytest

from morula.core.tracks import Tracks
from morula.evaluate.matched import match_tracks
from morula.evaluate.nodes import measure_nodes


def points(*y_um: float) -> Tracks:
    """Points of one frame on a line."""
    n = len(y_um)
    zyx = np.stack([np.zeros(n), np.array(y_um), np.zeros(n)], axis=1)
    return Tracks(np.zeros(n, int), zyx, np.arange(n), np.full(n, -1))


def measure(found: Tracks, truth: Tracks, *, dense: bool = True, scored=None):
    scored = np.ones(truth.n, bool) if scored is None else np.array(scored)
    return measure_nodes(match_tracks(found, truth, 3.0, scored), dense=dense)


def test_recall_precision_and_distances_are_those_of_the_matched_points():
    """truth 0 10 20 30; found 1, 12, 50: two of four found, two of three right, 1 and 2 µm away."""
    measured = measure(points(1, 12, 50), points(0, 10, 20, 30))
    assert (measured.matched_points, measured.node_recall) == (2, 0.5)
    assert measured.node_precision == pytest.approx(2 / 3)
    assert measured.localisation_median_um == pytest.approx(1.5)
    assert measured.localisation_p95_um == pytest.approx(1.95)


def test_precision_is_unknown_with_sparse_truth():
    assert measure(points(1, 50), points(0), dense=False).node_precision is None


def test_points_found_at_truth_that_is_not_scored_are_neither_right_nor_wrong():
    """found 0 and 10 are right, 10 is not scored, 50 is false: precision 1 / (3 - 1)."""
    measured = measure(points(0, 10, 50), points(0, 10, 20), scored=[True, False, True])
    assert (measured.node_recall, measured.node_precision) == (0.5, 0.5)


def test_nothing_found_has_no_precision_and_no_distance():
    measured = measure(points(), points(0))
    assert measured.node_recall == 0
    assert math.isnan(measured.node_precision)
    assert math.isnan(measured.localisation_median_um)
    assert math.isnan(measured.localisation_p95_um)
