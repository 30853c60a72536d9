import numpy as np

from morula.core.tracks import Tracks
from morula.evaluate.evaluate import evaluate_tracks
from morula.evaluate.params import EvaluateParams


def test_each_place_names_frame_position_and_both_points():
    """
    truth   50-51-52      y = 0          found   70-71 72-73    y = 1: the link into frame 2 is missing,
                                                                72-73 goes on where the dense truth has ended
    """
    t = np.arange(4)
    zyx = np.stack([0 * t, 0 * t, 2 * t], axis=1).astype(float)
    truth = Tracks(t[:3], zyx[:3], t[:3] + 50, t[:3] - 1)
    found = Tracks(t, zyx + np.array([0, 1, 0]), t + 70, np.array([-1, 0, -1, 2]))
    errors = evaluate_tracks(found, truth, EvaluateParams(max_distance_um=3, dense=True)).errors
    assert errors.kind.tolist() == ["fn_edge", "fp_edge"]
    assert errors.t.tolist() == [2, 3]
    assert errors.zyx_um.tolist() == [[0, 0, 4], [0, 1, 6]]
    assert errors.truth_id.tolist() == [52, -1]
    assert errors.reconstruction_id.tolist() == [72, 73]


def test_places_come_by_frame_then_kind_then_position():
    """Truth at y = 0, 9 and 20 misses its links into frames 1 and 2; a false link runs at y = −30.

    Frame 1 lists the missing links by y and then the false one, although that lies below all of them.
    """
    t = np.tile(np.arange(3), 3)
    zyx = np.stack([0 * t, np.repeat([9, 20, 0], 3), 0 * t], axis=1).astype(float)
    truth = Tracks(t, zyx, np.arange(9), np.array([-1, 0, 1, -1, 3, 4, -1, 6, 7]))
    found = Tracks([0, 1], [[0, -30, 0], [0, -30, 0]], [0, 1], [-1, 0])
    errors = evaluate_tracks(found, truth, EvaluateParams(dense=True)).errors
    assert errors.t.tolist() == [1, 1, 1, 1, 2, 2, 2]
    assert errors.kind.tolist() == ["fn_edge"] * 3 + ["fp_edge"] + ["fn_edge"] * 3
    assert errors.zyx_um[:, 1].tolist() == [0, 9, 20, -30, 0, 9, 20]
