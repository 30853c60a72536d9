from __future__ import annotations

import numpy as np
import pytest

from morula.core.movie import Movie
from morula.errors import ChunkError, MovieError
from morula.network.intensity import IntensityRange, measure_intensity

SHAPE = (5, 6, 20, 20)


def _noise(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(1000, 100, SHAPE).astype(np.float32)


def _movie(tzyx) -> Movie:
    return Movie(tzyx, np.ones(3), name="embryo")


class Torn:
    """A movie some of whose frames cannot be read."""

    def __init__(self, array: np.ndarray, torn: set[int]) -> None:
        self.array, self.torn, self.shape, self.dtype = array, torn, array.shape, array.dtype

    def __getitem__(self, box):
        if self.torn & set(range(box[0].start, box[0].stop)):
            raise ChunkError(f"chunk of frame {box[0].start} is damaged.")
        return self.array[box]


def test_the_constants_are_percentiles_of_the_movie() -> None:
    tzyx = _noise()
    measured = measure_intensity(_movie(tzyx), 2.0, 98.0)
    assert measured.low == pytest.approx(np.percentile(tzyx, 2.0), rel=0.01)
    assert measured.high == pytest.approx(np.percentile(tzyx, 98.0), rel=0.01)


def test_brightness_and_offset_of_the_camera_make_no_difference() -> None:
    tzyx = _noise()
    brighter = 7 * tzyx + 300
    same = [measure_intensity(_movie(m)).normalise(m) for m in (tzyx, brighter)]
    assert np.allclose(*same, atol=1e-3)


def test_intensities_become_square_roots_clipped_below_and_above() -> None:
    raw = np.array([-50, 0, 25, 100, 400, 10_000], np.float32)
    assert IntensityRange(0.0, 100.0).normalise(raw).tolist() == [0, 0, 0.5, 1, 2, 2]
    assert raw[0] == -50


def test_a_constant_frame_gets_a_warning_and_does_not_count(caplog) -> None:
    tzyx = _noise()
    expected = measure_intensity(_movie(tzyx[[0, 1, 3, 4]]))
    tzyx[2] = 7.0
    measured = measure_intensity(_movie(tzyx))
    assert [r.getMessage() for r in caplog.records] == ["embryo: frame 2 is constant (7), it holds nothing to see"]
    assert (measured.low, measured.high) == (expected.low, expected.high)


@pytest.mark.parametrize("value", [0.0, 512.0])
def test_a_constant_movie_is_refused(value) -> None:
    with pytest.raises(MovieError, match="embryo: no contrast in any of the 5 frames looked at"):
        measure_intensity(_movie(np.full(SHAPE, value)))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_voxel_that_is_not_finite_is_refused_with_its_frame(value) -> None:
    tzyx = _noise()
    tzyx[3, 1, 2, 3] = value
    with pytest.raises(MovieError, match="embryo: frame 3 holds 1 voxels that are not finite"):
        measure_intensity(_movie(tzyx))


def test_a_movie_of_rare_bright_frames_takes_the_frame_with_most_contrast() -> None:
    tzyx = np.zeros(SHAPE, np.float32)
    tzyx[:, 0, 0, 0] = 1.0  # not constant, yet its percentiles are equal
    tzyx[4] = _noise()[4]
    measured = measure_intensity(_movie(tzyx))
    assert measured.high > measured.low + 100


def test_at_most_eight_frames_and_thirty_two_planes_are_read() -> None:
    read = set()

    class Counter(Torn):
        def __getitem__(self, box):
            read.add((box[0].start, box[1].start))
            return super().__getitem__(box)

    tzyx = np.random.default_rng(1).random((40, 70, 2, 2))
    measure_intensity(_movie(Counter(tzyx, set())))
    assert len({t for t, _ in read}) == 8
    assert len({z for _, z in read}) == 32


def test_frames_that_cannot_be_read_are_left_out_with_a_warning(caplog) -> None:
    tzyx = _noise()
    measured = measure_intensity(_movie(Torn(tzyx, {1})))
    expected = measure_intensity(_movie(tzyx[[0, 2, 3, 4]]))
    assert (measured.low, measured.high) == (expected.low, expected.high)
    assert "frame 1 is left out of the intensity range: chunk of frame 1 is damaged" in caplog.text


def test_a_movie_without_a_readable_frame_is_refused() -> None:
    with pytest.raises(ChunkError, match="chunk of frame 0 is damaged"):
        measure_intensity(_movie(Torn(_noise(), set(range(5)))))
