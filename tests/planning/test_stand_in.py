"""Movies that stand in for others: noise that is the same each time, and boxes cut out of larger movies."""

from __future__ import annotations

import numpy as np
import pytest

from morula.core.movie import Movie
from morula.errors import ConfigError, MovieError
from morula.planning.stand_in import Excerpt, cut_excerpt, make_blank_movie


def test_a_movie_of_terabytes_costs_nothing_until_a_box_of_it_is_read() -> None:
    movie = make_blank_movie((532, 988, 2048, 2169), (5.0, 0.4, 0.4), "uint16")
    box = (slice(3, 5), slice(980, 999), slice(0, 8), slice(0, 4))
    pixels = movie.tzyx[box]
    assert (pixels.shape, pixels.dtype) == ((2, 8, 8, 4), np.uint16)
    assert pixels.std() > 5
    np.testing.assert_array_equal(movie.tzyx[box], pixels)


def test_a_type_that_is_none_of_voxels_is_refused() -> None:
    for name in ("cheese", "str", "complex64"):
        with pytest.raises(ConfigError, match="no type of voxels"):
            make_blank_movie((2, 2, 2, 2), (1.0, 1.0, 1.0), name)


def test_an_empty_axis_is_refused() -> None:
    with pytest.raises(MovieError, match="at least one voxel"):
        make_blank_movie((2, 0, 2, 2), (1.0, 1.0, 1.0), "uint8")


def test_an_excerpt_is_the_box_it_was_cut_from() -> None:
    whole = np.arange(4 * 5 * 6 * 7).reshape(4, 5, 6, 7)
    excerpt = Excerpt(whole, (1, 2, 0, 3), (2, 3, 6, 4))
    np.testing.assert_array_equal(excerpt[:, :, :, :], whole[1:3, 2:5, :, 3:])
    np.testing.assert_array_equal(excerpt[1:2, 0:2, 4:9, 2:3], whole[2:3, 2:4, 4:6, 5:6])


def test_small_movies_are_cut_in_time_only_and_large_frames_to_the_size_asked_for() -> None:
    movie = Movie(np.zeros((9, 10, 100, 100), np.uint8), np.array([2.0, 1.0, 1.0]))
    assert cut_excerpt(movie, 4, 8.0).shape == (4, 10, 100, 100)
    assert cut_excerpt(movie, 20, 0.03).shape == (9, 10, 50, 50)
