"""Matching of points: which reconstructed nucleus is which true one, frame by frame and one to one."""

from __future__ import annotations

from morula.core.columns import FloatArray, FrameArray, IntArray
from morula.matching.assignment import choose_most_pairs
from morula.matching.pairs import ClosePairs, find_close_pairs


def match_points(
    zyx_a: FloatArray, t_a: FrameArray, zyx_b: FloatArray, t_b: FrameArray, max_distance_um: float
) -> tuple[IntArray, IntArray, FloatArray]:
    """Match the points of two sets one to one within each frame.

    Among all one-to-one choices of pairs within the distance, one with the largest number of pairs is taken and among
    those the one with the least total distance: a near miss never makes two cells out of one, and two neighbours are
    never exchanged. Solved for each group of points that compete for each other (sparse, never one matrix per frame).

    Parameters
    ----------
    zyx_a, zyx_b
        Positions in µm, z, y, x, shapes (n, 3) and (m, 3).
    t_a, t_b
        Frames, shapes (n,) and (m,); rows in any order.
    max_distance_um
        Largest distance in µm, inclusive.

    Returns
    -------
    rows_a, rows_b
        Rows of the matched points, shape (k,), sorted by frame and place of a.
    distance_um
        Their distance, µm, shape (k,).

    Raises
    ------
    ConfigError
        If the distance is not positive and finite.

    Examples
    --------
    >>> import numpy as np
    >>> truth = np.array([[0.0, 0, 0], [0.0, 0, 4]])
    >>> found = np.array([[0.0, 0, 3], [0.0, 0, 6]])
    >>> rows_a, rows_b, distance_um = match_points(truth, np.zeros(2, int), found, np.zeros(2, int), 3.0)
    >>> rows_a.tolist(), rows_b.tolist(), distance_um.tolist()
    ([0, 1], [0, 1], [3.0, 2.0])
    """
    return choose_points(find_close_pairs(zyx_a, t_a, zyx_b, t_b, max_distance_um))


def choose_points(pairs: ClosePairs) -> tuple[IntArray, IntArray, FloatArray]:
    """Match points as `match_points` does, from pairs already found."""
    chosen = choose_most_pairs(pairs.row_a, pairs.row_b, pairs.distance_um)
    return pairs.row_a[chosen], pairs.row_b[chosen], pairs.distance_um[chosen]
