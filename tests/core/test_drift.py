import pickle

import numpy as np
import pytest

from morula.core.drift import MovieDrift
from morula.errors import MovieError

VOXEL = np.array([2.0, 0.8, 0.8])
JUMP = MovieDrift(np.array([[0, 0, 0], [0, 0, 0], [1, -15, 2], [0, 0, 0]]), VOXEL)


def test_a_neighbouring_frame_is_looked_at_where_the_image_went():
    """The image jumps by (1, −15, 2) voxels from frame 1 to 2: from 2 look back by that, from 1 look ahead by it."""
    assert JUMP.offset_vox(2, -1).tolist() == [-1, 15, -2]
    assert JUMP.offset_vox(1, 1).tolist() == [1, -15, 2]
    for t, steps in ((0, 1), (1, -1), (2, 0), (2, 1), (3, -1)):
        assert not JUMP.offset_vox(t, steps).any()


def test_over_several_frames_steps_add_up_and_there_and_back_is_nothing():
    steps = np.random.default_rng(0).integers(-9, 9, (7, 3))
    steps[0] = 0
    drift = MovieDrift(steps, VOXEL)
    assert drift.offset_vox(1, 3).tolist() == steps[2:5].sum(axis=0).tolist()
    for t in range(7):
        for other in range(7):
            assert (drift.offset_vox(t, other - t) + drift.offset_vox(other, t - other) == 0).all()


def test_beyond_the_ends_of_the_movie_the_outermost_frame_repeats():
    assert not JUMP.offset_vox(0, -1).any()
    assert not JUMP.offset_vox(3, 1).any()
    assert JUMP.offset_vox(1, 5).tolist() == JUMP.offset_vox(1, 2).tolist() == [1, -15, 2]
    assert JUMP.offset_vox(2, -9).tolist() == [-1, 15, -2]


def test_shifts_are_applied_in_whole_voxels_and_said_as_applied():
    drift = MovieDrift.from_um(np.array([[0, 0, 0], [0.9, 12.3, -0.3], [1.1, 0.3, 0.5]]), VOXEL)
    assert drift.step_vox.tolist() == [[0, 0, 0], [0, 15, 0], [1, 0, 1]]
    assert drift.step_um == pytest.approx(np.array([[0, 0, 0], [0, 12, 0], [2, 0, 0.8]]))
    assert drift.shifted_frames.tolist() == [1, 2]
    assert drift.to_plain() == {"1": [0, 15, 0], "2": [1, 0, 1]}


def test_no_drift_has_nothing_to_say():
    none = MovieDrift.none(5, VOXEL)
    assert none.n_frames == 5
    assert none.to_plain() == {}
    assert not none.step_um.any()


@pytest.mark.parametrize(
    ("step", "what"),
    [
        (np.array([[0, 1, 0], [0, 0, 0]]), "first frame has no earlier one"),
        (np.zeros((0, 3)), "first frame has no earlier one"),
        (np.zeros((3, 2)), "step_vox has shape"),
        (np.array([[0, 0, 0], [0, 0.5, 0]]), "not whole numbers"),
    ],
)
def test_impossible_drift_is_refused(step, what):
    with pytest.raises(MovieError, match=what):
        MovieDrift(step, VOXEL)


def test_it_comes_back_from_another_process_read_only():
    back = pickle.loads(pickle.dumps(JUMP))
    assert back.step_vox.tolist() == JUMP.step_vox.tolist()
    assert not back.step_vox.flags.writeable
    back.offset_vox(1, 1)[0] = 7  # a copy: the table stays
    assert back.step_vox.tolist() == JUMP.step_vox.tolist()
