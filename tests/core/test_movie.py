from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from morula.core.movie import Movie
from morula.errors import MovieError

RAMP = np.arange(3 * 4 * 5 * 6, dtype=np.uint16).reshape(3, 4, 5, 6)


class Recorder:
    """A lazy array that remembers which boxes were read."""

    def __init__(self, array: np.ndarray) -> None:
        self.array, self.shape, self.dtype, self.boxes = array, array.shape, array.dtype, []

    def __getitem__(self, box):
        assert all(0 <= s.start < s.stop <= n for s, n in zip(box, self.shape, strict=True))
        self.boxes.append(box)
        return self.array[box]


def _movie(array=RAMP, **changes) -> Movie:
    return Movie(**{"tzyx": array, "voxel_size_um": [2.0, 0.5, 0.5], **changes})


@given(
    start=st.tuples(*[st.integers(-9, 12)] * 4),
    size=st.tuples(*[st.integers(1, 6)] * 4),
)
def test_reading_replicates_the_outermost_voxels_as_padding_does(start, size) -> None:
    stop = tuple(a + n for a, n in zip(start, size, strict=True))
    padded = np.pad(RAMP, 20, mode="edge")[tuple(slice(a + 20, b + 20) for a, b in zip(start, stop, strict=True))]
    box = _movie().read(start, stop)
    assert box.dtype == np.float32
    assert np.array_equal(box, padded)


def test_only_voxels_of_the_movie_are_asked_for_and_only_those_needed() -> None:
    lazy = Recorder(RAMP)
    _movie(lazy).read((-2, 1, -3, 4), (1, 3, 2, 9))
    assert lazy.boxes == [(slice(0, 1), slice(1, 3), slice(0, 2), slice(4, 6))]


def test_a_box_is_a_copy_that_the_caller_may_change() -> None:
    movie = _movie(RAMP.astype(np.float32))
    movie.read((0, 0, 0, 0), (1, 4, 5, 6))[:] = 0
    assert np.array_equal(movie.frame(0), RAMP[0])


def test_a_frame_comes_in_the_movies_own_type() -> None:
    frame = _movie().frame(2)
    assert frame.dtype == np.uint16
    assert np.array_equal(frame, RAMP[2])


def test_the_extent_is_the_centre_of_the_last_voxel() -> None:
    movie = _movie()
    assert movie.extent_um.tolist() == [6.0, 2.0, 2.5]
    assert (movie.shape, movie.n_frames) == ((3, 4, 5, 6), 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tzyx": RAMP[0]}, r"four axes T,Z,Y,X .* this one has shape \(4, 5, 6\)"),
        ({"tzyx": RAMP[:0]}, r"at least one voxel each, this one has shape \(0, 4, 5, 6\)"),
        ({"voxel_size_um": [2.0, 0.0, 0.5]}, r"voxel size must be positive"),
        ({"voxel_size_um": [2.0, -1.0, 0.5]}, r"z, y, x = \[2.0, -1.0, 0.5\] µm"),
        ({"voxel_size_um": [2.0, 0.5]}, r"voxel_size_um has shape \(2,\)"),
        ({"voxel_size_um": [2.0, 0.5, np.nan]}, r"1 values that are not finite"),
        ({"frame_interval_s": 0.0}, r"frame interval must be positive, not 0.0 s"),
        ({"frame_interval_s": float("nan")}, r"frame interval must be positive, not nan s"),
        ({"mask_tzyx": RAMP[:1]}, r"the mask has shape \(1, 4, 5, 6\), the movie \(3, 4, 5, 6\)"),
    ],
)
def test_a_movie_without_sense_cannot_be_built(changes, message) -> None:
    with pytest.raises(MovieError, match=message):
        _movie(**changes, name="embryo")
