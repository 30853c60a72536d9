from __future__ import annotations

import csv
import logging
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from morula.core.tracks import Tracks
from morula.errors import ConfigError, TracksError
from morula.synthetic.annotate import annotate_sparsely
from morula.synthetic.params import AnnotateParams, EmbryoParams, SyntheticParams
from morula.synthetic.render import render_frames
from morula.synthetic.table import embryo_from_tracks, measure_neighbour_distances

PARAMS = SyntheticParams(embryo=EmbryoParams(spacing_um=9.0))


def row_of_cells(n_cells: int, frames: int, *, apart: float = 30.0) -> Tracks:
    """Cells in a row along x, `apart` units from each other, standing still; ids are 1000·t + cell."""
    t = np.repeat(np.arange(frames), n_cells)
    cell = np.tile(np.arange(n_cells), frames)
    zyx = np.stack([np.full(len(t), 5.0), np.full(len(t), 7.0), apart * cell + 1], axis=1)
    return Tracks.from_ids(t.astype(np.int32), zyx, 1000 * t + cell, np.where(t > 0, 1000 * (t - 1) + cell, -1))


def read_real(real_data: Path, name: str) -> Tracks:
    path = real_data / "ascidian_astec" / f"{name}.csv"
    if not path.exists():
        pytest.skip(f"{path} is absent")
    with path.open() as file:
        rows = [[float(value) for value in row] for row in islice(csv.reader(file), 1, None)]
    table = np.array(rows)
    return Tracks.from_ids(
        table[:, 0].astype(np.int32), table[:, 1:4], table[:, 4].astype(np.int64), table[:, 5].astype(np.int64)
    )


@pytest.mark.parametrize("name", ["Pm03", "Pm07"])
def test_real_ascidian_lineages_become_a_movie_of_real_motion(real_data: Path, name: str) -> None:
    table = read_real(real_data, name)
    embryo = embryo_from_tracks(table, PARAMS)
    tracks = embryo.tracks
    cells = np.bincount(tracks.t)
    assert len(cells) == embryo.shape_tzyx[0] >= 30
    assert cells.min() >= 100
    assert np.median(measure_neighbour_distances(tracks)) == pytest.approx(9.0)
    assert ((tracks.zyx_um >= 5.0 - 1e-9) & (tracks.zyx_um <= embryo.extent_um - 5.0 + 1e-9)).all()
    assert (tracks.n_children == 2).sum() > 50
    assert set(tracks.id.tolist()) <= set(table.id.tolist())
    train, val = annotate_sparsely(tracks, AnnotateParams(), seed=0)
    assert (train.n_children == 2).sum() >= 1
    assert 0.08 * tracks.n < train.n + val.n <= 0.1 * tracks.n
    assert val.n > 0


def test_a_frame_of_a_real_embryo_is_bright_at_its_cells(real_data: Path) -> None:
    embryo = embryo_from_tracks(read_real(real_data, "Pm07"), PARAMS, frames=range(50, 52))
    frame = next(render_frames(embryo, PARAMS.render, seed=0)).astype(float)
    voxel = np.rint(embryo.tracks.zyx_um[embryo.tracks.t == 0] / embryo.voxel_size_um).astype(int)
    assert (frame[tuple(voxel.T)] > np.percentile(frame, 90)).mean() > 0.97


def test_the_unit_scales_the_table_and_the_nuclei() -> None:
    small, large = (
        embryo_from_tracks(row_of_cells(4, 2), PARAMS, um_per_unit=unit, min_cells=4) for unit in (0.3, 0.6)
    )
    assert np.median(measure_neighbour_distances(small.tracks)) == pytest.approx(9.0)
    assert np.median(measure_neighbour_distances(large.tracks)) == pytest.approx(18.0)
    assert small.tracks.radius_um is not None
    assert large.tracks.radius_um is not None
    np.testing.assert_allclose(large.tracks.radius_um, 2 * small.tracks.radius_um)


def test_without_a_unit_neighbours_end_up_one_spacing_apart() -> None:
    embryo = embryo_from_tracks(row_of_cells(5, 1, apart=0.01), PARAMS, min_cells=5)
    np.testing.assert_allclose(measure_neighbour_distances(embryo.tracks), 9.0)


def test_points_at_the_origin_are_dropped_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    good = row_of_cells(3, 2)
    zyx = good.zyx_um.copy()
    zyx[1] = 0.0
    faulty = Tracks(good.t, zyx, good.id, good.parent_row)
    with caplog.at_level(logging.WARNING):
        embryo = embryo_from_tracks(faulty, PARAMS, um_per_unit=0.3, min_cells=2)
    assert embryo.tracks.n == 5
    assert "1 points at exactly (0, 0, 0)" in caplog.text


def test_frames_are_counted_from_zero_and_links_to_frames_left_out_are_cut() -> None:
    embryo = embryo_from_tracks(row_of_cells(3, 6), PARAMS, frames=range(2, 5))
    assert np.bincount(embryo.tracks.t).tolist() == [3, 3, 3]
    assert (embryo.tracks.parent_row < 0).sum() == 3
    assert embryo.shape_tzyx[0] == 3


def test_two_points_at_one_place_still_have_nuclei() -> None:
    good = row_of_cells(6, 1)
    zyx = good.zyx_um.copy()
    zyx[1] = zyx[0]
    embryo = embryo_from_tracks(Tracks(good.t, zyx, good.id, good.parent_row), PARAMS, min_cells=6)
    assert embryo.tracks.radius_um is not None
    assert embryo.tracks.radius_um.min() > 1.0


def test_crowded_cells_get_smaller_nuclei() -> None:
    good = row_of_cells(8, 2)
    zyx = good.zyx_um.copy()
    zyx[good.id % 1000 == 1, 2] -= 15.0
    tracks = embryo_from_tracks(Tracks(good.t, zyx, good.id, good.parent_row), PARAMS, min_cells=8).tracks
    assert tracks.radius_um is not None
    crowded = np.isin(tracks.id % 1000, [0, 1])
    assert tracks.radius_um[crowded].max() <= 0.45 * 4.5 + 1e-9 < tracks.radius_um[~crowded].min()


@pytest.mark.parametrize(
    ("frames", "measured"), [(range(4, 9), "4 of the frames"), (range(0, 4, 2), "0 of the"), (range(2, 2), "0 of the")]
)
def test_frames_that_make_no_movie_are_refused(frames: range, measured: str) -> None:
    with pytest.raises(TracksError, match=measured):
        embryo_from_tracks(row_of_cells(3, 5), PARAMS, frames=frames)


def test_a_table_with_too_few_cells_is_refused() -> None:
    with pytest.raises(TracksError, match="no frame of the table has 100 cells"):
        embryo_from_tracks(row_of_cells(3, 5), PARAMS)


def test_a_table_of_single_cells_cannot_be_scaled() -> None:
    with pytest.raises(TracksError, match="distance of neighbouring cells cannot be measured"):
        embryo_from_tracks(row_of_cells(1, 5), PARAMS, min_cells=1)


@pytest.mark.parametrize("unit", [0.0, -1.0, float("nan"), float("inf")])
def test_a_unit_that_is_no_length_is_refused(unit: float) -> None:
    with pytest.raises(ConfigError, match="must be a positive length"):
        embryo_from_tracks(row_of_cells(3, 5), PARAMS, um_per_unit=unit, min_cells=3)
