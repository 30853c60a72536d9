from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from morula.core.tracks import Tracks
from morula.synthetic.embryo import Embryo, frame_tracks, make_embryo
from morula.synthetic.params import EmbryoParams, MovieParams, SyntheticParams, preset_params


def test_the_demo_embryo_has_the_size_it_promises(demo_embryo: Embryo) -> None:
    cells = np.bincount(demo_embryo.tracks.t)
    assert cells[0] == 120
    assert cells.min() >= 100
    assert len(cells) == demo_embryo.shape_tzyx[0] == 32
    assert 5e6 < np.prod(demo_embryo.shape_tzyx) < 10e6


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_demo_embryo_divides_and_misleads_nearest_neighbours_in_places(seed: int) -> None:
    tracks = make_embryo(preset_params("medium", seed=seed)).tracks
    assert 25 <= (tracks.n_children == 2).sum() <= 60
    wrong = total = 0
    for t in range(1, 32):
        before, now = np.flatnonzero(tracks.t == t - 1), np.flatnonzero((tracks.t == t) & (tracks.parent_row >= 0))
        distance = np.linalg.norm(tracks.zyx_um[now][:, None] - tracks.zyx_um[before], axis=2)
        wrong += (before[distance.argmin(axis=1)] != tracks.parent_row[now]).sum()
        total += len(now)
    assert 0.005 < wrong / total < 0.15


def test_the_truth_lies_inside_the_movie_and_is_a_part_of_the_tissue(demo_embryo: Embryo) -> None:
    tracks, tissue = demo_embryo.tracks, demo_embryo.tissue
    assert ((tracks.zyx_um >= 0) & (tracks.zyx_um <= demo_embryo.extent_um)).all()
    assert np.isin(tracks.id, tissue.id).all()
    assert tracks.n < tissue.n
    assert tracks.radius_um is not None
    assert 2.0 < tracks.radius_um.min() < tracks.radius_um.max() < 4.5


def test_cells_enter_and_leave_through_the_face_that_cuts_the_embryo(demo_embryo: Embryo) -> None:
    tracks = demo_embryo.tracks
    entering = (tracks.parent_row < 0) & (tracks.t > 0)
    gone = (tracks.n_children == 0) & (tracks.t < 31)
    assert entering.sum() > 5
    assert gone.sum() > 5
    assert np.median(tracks.zyx_um[entering, 2]) < 6.0


def test_without_an_outside_every_lineage_begins_in_the_first_frame() -> None:
    params = SyntheticParams(embryo=EmbryoParams(cells=30, frames=6), movie=MovieParams(outside_share=0.0))
    embryo = make_embryo(params)
    assert embryo.tracks.n == embryo.tissue.n
    assert (embryo.tracks.t[embryo.tracks.parent_row < 0] == 0).all()


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 1000), st.integers(2, 40), st.integers(1, 6), st.floats(0, 0.5))
def test_any_embryo_holds_the_cells_asked_for_and_is_made_twice_alike(
    seed: int, cells: int, frames: int, outside: float
) -> None:
    params = SyntheticParams(
        seed=seed,
        embryo=EmbryoParams(cells=cells, frames=frames, death_rate=0.0),
        movie=MovieParams(outside_share=outside, stage_jumps=1),
    )
    once, again = make_embryo(params), make_embryo(params)
    assert (once.tracks.t == 0).sum() == cells
    assert once.shape_tzyx == again.shape_tzyx
    assert once.shape_tzyx[0] == frames
    np.testing.assert_array_equal(once.tracks.zyx_um, again.tracks.zyx_um)
    np.testing.assert_array_equal(once.tracks.radius_um, again.tracks.radius_um)


def test_a_movie_of_a_table_leaves_the_margin_on_every_side() -> None:
    table = Tracks.from_ids([0, 1], [[10.0, 20.0, 30.0], [14.0, 20.0, 38.0]], [0, 1], [-1, 0], np.ones(2))
    embryo = frame_tracks(
        table, MovieParams(margin_um=4.0, voxel_size_um=(2.0, 1.0, 0.5)), n_frames=2, outside=0, seed=0
    )
    np.testing.assert_allclose(embryo.tracks.zyx_um, [[4, 4, 4], [8, 4, 12]])
    assert embryo.shape_tzyx == (2, 7, 9, 33)
    np.testing.assert_allclose(embryo.extent_um, [12, 8, 16])


def test_a_stage_jump_shifts_all_cells_of_a_frame_by_its_length_and_the_next_one_leads_back() -> None:
    calm = SyntheticParams(embryo=EmbryoParams(cells=30, frames=12), movie=MovieParams(outside_share=0.0))
    jumping = replace(calm, movie=MovieParams(outside_share=0.0, stage_jumps=2, stage_jump_um=15.0))
    before, after = make_embryo(calm).tissue, make_embryo(jumping).tissue
    shift = after.zyx_um - before.zyx_um
    shift -= shift[0]
    length = np.linalg.norm(shift, axis=1)
    frames_away = np.unique(before.t[length > 1])
    assert 0 < len(frames_away) < 12
    np.testing.assert_allclose(length[np.isin(before.t, frames_away)], 15.0)
    np.testing.assert_allclose(length[~np.isin(before.t, frames_away)], 0.0, atol=1e-9)
    assert np.array_equal(frames_away, np.arange(frames_away[0], frames_away[-1] + 1))


def test_a_movie_goes_on_when_every_cell_has_died() -> None:
    embryo = make_embryo(SyntheticParams(embryo=EmbryoParams(cells=5, frames=3, death_rate=1.0)))
    assert embryo.tracks.t.tolist() == [0] * 5
    assert embryo.shape_tzyx[0] == 3
