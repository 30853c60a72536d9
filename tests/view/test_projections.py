"""Projections: what is bright lies where the canvas says, frames are chosen and read within bounds."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from morula.core.movie import Movie
from morula.core.progress import Progress
from morula.view import projections
from morula.view.projections import GAP_UNITS, WIDTH_UNITS, Canvas, choose_frames, project_frame, project_frames


class Unread:
    """A lazy array of any size; reading a pixel of it fails."""

    dtype = np.dtype(np.uint16)

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape

    def __getitem__(self, box: tuple[slice, ...], /) -> npt.NDArray[Any]:
        raise AssertionError("no pixel should be read here")


class Counted:
    """A lazy array that remembers the largest box asked for."""

    def __init__(self, array: npt.NDArray[Any]) -> None:
        self.array, self.shape, self.dtype, self.largest = array, array.shape, array.dtype, 0

    def __getitem__(self, box: tuple[slice, ...], /) -> npt.NDArray[Any]:
        piece = self.array[box]
        self.largest = max(self.largest, piece.size)
        return piece


def decode(uri: str) -> npt.NDArray[np.uint8]:
    head, _, body = uri.partition(",")
    assert head == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(body))))


SIZES = st.floats(0.2, 4.0)


@settings(max_examples=40, deadline=None)
@given(voxel=st.tuples(st.integers(0, 6), st.integers(0, 8), st.integers(0, 10)), size=st.tuples(SIZES, SIZES, SIZES))
def test_a_bright_voxel_appears_where_the_canvas_places_its_position(
    voxel: tuple[int, int, int], size: tuple[float, float, float]
) -> None:
    frame = np.zeros((1, 7, 9, 11), np.uint16)
    frame[(0, *voxel)] = 1000
    movie = Movie(frame, np.array(size))
    canvas = Canvas.of_movie(movie)
    (projection,) = project_frames(movie, [0])
    top, side = decode(projection.top_png), decode(projection.side_png)
    position_um = np.array([voxel]) * size

    (u, v), (u_side, v_side) = canvas.place_top(position_um)[0], canvas.place_side(position_um)[0]
    column, row = u / WIDTH_UNITS * top.shape[1], v / canvas.top_height * top.shape[0]
    depth = (v_side - canvas.side_top) / canvas.side_height * side.shape[0]

    assert (row - 0.5, column - 0.5) == pytest.approx(voxel[1:])  # a pixel's centre is half a pixel from its edge
    assert (depth - 0.5, u_side) == pytest.approx((voxel[0], u))
    assert np.argwhere(top > 0).tolist() == [[voxel[1], voxel[2]]]
    assert np.argwhere(side > 0).tolist() == [[voxel[0], voxel[2]]]


def test_a_micrometre_is_as_long_in_z_as_in_y_and_x() -> None:
    canvas = Canvas.of_movie(Movie(np.zeros((1, 10, 50, 100)), np.array([4.0, 1.0, 0.5])))
    corner, moved = (
        canvas.place_side(np.array([[0, 0, 0], [7, 0, 0]])),
        canvas.place_top(np.array([[0, 0, 0], [0, 7, 7]])),
    )

    assert corner[1, 1] - corner[0, 1] == pytest.approx(7 * canvas.units_per_um)
    assert (moved[1] - moved[0]).tolist() == pytest.approx([7 * canvas.units_per_um] * 2)
    assert canvas.side_height / canvas.top_height == pytest.approx(40 / 50)
    assert canvas.height == pytest.approx(canvas.top_height + GAP_UNITS + canvas.side_height)


def test_a_short_movie_is_shown_whole() -> None:
    assert choose_frames(Movie(Unread((20, 20, 100, 100)), np.ones(3))) == list(range(20))


@settings(max_examples=60, deadline=None)
@given(
    n_frames=st.integers(1, 5000),
    side=st.integers(1, 3000),
    wanted=st.lists(st.integers(-5, 6000), max_size=30),
    cells=st.floats(0, 1e5),
)
def test_first_and_last_frame_are_always_chosen_and_never_too_many(
    n_frames: int, side: int, wanted: list[int], cells: float
) -> None:
    chosen = choose_frames(Movie(Unread((n_frames, 50, side, side)), np.ones(3)), wanted, cells_per_frame=cells)

    assert chosen == sorted(set(chosen))
    assert {0, n_frames - 1} <= set(chosen) <= set(range(n_frames))
    assert len(chosen) <= 60
    assert len(chosen) == n_frames or len(chosen) >= 8


def test_frames_with_mistakes_and_the_last_six_are_shown_of_a_long_movie() -> None:
    chosen = choose_frames(Movie(Unread((500, 100, 1000, 1000)), np.ones(3)), [123, 321, 123, 77])

    assert {123, 321, 77} <= set(chosen)
    assert set(range(494, 500)) <= set(chosen)
    assert len(chosen) == 12


def test_few_frames_of_a_huge_movie_are_read() -> None:
    huge = Movie(Unread((531, 988, 2048, 2169)), np.ones(3))

    assert choose_frames(huge) == [0, 530]


def test_a_frame_is_read_in_slabs_and_projects_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.random.default_rng(0).integers(0, 5000, (2, 9, 6, 5)).astype(np.uint16)
    counted = Counted(pixels)
    monkeypatch.setattr(projections, "_SLAB_VOXELS", 4 * 6 * 5)

    top, side = project_frame(Movie(counted, np.ones(3)), 1)

    assert np.array_equal(top, pixels[1].max(axis=0))
    assert np.array_equal(side, pixels[1].max(axis=1))
    assert counted.largest == 4 * 6 * 5


def test_pixels_that_are_not_finite_count_as_dark() -> None:
    pixels = np.full((1, 2, 3, 3), -1.0, np.float32)
    pixels[0, :, 1, 1] = np.nan
    pixels[0, 0, 2, 2] = np.inf

    top, _ = project_frame(Movie(pixels, np.ones(3)), 0)

    assert np.isfinite(top).all()
    assert (top[1, 1], top[2, 2]) == (0, 0)


def test_frames_share_one_contrast_so_that_a_dark_frame_stays_dark() -> None:
    pixels = np.random.default_rng(1).integers(100, 1000, (3, 4, 20, 20)).astype(np.uint16)
    pixels[2] = 0

    shown = [decode(projection.top_png).max() for projection in project_frames(Movie(pixels, np.ones(3)), [0, 1, 2])]

    assert shown[:2] == [252, 252]
    assert shown[2] == 0


def test_a_constant_movie_is_projected_without_trouble() -> None:
    (projection,) = project_frames(Movie(np.full((1, 3, 4, 5), 7), np.ones(3)), [0])

    assert decode(projection.top_png).shape == (4, 5)


def test_large_projections_are_shrunk_and_the_bound_on_bytes_is_kept() -> None:
    noise = np.random.default_rng(2).integers(0, 60000, (4, 8, 300, 700)).astype(np.uint16)
    movie = Movie(noise, np.ones(3))
    events: list[Progress] = []

    roomy = project_frames(movie, [0, 3], max_side_px=350, progress=events.append)
    tight = project_frames(movie, [0, 3], max_side_px=350, max_bytes=30_000)

    assert decode(roomy[0].top_png).shape == (150, 350)
    assert sum(len(p.top_png) + len(p.side_png) for p in tight) <= 30_000
    assert [p.t for p in tight] == [0, 3]
    assert [(event.done, event.total) for event in events] == [(1, 2), (2, 2)]
